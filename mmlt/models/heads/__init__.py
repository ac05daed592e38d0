"""Classifier heads and distillation heads."""

from mmlt.models.heads.classification import CosineHead, LinearHead
from mmlt.models.heads.distillation import BalancedDistillHead, FeatureDistillHead, LogitDistillHead, Outputs
from mmlt.models.heads.experts import ExpertHeads

__all__ = [
    'BalancedDistillHead',
    'CosineHead',
    'ExpertHeads',
    'FeatureDistillHead',
    'LinearHead',
    'LogitDistillHead',
    'Outputs',
]
