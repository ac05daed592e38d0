"""One file a method."""

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.classifiers.bkd import BKDClassifier
from mmlt.models.classifiers.distillation import DistillationClassifier

__all__ = ['BKDClassifier', 'DistillationClassifier', 'LongTailedClassifier']
