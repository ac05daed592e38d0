"""Classifiers that learn from mixed images."""

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class MixingClassifier(LongTailedClassifier):
    """`LongTailedClassifier` by another name, whose `mixing` must be given.

    Args:
        mixing: config of a `Mixing`.
        **others: as `LongTailedClassifier`.
    """

    def __init__(self, mixing: dict, **others) -> None:  # noqa: ANN003
        super().__init__(mixing=mixing, **others)
