"""Classifiers that learn from mixed images."""

import inspect

import torch
from torch import Tensor

from mmlt.batch import PARTNER_KEY
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.mixing import Mixed, Mixing
from mmlt.registry import MODELS

# Where mixing stands among the transforms of the preprocessor, whose streams are numbered by their place in the list.
POSITION = 2**16


class Mixes:
    """What a classifier that mixes its images has; it stands before the classifier among the bases.

    The partners come with the batch: `train_dataloader.partner_sampler` says where from. So they are the same whatever
    the number of ranks, and a partner has its own augmentation.

    Attributes:
        mixing: the mixing; None for a classifier that learns from the images as they are.
    """

    mixing: Mixing | None
    _partners_seen = False

    def build_mixing(self, mixing: dict | None) -> None:
        """Mix by this config from now on, or not at all; the loss is there already.

        Raises:
            UserError: the loss takes no `sample_weights`.
        """
        if mixing and 'sample_weights' not in inspect.signature(self.loss.forward).parameters:
            raise UserError(
                f'{type(self.loss).__name__} cannot be mixed: its forward must take sample_weights (B,), how many times '
                'each sample counts in the mean.'
            )
        self.mixing = MODELS.build(mixing) if mixing else None

    def mix(self, images: Tensor, labels: Tensor, keys: Tensor) -> Mixed:
        """Mix the first half of a batch with the second, its partners.

        Args:
            images: (2 B, C, H, W).
            labels: int64 (2 B,).
            keys: int64 (2 B,); the partners' are higher by `PARTNER_KEY`.

        Raises:
            UserError: the batch has no partners.
        """
        if not torch.compiler.is_compiling():
            self.check_batch(labels, keys)
        (images, partner_images), (labels, partner_labels) = images.chunk(2), labels.chunk(2)
        draw = Draw(self.data_preprocessor.seed, keys.chunk(2)[0]).at(POSITION)
        return self.mixing(images, labels, partner_images, partner_labels, draw, self.class_counts)

    def check_batch(self, labels: Tensor, keys: Tensor) -> None:
        """See `LongTailedClassifier.check_batch`; the keys tell whether there are partners.

        Raises:
            UserError: there are none.
        """
        if self._partners_seen or self.mixing is None:  # looked at once: it waits for the device
            return
        own, partners = keys[: len(keys) // 2], keys[len(keys) // 2 :]
        if not torch.equal(own + PARTNER_KEY, partners):
            raise UserError(
                f'{type(self.mixing).__name__} needs a partner for each image: set '
                "train_dataloader.partner_sampler=dict(type='ShuffleSampler'), or ClassBalancedSampler for rare partners."
            )
        self._partners_seen = True

    def training_logits(self, images: Tensor) -> Tensor:
        """What `mixed_loss` gets of normalised images (B, C, H, W): the logits (B, K)."""
        return self.outputs(images).logits

    def mixed_loss(self, logits: Tensor, mixed: Mixed) -> Tensor:
        """Mean over the images of `weight * loss(target) + (1 - weight) * loss(partner_target)`, a scalar.

        With class weights both labels of an image count by their class, as two samples of a batch do.

        Args:
            logits: (B, K) of the mixed images.
            mixed: their labels and weights.
        """
        return self.classification_loss(
            torch.cat([logits, logits]),
            torch.cat([mixed.target, mixed.partner_target]),
            torch.cat([mixed.weight, 1 - mixed.weight]),
        )

    def forward(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        indices: Tensor | None = None,
        keys: Tensor | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Tensor]]:
        """As `LongTailedClassifier.forward`; in the mode `loss` the second half of the batch are the partners."""
        if mode != 'loss' or self.mixing is None:
            return super().forward(images, labels, indices, keys, mode)
        self.begin_step(keys)  # of both labels of each image, as `mixed_loss` puts them
        mixed = self.mix(images, labels, keys)
        return {'loss_cls': self.mixed_loss(self.training_logits(mixed.images), mixed)}


@MODELS.register_module()
class MixingClassifier(Mixes, LongTailedClassifier):
    """Mix each image with a partner (mixup, CutMix, Remix, CMO), and mix the losses of the two labels image by image.

    See `Mixes` for where the partners come from.

    Args:
        mixing: config of a `Mixing`.
        backbone, head, loss, neck, reweighting, data_preprocessor: as `LongTailedClassifier`. The loss must take
            `sample_weights`.

    Raises:
        UserError: the loss takes no `sample_weights`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        mixing: dict,
        loss: dict | None = None,
        neck: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, loss, neck, reweighting, data_preprocessor)
        self.build_mixing(mixing)
