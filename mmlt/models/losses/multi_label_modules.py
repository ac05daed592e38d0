"""The losses of several labels as parts a config names; see `mmlt.models.losses.base.Loss` for how they are called, and
`multi_label` and `balanced_sigmoid` for what they compute. The number of training images comes from the data."""

from torch import Tensor

from mmlt.arguments import number
from mmlt.models.losses.balanced_sigmoid import balanced_sigmoid_loss
from mmlt.models.losses.base import Loss
from mmlt.models.losses.inputs import class_vector, widen
from mmlt.models.losses.multi_label import (
    asymmetric_loss,
    binary_cross_entropy_loss,
    binary_focal_loss,
    distribution_balanced_loss,
)
from mmlt.registry import MODELS


class MultiLabelLoss(Loss):
    """Base: the target is float (B, K)."""

    weighs_samples = False
    divides_by_weights = False
    multi_label = True

    def images(self, num_images: int | None) -> int:
        """The number of training images.

        Raises:
            ValueError: it is not known.
        """
        if not num_images:
            raise ValueError(f'{type(self).__name__} needs num_images, the number of training images: no data set told it.')
        return num_images


@MODELS.register_module()
class BinaryCrossEntropyLoss(MultiLabelLoss):
    """See `mmlt.models.losses.binary_cross_entropy_loss`; the class counts play no part."""

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **prior: Tensor | int | None) -> Tensor:
        """See `Loss.compute`."""
        return binary_cross_entropy_loss(logits, target, prior['class_weights'])


@MODELS.register_module()
class BinaryFocalLoss(MultiLabelLoss):
    """See `mmlt.models.losses.binary_focal_loss`; the class counts play no part.

    Args:
        gamma: focusing exponent, at least 0.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = number(self, 'gamma', gamma, least=0)

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **prior: Tensor | int | None) -> Tensor:
        """See `Loss.compute`."""
        return binary_focal_loss(logits, target, self.gamma, prior['class_weights'])


@MODELS.register_module()
class AsymmetricLoss(MultiLabelLoss):
    """See `mmlt.models.losses.asymmetric_loss`, with its authors' defaults; the class counts play no part.

    Args:
        gamma_positive: focusing exponent of shown classes, at least 0.
        gamma_negative: that of the others, at least 0.
        margin: in [0, 1), probability below which a negative counts nothing.
    """

    def __init__(self, gamma_positive: float = 1.0, gamma_negative: float = 4.0, margin: float = 0.05) -> None:
        super().__init__()
        self.gamma_positive = number(self, 'gamma_positive', gamma_positive, least=0)
        self.gamma_negative = number(self, 'gamma_negative', gamma_negative, least=0)
        self.margin = number(self, 'margin', margin, least=0, most=0.99)

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **prior: Tensor | int | None) -> Tensor:
        """See `Loss.compute`."""
        return asymmetric_loss(logits, target, self.gamma_positive, self.gamma_negative, self.margin, prior['class_weights'])


@MODELS.register_module()
class DistributionBalancedLoss(MultiLabelLoss):
    """See `mmlt.models.losses.distribution_balanced_loss`; the defaults are the authors' for COCO-MLT.

    Args:
        alpha, beta, mu: of the smoothed weights; the authors have mu 0.3 on VOC-MLT.
        negative_scale: lambda, more than 0; 5 on VOC-MLT.
        kappa: strength of the bias.
        gamma: focusing exponent; 0 for none.
        factor: on the whole.
    """

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 10.0,
        mu: float = 0.2,
        negative_scale: float = 2.0,
        kappa: float = 0.05,
        gamma: float = 2.0,
        factor: float = 2.0,
    ) -> None:
        super().__init__()
        self.settings = dict(
            alpha=number(self, 'alpha', alpha, least=0),
            beta=number(self, 'beta', beta, least=0),
            mu=number(self, 'mu', mu),
            negative_scale=number(self, 'negative_scale', negative_scale, above=0),
            kappa=number(self, 'kappa', kappa, least=0),
            gamma=number(self, 'gamma', gamma, least=0),
            factor=number(self, 'factor', factor, above=0),
        )

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **prior: Tensor | int | None) -> Tensor:
        """See `Loss.compute`."""
        images = self.images(prior['num_images'])
        return distribution_balanced_loss(
            logits, target, class_counts, images, **self.settings, class_weights=prior['class_weights']
        )


@MODELS.register_module()
class BalancedSigmoidLoss(MultiLabelLoss):
    """See `mmlt.models.losses.balanced_sigmoid_loss`."""

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **prior: Tensor | int | None) -> Tensor:
        """See `Loss.compute`."""
        frequency = class_vector(class_counts, widen(logits)) / self.images(prior['num_images'])
        return balanced_sigmoid_loss(logits, target, frequency, None, prior['class_weights'])
