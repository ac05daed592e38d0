"""A schedule of class weights that any loss takes."""

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.priors import ClassCounts, count_array, effective_number_weights
from mmlt.registry import MODELS


@MODELS.register_module()
class ClassReweighting(nn.Module):
    """Class weights that are all ones first and effective-number weights from an epoch on (deferred re-weighting).

    Args:
        num_classes: C.
        beta: of `mmlt.priors.effective_number_weights`, in [0, 1].
        start_epoch: first epoch, counted from 0, with effective-number weights; 0 for the whole run. `first_drop` stands for
            the epoch of the first drop of the learning rate until that is put in its place.

    Attributes:
        weights: (C,) float32 buffer, in no checkpoint, always the same tensor: a compiled step sees new values in it
            without compiling again.
        active: whether the epoch is one with effective-number weights; a compiled step that reads it compiles once more
            when it flips.

    Source: Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019, sec. 3.3.
    """

    weights: Tensor

    def __init__(self, num_classes: int, beta: float = 0.9999, start_epoch: int | str = 0) -> None:
        super().__init__()
        self.beta = number(self, 'beta', beta, least=0, most=1)
        known = start_epoch != 'first_drop'
        self.start_epoch = number(self, 'start_epoch', start_epoch, least=0, whole=True) if known else start_epoch
        self.active = self.start_epoch == 0
        self._effective: Tensor | None = None
        self.register_buffer('weights', torch.ones(num_classes), persistent=False)

    def set_class_counts(self, class_counts: ClassCounts) -> None:
        """Take the training images of each class, (C,).

        Raises:
            UserError: another number of classes than the model has, or a class without an image.
        """
        counts = count_array(class_counts)
        if len(counts) != len(self.weights):
            raise UserError(f'the training set has {len(counts)} classes, but the model has {len(self.weights)}.')
        try:
            self._effective = effective_number_weights(counts, self.beta).float()
        except ValueError as error:
            raise UserError(f'ClassReweighting: {error} Remove them from the data set or the re-weighting.') from error
        self._update()

    def set_epoch(self, epoch: int) -> None:
        """Set the weights of an epoch, counted from 0.

        Raises:
            RuntimeError: the epoch needs class counts, which `set_class_counts` has not been given.
        """
        self.active = epoch >= self.start_epoch
        if self.active and self._effective is None:
            raise RuntimeError('ClassReweighting needs set_class_counts before the first epoch with weights.')
        self._update()

    def _update(self) -> None:
        if self.active and self._effective is not None:
            self.weights.copy_(self._effective)
        else:
            self.weights.fill_(1.0)
