"""Classifier heads and distillation heads."""

from mmlt.models.heads.classification import CosineHead, LinearHead
from mmlt.models.heads.distillation import BalancedDistillHead, FeatureDistillHead, LogitDistillHead, Outputs

__all__ = ['BalancedDistillHead', 'CosineHead', 'FeatureDistillHead', 'LinearHead', 'LogitDistillHead', 'Outputs']
