"""The losses as parts a config names; each is called with `(logits, target, class_counts, class_weights=None)`.

Shapes are those of the functions: logits (B, C), target (B,) int64, class_counts (C,), class_weights (C,) or None; the
result is a scalar. Only `BalancedSigmoidLoss` differs in its target. A loss that also takes `sample_weights` (B,), how many
times each sample counts in the mean, can be used with a mixing (`MixingClassifier`). A loss with random numbers takes
`draw`, the `Draw` of the batch's images, and uses no generator of its own: a resumed run and one with other ranks draw alike.
"""

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.draw import Draw
from mmlt.models.losses.balanced_sigmoid import balanced_sigmoid_loss
from mmlt.models.losses.cross_entropy import cross_entropy_loss, focal_loss
from mmlt.models.losses.equalization import seql_loss
from mmlt.models.losses.inputs import class_vector, widen
from mmlt.models.losses.label_aware_smoothing import label_aware_smoothing_loss
from mmlt.models.losses.ldam import ldam_loss
from mmlt.models.losses.prior_adjusted import balanced_softmax_loss, cdt_loss, logit_adjusted_loss, vs_loss
from mmlt.registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(nn.Module):
    """See `mmlt.models.losses.cross_entropy_loss`; `class_counts` plays no part."""

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return cross_entropy_loss(logits, target, class_weights, sample_weights)


@MODELS.register_module()
class FocalLoss(nn.Module):
    """See `mmlt.models.losses.focal_loss`; `class_counts` plays no part.

    Args:
        gamma: focusing exponent, at least 0.
    """

    def __init__(self, gamma: float = 1.0) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return focal_loss(logits, target, self.gamma, class_weights, sample_weights)


@MODELS.register_module()
class BalancedSoftmaxLoss(nn.Module):
    """See `mmlt.models.losses.balanced_softmax_loss`."""

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return balanced_softmax_loss(logits, target, class_counts, class_weights, sample_weights)


@MODELS.register_module()
class LogitAdjustedLoss(nn.Module):
    """See `mmlt.models.losses.logit_adjusted_loss`.

    Args:
        tau: strength of the prior.
    """

    def __init__(self, tau: float = 1.0) -> None:
        super().__init__()
        self.tau = number(self, 'tau', tau, least=0)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return logit_adjusted_loss(logits, target, class_counts, self.tau, class_weights, sample_weights)


@MODELS.register_module()
class LDAMLoss(nn.Module):
    """See `mmlt.models.losses.ldam_loss`; the logits must be plain cosines, the scale is applied here.

    Args:
        max_margin: margin of the smallest class.
        scale: inverse temperature of the softmax.
    """

    def __init__(self, max_margin: float = 0.5, scale: float = 30.0) -> None:
        super().__init__()
        self.max_margin = number(self, 'max_margin', max_margin, least=0)
        self.scale = number(self, 'scale', scale, above=0)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return ldam_loss(
            logits, target, class_counts, self.max_margin, self.scale, class_weights, sample_weights
        )


@MODELS.register_module()
class LabelAwareSmoothingLoss(nn.Module):
    """See `mmlt.models.losses.label_aware_smoothing_loss`; the defaults are MiSLAS's for CIFAR-100-LT, ratio 100.

    Args:
        head: smoothing of the largest class.
        tail: smoothing of the smallest class.
    """

    def __init__(self, head: float = 0.4, tail: float = 0.1) -> None:
        super().__init__()
        self.head = number(self, 'head', head, least=0, most=1)
        self.tail = number(self, 'tail', tail, least=0, most=1)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return label_aware_smoothing_loss(
            logits, target, class_counts, self.head, self.tail, class_weights, sample_weights
        )


@MODELS.register_module()
class VSLoss(nn.Module):
    """See `mmlt.models.losses.vs_loss`.

    Args:
        gamma: exponent of the multiplicative term.
        tau: strength of the additive term.
    """

    def __init__(self, gamma: float = 0.15, tau: float = 1.0) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)
        self.tau = number(self, 'tau', tau, least=0)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return vs_loss(logits, target, class_counts, self.gamma, self.tau, class_weights, sample_weights)


@MODELS.register_module()
class CDTLoss(nn.Module):
    """See `mmlt.models.losses.cdt_loss`.

    Args:
        gamma: exponent of the temperatures.
    """

    def __init__(self, gamma: float = 0.2) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch."""
        return cdt_loss(logits, target, class_counts, self.gamma, class_weights, sample_weights)


@MODELS.register_module()
class SEQLLoss(nn.Module):
    """See `mmlt.models.losses.seql_loss`.

    Args:
        gamma: probability that a rare class is left out of another class's softmax.
        threshold: share of the training images below which a class is rare.
    """

    def __init__(self, gamma: float = 0.9, threshold: float = 5e-3) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0, most=1)
        self.threshold = number(self, 'threshold', threshold, least=0, most=1)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
        draw: Draw | None = None,
    ) -> Tensor:
        """Scalar loss of a batch; what is left out follows `draw`, which the classifier gives.

        Raises:
            ValueError: no `draw`, or one of another number of images than the logits have.
        """
        uniform = None if draw is None else draw.uniform(logits.shape[1], stream=0)  # (B, C)
        if uniform is None or len(uniform) != len(logits):
            raise ValueError(
                f'SEQLLoss leaves classes out at random and needs the draw of the {len(logits)} images, got '
                f'{"none" if uniform is None else len(uniform)}: call it through a classifier, or give draw=Draw(seed, keys).'
            )
        return seql_loss(
            logits, target, class_counts, uniform, self.gamma, self.threshold, class_weights, sample_weights
        )


@MODELS.register_module()
class BalancedSigmoidLoss(nn.Module):
    """See `mmlt.models.losses.balanced_sigmoid_loss`; the target is multi-hot (B, C).

    Args:
        num_images: number of training images, by which the class counts are divided.
    """

    def __init__(self, num_images: int) -> None:
        super().__init__()
        self.num_images = number(self, 'num_images', num_images, least=1)

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        foreground: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch; `foreground` (B,) bool marks the rows that the prior shifts, None for all."""
        frequency = class_vector(class_counts, widen(logits)) / self.num_images
        return balanced_sigmoid_loss(logits, target, frequency, foreground, class_weights)


@MODELS.register_module()
class SeesawLoss(nn.Module):
    """mmpretrain's Seesaw loss behind this module's interface, computed in float32 or wider.

    It counts the classes as it meets them (a buffer in the checkpoint, on each rank by itself) and waits for the device
    in every step, so it is slower than its neighbours. `class_counts` plays no part.

    Args:
        num_classes: C.
        p: exponent of the mitigation factor.
        q: exponent of the compensation factor.

    Source: Wang et al., Seesaw Loss for Long-Tailed Instance Segmentation, CVPR 2021.
    """

    def __init__(self, num_classes: int, p: float = 0.8, q: float = 2.0) -> None:
        super().__init__()
        p, q = number(self, 'p', p, least=0), number(self, 'q', q, least=0)
        self.loss = MODELS.build(dict(type='mmpretrain.SeesawLoss', num_classes=num_classes, p=p, q=q))

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of a batch; with class weights the mean is torch's weighted one."""
        logits = widen(logits)
        if class_weights is None and sample_weights is None:
            return self.loss(logits, target)
        weights = torch.ones_like(logits[:, 0])
        if class_weights is not None:
            weights = class_vector(class_weights, logits, 'class_weights')[target]
        if sample_weights is not None:
            weights = weights * sample_weights.to(weights.dtype)
        return self.loss(logits, target, weight=weights, avg_factor=weights.sum())
