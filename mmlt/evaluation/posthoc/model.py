"""Corrections put on a model, in this process only: on its output, or in place of its head."""

from collections.abc import Callable

from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.evaluation.posthoc.functional import nearest_mean_logits


def adjust_output(model: nn.Module, correct: Callable[[Tensor], Tensor]) -> None:
    """Let `correct`, logits (B, K) to logits (B, K), act on every prediction of the model."""

    def hook(module: nn.Module, args: tuple, output: object) -> object:
        if isinstance(output, list):  # the mode `predict`
            return [{**record, 'logits': correct(record['logits'])} for record in output]
        return output

    model.register_forward_hook(hook)


class NearestMeanHead(nn.Module):
    """Cosines to the class means (K, C) in place of a head."""

    def __init__(self, means: Tensor) -> None:
        super().__init__()
        self.num_classes = len(means)
        self.register_buffer('means', means)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C) to cosines (B, K)."""
        return nearest_mean_logits(features, self.means)


def replace_head(model: nn.Module, head: nn.Module) -> None:
    """Predict with another head, in this process only; factors on the outputs of the old one (LWS) go with it.

    Raises:
        UserError: the model has no single head.
    """
    if type(getattr(model, 'head', None)) is nn.Module or not hasattr(model, 'head'):
        raise UserError(f'{type(model).__name__} has no single head, which --adjust ncm replaces.')
    model.head = head
    if isinstance(getattr(model, 'scale', None), nn.Parameter):
        nn.init.ones_(model.scale)
