"""Classifiers that learn from mixed images."""

from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class MixingClassifier(LongTailedClassifier):
    """`LongTailedClassifier` by another name, whose `mixing` must be given.

    Args:
        mixing: config of a `Mixing`.
        **others: as `LongTailedClassifier`.

    Raises:
        UserError: there is no mixing.
    """

    def __init__(self, mixing: dict, **others) -> None:  # noqa: ANN003
        if not mixing:
            raise UserError("MixingClassifier needs a mixing: set model.mixing=dict(type='Mixup'), or another model.type.")
        super().__init__(mixing=mixing, **others)
