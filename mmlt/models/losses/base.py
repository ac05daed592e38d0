"""What every loss that a config names has in common."""

from abc import abstractmethod

from torch import Tensor, nn

from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.losses.inputs import class_vector, widen

# mmpretrain's losses of one label an image.
FROM_MMPRETRAIN = ('CrossEntropyLoss', 'LabelSmoothLoss', 'FocalLoss', 'AsymmetricLoss', 'SeesawLoss')


class Loss(nn.Module):
    """Base: a loss of labels, called with logits, target and the prior; a subclass defines `compute`.

    Attributes:
        weighs_samples: whether it takes `sample_weights`, which mixing needs.
        divides_by_weights: whether its mean with class weights is torch's weighted one, `sum(w_y * loss) / sum(w_y)`.
        draws: whether it takes `draw`. A loss with random numbers uses no generator of its own, so that a resumed run and
            one with other ranks draw alike.
        multi_label: whether its target is float (B, K), several labels an image; it then takes `num_images`.
        balanced_by: in words, how it moves the class prior of the logits towards a uniform one; None where it does not.
            Margins and label smoothing do not count.
        prior_taken: the power of the class prior that it takes out of the logits, where `balanced_by` says something.
        logit_scale: by what it multiplies the logits before its softmax; predictions are scaled alike.
    """

    weighs_samples = True
    divides_by_weights = True
    draws = False
    multi_label = False
    balanced_by: str | None = None
    prior_taken: float = 1.0
    logit_scale: float = 1.0

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
        draw: Draw | None = None,
        num_images: int | None = None,
    ) -> Tensor:
        """Scalar loss of a batch, float32 or wider.

        Args:
            logits: (B, K), any floating dtype.
            target: int64 (B,), or float (B, K) where `multi_label`.
            class_counts: (K,), training images of each class.
            class_weights: (K,), or None.
            sample_weights: (B,), how many times each sample counts in the mean; None for once each.
            draw: random numbers of the B rows; None for none.
            num_images: training images, for a loss of several labels.

        Raises:
            ValueError: `sample_weights` for a loss that takes none.
        """
        if sample_weights is not None and not self.weighs_samples:
            raise ValueError(f'{type(self).__name__} takes no sample_weights.')
        extra = dict(sample_weights=sample_weights) if self.weighs_samples else {}
        if self.draws:
            extra['draw'] = draw
        if self.multi_label:
            extra['num_images'] = num_images
        return self.compute(logits, target, class_counts, class_weights=class_weights, **extra)

    @abstractmethod
    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, **settings: Tensor | Draw | None) -> Tensor:
        """The loss; `settings` are `class_weights`, `sample_weights` where it weighs samples, `draw` where it draws,
        `num_images` where images have several labels."""


class PlainLoss(Loss):
    """A module called with `(logits, target, class_counts, class_weights)` that derives from no `Loss`."""

    weighs_samples = False

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.loss = module

    def compute(self, logits: Tensor, target: Tensor, class_counts: Tensor, class_weights: Tensor | None = None) -> Tensor:
        """See `Loss.forward`."""
        return self.loss(logits, target, class_counts, class_weights)


class MMPretrainLoss(Loss):
    """A loss of mmpretrain, which takes a weight a sample and their sum; the class counts play no part.

    Args:
        module: one of the losses in `FROM_MMPRETRAIN`.

    Raises:
        UserError: a loss of another task, of soft or several labels, or one that is no mean.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        name = type(module).__name__
        if name not in FROM_MMPRETRAIN:
            raise UserError(f"mmpretrain's {name} is no loss of labels: use {', '.join(FROM_MMPRETRAIN)} or a loss of mmlt.")
        if getattr(module, 'use_soft', False) or getattr(module, 'mode', '') == 'multi_label':
            raise UserError(f"mmpretrain's {name} as configured takes soft or several labels, the data have one an image.")
        if module.reduction != 'mean':
            raise UserError(f"mmpretrain's {name}(reduction={module.reduction!r}): the loss is a mean here; leave it out.")
        self.loss = module

    def compute(
        self,
        logits: Tensor,
        target: Tensor,
        class_counts: Tensor,
        class_weights: Tensor | None = None,
        sample_weights: Tensor | None = None,
    ) -> Tensor:
        """See `Loss.forward`; with weights the mean is torch's weighted one."""
        logits = widen(logits)
        if class_weights is None and sample_weights is None:
            return self.loss(logits, target)
        weights = logits.new_ones(len(logits))
        if class_weights is not None:
            weights = class_vector(class_weights, logits, 'class_weights')[target]
        if sample_weights is not None:
            weights = weights * sample_weights.to(weights.dtype)
        return self.loss(logits, target, weight=weights, avg_factor=weights.sum())


def as_loss(module: nn.Module) -> Loss:
    """A module behind the interface of `Loss`."""
    if isinstance(module, Loss):
        return module
    return (MMPretrainLoss if type(module).__module__.startswith('mmpretrain.') else PlainLoss)(module)
