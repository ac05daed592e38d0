"""Classifier heads."""

from mmlt.models.heads.classification import CosineHead, LinearHead
from mmlt.models.heads.experts import ExpertHeads

__all__ = [
    'CosineHead',
    'ExpertHeads',
    'LinearHead',
]
