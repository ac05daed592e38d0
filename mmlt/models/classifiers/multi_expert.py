"""Several experts on one trunk, each trained with the same loss."""

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class MultiExpertClassifier(LongTailedClassifier):
    """E experts, each trained with the same loss; the prediction is the mean of their raw logits.

    By itself this is an ensemble with a shared trunk; it is the base of the methods that need experts.

    Args:
        backbone: config of a `MultiExpertBackbone`.
        head: config of one expert's head; each expert gets its own.
        **others: as `LongTailedClassifier`.

    Raises:
        UserError: the backbone has no experts.
    """

    def __init__(self, backbone: dict, head: dict, **others) -> None:  # noqa: ANN003
        super().__init__(backbone, head, **others)

    def build_head(self, head: dict):  # noqa: ANN201
        """A head for each expert."""
        self.need_experts(type(self).__name__)
        return super().build_head(head)
