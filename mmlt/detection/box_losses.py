"""How a detector's proposals are classified: what the classifier puts out, its training loss, its scores.

Every part here is called with logits (P, outputs), target (P,) int64 (0 for the background, c + 1 for class c), the
training images that hold each class (K,) and their total number; it gives a dict of scalars.
"""

import math

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.models.losses import (
    balanced_sigmoid_box_loss,
    balanced_softmax_box_loss,
    equalization_box_loss,
    seesaw_box_loss,
    sigmoid_box_loss,
    softmax_box_loss,
)
from mmlt.registry import MODELS


class BoxLoss(nn.Module):
    """Base: a softmax over the background and K classes, or a sigmoid for each of K classes.

    Attributes:
        further_outputs: outputs of the classifier beyond the K classes; they stand before those.
        prior: probability that the classifier begins with for every class; None for biases of 0.
    """

    further_outputs = 0
    prior: float | None = None

    @property
    def bias(self) -> float:
        """The bias that the classifier begins with."""
        return 0.0 if self.prior is None else -math.log((1 - self.prior) / self.prior)

    def set_num_classes(self, num_classes: int) -> None:
        """Take over the number K of classes; the detector calls it once, when it is built."""

    def scores(self, logits: Tensor) -> Tensor:
        """Scores of the classes at test time, (P, K) in [0, 1], of logits (P, outputs)."""
        raise NotImplementedError

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """The training losses, scalars by name."""
        raise NotImplementedError


@MODELS.register_module()
class SoftmaxBoxLoss(BoxLoss):
    """See `softmax_box_loss`: one softmax over the background and the classes."""

    further_outputs = 1

    def scores(self, logits: Tensor) -> Tensor:
        """See `BoxLoss.scores`."""
        return logits.float().softmax(dim=1)[:, 1:]

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """See `BoxLoss.forward`."""
        return dict(loss_cls=softmax_box_loss(logits, target))


@MODELS.register_module()
class BalancedSoftmaxBoxLoss(SoftmaxBoxLoss):
    """See `balanced_softmax_box_loss`: the classes' prior is in the loss, the scores are plain."""

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """See `BoxLoss.forward`."""
        return dict(loss_cls=balanced_softmax_box_loss(logits, target, class_counts))


@MODELS.register_module()
class SigmoidBoxLoss(BoxLoss):
    """See `sigmoid_box_loss`: one sigmoid a class, none for the background.

    Args:
        prior: probability that every class begins with.
    """

    def __init__(self, prior: float = 0.001) -> None:
        super().__init__()
        self.prior = number(self, 'prior', prior, above=0, most=0.5)

    def scores(self, logits: Tensor) -> Tensor:
        """See `BoxLoss.scores`."""
        return logits.float().sigmoid()

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """See `BoxLoss.forward`."""
        return dict(loss_cls=sigmoid_box_loss(logits, target))


@MODELS.register_module()
class BalancedSigmoidBoxLoss(SigmoidBoxLoss):
    """See `balanced_sigmoid_box_loss`: foreground proposals are shifted by the classes' share of the images.

    Args:
        prior: see `SigmoidBoxLoss`.
    """

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """See `BoxLoss.forward`."""
        return dict(loss_cls=balanced_sigmoid_box_loss(logits, target, class_counts / num_images))


@MODELS.register_module()
class EqualizationBoxLoss(SigmoidBoxLoss):
    """See `equalization_box_loss` (EQL).

    Args:
        threshold: a class in a smaller share of the training images is rare.
        prior: see `SigmoidBoxLoss`.
    """

    def __init__(self, threshold: float = 1.77e-3, prior: float = 0.001) -> None:
        super().__init__(prior)
        self.threshold = number(self, 'threshold', threshold, least=0, most=1)

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """See `BoxLoss.forward`."""
        return dict(loss_cls=equalization_box_loss(logits, target, class_counts / num_images, self.threshold))


@MODELS.register_module()
class SeesawBoxLoss(BoxLoss):
    """See `seesaw_box_loss`: an objectness branch and a softmax over the classes.

    Args:
        p: exponent of the mitigation factor.
        q: exponent of the compensation factor.

    Attributes:
        seen: float64 buffer (K,): foreground proposals of each class so far, on each rank by itself; part of the
            checkpoint.
    """

    further_outputs = 2

    def __init__(self, p: float = 0.8, q: float = 2.0) -> None:
        super().__init__()
        self.p, self.q = number(self, 'p', p, least=0), number(self, 'q', q, least=0)

    def set_num_classes(self, num_classes: int) -> None:
        """See `BoxLoss.set_num_classes`."""
        self.register_buffer('seen', torch.zeros(num_classes, dtype=torch.float64))

    def scores(self, logits: Tensor) -> Tensor:
        """See `BoxLoss.scores`: the class's share of the foreground's probability."""
        logits = logits.float()
        return logits[:, 2:].softmax(dim=1) * logits[:, :2].softmax(dim=1)[:, 1:]

    def forward(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, num_images: Tensor
    ) -> dict[str, Tensor]:
        """See `BoxLoss.forward`."""
        self.seen += torch.zeros_like(self.seen).index_add_(
            0, (target - 1).clamp_min(0), (target > 0).to(self.seen.dtype)
        )
        objectness, classes = seesaw_box_loss(logits, target, self.seen, self.p, self.q)
        return dict(loss_objectness_cls=objectness, loss_cls=classes)
