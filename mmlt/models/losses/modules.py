"""The losses as parts a config names; see `mmlt.models.losses.base.Loss` for how they are called, and the functions for what
they compute."""

from torch import Tensor

from mmlt.arguments import number
from mmlt.draw import Draw
from mmlt.models.losses.base import Loss, MMPretrainLoss
from mmlt.models.losses.cross_entropy import cross_entropy_loss, focal_loss
from mmlt.models.losses.equalization import seql_loss
from mmlt.models.losses.label_aware_smoothing import label_aware_smoothing_loss
from mmlt.models.losses.ldam import ldam_loss
from mmlt.models.losses.prior_adjusted import balanced_softmax_loss, cdt_loss, logit_adjusted_loss, vs_loss
from mmlt.registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(Loss):
    """See `mmlt.models.losses.cross_entropy_loss`; `class_counts` plays no part."""

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return cross_entropy_loss(logits, target, **weights)


@MODELS.register_module()
class FocalLoss(Loss):
    """See `mmlt.models.losses.focal_loss`; `class_counts` plays no part.

    Args:
        gamma: focusing exponent, at least 0.
    """

    divides_by_weights = False

    def __init__(self, gamma: float = 1.0) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return focal_loss(logits, target, self.gamma, **weights)


@MODELS.register_module()
class BalancedSoftmaxLoss(Loss):
    """See `mmlt.models.losses.balanced_softmax_loss`."""

    balanced_by = 'balanced softmax (model.loss)'

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return balanced_softmax_loss(logits, target, class_counts, **weights)


@MODELS.register_module()
class LogitAdjustedLoss(Loss):
    """See `mmlt.models.losses.logit_adjusted_loss`.

    Args:
        tau: strength of the prior.
    """

    def __init__(self, tau: float = 1.0) -> None:
        super().__init__()
        self.tau = number(self, 'tau', tau, least=0)
        self.balanced_by = 'the logit-adjusted loss (model.loss)' if tau else None
        self.prior_taken = self.tau

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return logit_adjusted_loss(logits, target, class_counts, self.tau, **weights)


@MODELS.register_module()
class LDAMLoss(Loss):
    """See `mmlt.models.losses.ldam_loss`; the logits must be plain cosines, the scale is applied here.

    Args:
        max_margin: margin of the smallest class.
        scale: inverse temperature of the softmax.
    """

    def __init__(self, max_margin: float = 0.5, scale: float = 30.0) -> None:
        super().__init__()
        self.max_margin = number(self, 'max_margin', max_margin, least=0)
        self.scale = self.logit_scale = number(self, 'scale', scale, above=0)

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return ldam_loss(logits, target, class_counts, self.max_margin, self.scale, **weights)


@MODELS.register_module()
class LabelAwareSmoothingLoss(Loss):
    """See `mmlt.models.losses.label_aware_smoothing_loss`; the defaults are MiSLAS's for CIFAR-100-LT, ratio 100.

    Args:
        head: smoothing of the largest class.
        tail: smoothing of the smallest class.
    """

    def __init__(self, head: float = 0.4, tail: float = 0.1) -> None:
        super().__init__()
        self.head = number(self, 'head', head, least=0, most=1)
        self.tail = number(self, 'tail', tail, least=0, most=1)

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return label_aware_smoothing_loss(logits, target, class_counts, self.head, self.tail, **weights)


@MODELS.register_module()
class VSLoss(Loss):
    """See `mmlt.models.losses.vs_loss`.

    Args:
        gamma: exponent of the multiplicative term.
        tau: strength of the additive term.
    """

    def __init__(self, gamma: float = 0.15, tau: float = 1.0) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)
        self.tau = number(self, 'tau', tau, least=0)
        self.balanced_by = 'the vector-scaling loss (model.loss)' if tau else None
        self.prior_taken = self.tau

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return vs_loss(logits, target, class_counts, self.gamma, self.tau, **weights)


@MODELS.register_module()
class CDTLoss(Loss):
    """See `mmlt.models.losses.cdt_loss`.

    Args:
        gamma: exponent of the temperatures.
    """

    def __init__(self, gamma: float = 0.2) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **weights: Tensor | None) -> Tensor:
        """See `Loss.compute`."""
        return cdt_loss(logits, target, class_counts, self.gamma, **weights)


@MODELS.register_module()
class SEQLLoss(Loss):
    """See `mmlt.models.losses.seql_loss`.

    Args:
        gamma: probability that a rare class is left out of another class's softmax.
        threshold: share of the training images below which a class is rare.
    """

    draws = True

    def __init__(self, gamma: float = 0.9, threshold: float = 5e-3) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0, most=1)
        self.threshold = number(self, 'threshold', threshold, least=0, most=1)

    def compute(
        self, logits: Tensor, target: Tensor, class_counts: Tensor, draw: Draw | None = None, **weights: Tensor | None
    ) -> Tensor:
        """See `Loss.compute`; what is left out follows `draw`.

        Raises:
            ValueError: no `draw`, or one of another number of images than the logits have.
        """
        uniform = None if draw is None else draw.uniform(logits.shape[1], stream=0)  # (B, C)
        if uniform is None or len(uniform) != len(logits):
            raise ValueError(
                f'SEQLLoss leaves classes out at random and needs the draw of the {len(logits)} images, got '
                f'{"none" if uniform is None else len(uniform)}: call it through a classifier, or give draw=Draw(seed, keys).'
            )
        return seql_loss(logits, target, class_counts, uniform, self.gamma, self.threshold, **weights)


@MODELS.register_module()
class SeesawLoss(MMPretrainLoss):
    """mmpretrain's Seesaw loss, computed in float32 or wider.

    It counts the classes as it meets them (a buffer in the checkpoint, on each rank by itself) and waits for the device
    in every step, so it is slower than its neighbours. `class_counts` plays no part.

    Args:
        num_classes: C.
        p: exponent of the mitigation factor.
        q: exponent of the compensation factor.

    Source: Wang et al., Seesaw Loss for Long-Tailed Instance Segmentation, CVPR 2021.
    """

    def __init__(self, num_classes: int, p: float = 0.8, q: float = 2.0) -> None:
        p, q = number(self, 'p', p, least=0), number(self, 'q', q, least=0)
        super().__init__(MODELS.build(dict(type='mmpretrain.SeesawLoss', num_classes=num_classes, p=p, q=q)))
