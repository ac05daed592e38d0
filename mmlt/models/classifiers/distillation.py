"""A student that learns from its labels and from frozen teachers."""

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class DistillationClassifier(LongTailedClassifier):
    """`LongTailedClassifier` by another name: its `distill_heads` are the terms it learns from teachers by."""
