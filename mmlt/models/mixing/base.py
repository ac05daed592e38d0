"""What all mixings share: how strongly an image is mixed, whether at all, and in which epochs."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.batch import Batch
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.mixing.beta import BetaQuantiles

# Where mixing stands among the streams of a draw; the preprocessor's transforms count from 0.
MIXING_POSITION = 2**16


class Mixed(NamedTuple):
    """B mixed images with two labels each.

    Attributes:
        images: (B, C, H, W), in the dtype of the images that were mixed.
        target: (B,) int64, label of the image.
        partner_target: (B,) int64, label of its partner.
        weight: (B,) float32 in [0, 1], share of `target` in the loss; the partner's is the rest.
    """

    images: Tensor
    target: Tensor
    partner_target: Tensor
    weight: Tensor


class Mixing(nn.Module):
    """Base: draws for each image whether it is mixed and the share `lam` it keeps; a subclass mixes.

    Mixing is linear in the pixels or moves them, so it makes no difference that the images are normalised already.

    Args:
        alpha: of the symmetric beta distribution that `lam` is drawn from.
        probability: that an image is mixed; decided image by image.
        first_epoch: first epoch, counted from 0, with mixing.
        end_epoch: first epoch without mixing again; None for mixing to the end.

    Raises:
        UserError: an `alpha` that is not above 0, a probability outside [0, 1], or an empty range of epochs.
    """

    def __init__(
        self, alpha: float = 1.0, probability: float = 1.0, first_epoch: int = 0, end_epoch: int | None = None
    ) -> None:
        super().__init__()
        self.beta = BetaQuantiles(number(self, 'alpha', alpha, above=0))
        self.probability = number(self, 'probability', probability, least=0, most=1)
        self.first_epoch = number(self, 'first_epoch', first_epoch, least=0, whole=True)
        if end_epoch is not None and number(self, 'end_epoch', end_epoch, whole=True) <= first_epoch:
            raise UserError(
                f'{type(self).__name__}: no epoch is mixed with first_epoch={first_epoch} and end_epoch={end_epoch}.'
            )
        self.end_epoch = end_epoch
        self.active = first_epoch == 0

    def set_epoch(self, epoch: int) -> None:
        """Switch mixing on or off for an epoch, counted from 0."""
        self.active = epoch >= self.first_epoch and (self.end_epoch is None or epoch < self.end_epoch)

    def forward(
        self,
        images: Tensor,
        target: Tensor,
        partner_images: Tensor,
        partner_target: Tensor,
        draw: Draw,
        class_counts: Tensor,
    ) -> Mixed:
        """Mix each image with its partner, or leave it (weight 1) where the draw says so.

        Args:
            images: (B, C, H, W) floating.
            target: (B,) int64.
            partner_images: (B, C, H, W).
            partner_target: (B,) int64.
            draw: the random numbers of these B images.
            class_counts: (K,) training images of each class.
        """
        if not self.active:
            return Mixed(images, target, partner_target, torch.ones_like(target, dtype=torch.float32))
        keep = self.beta(draw.uniform(1, stream=0).squeeze(1))  # (B,), lam
        chosen = draw.uniform(1, stream=1).squeeze(1) < self.probability
        keep = torch.where(chosen, keep, 1.0)
        return self.mix(images, target, partner_images, partner_target, keep, draw, class_counts)

    def check(self, batch: Batch) -> None:
        """Refuse a batch that cannot be mixed.

        Raises:
            UserError: images without partners or draws, or with several labels.
        """
        if batch.partners is None or batch.keys is None:
            raise UserError(
                f'{type(self).__name__} needs a partner for each image: set '
                "train_dataloader.partner_sampler=dict(type='ShuffleSampler'), or ClassBalancedSampler for rare partners."
            )
        if batch.targets.dim() == 2:
            raise UserError(f'{type(self).__name__} mixes images of one label each: leave out model.mixing.')

    def mix_views(
        self, views: Sequence[Tensor], batch: Batch, draw: Draw, class_counts: Tensor
    ) -> tuple[list[Tensor], Mixed]:
        """All views of an image mixed alike, with the same view of its partner.

        Args:
            views: the images of each view, (B, C, H, W).
            batch: that they are of, with partners.
            draw: the random numbers of these B images.
            class_counts: (K,) training images of each class.

        Returns:
            The mixed images of each view; the first view's images, labels and weights.
        """
        partners = list(batch.partners.images) if batch.images.dim() == 5 else [batch.partners.images]
        mixed = [
            self(own, batch.targets, other, batch.partners.targets, draw.at(MIXING_POSITION), class_counts)
            for own, other in zip(views, partners, strict=True)
        ]
        return [one.images for one in mixed], mixed[0]

    @abstractmethod
    def mix(
        self,
        images: Tensor,
        target: Tensor,
        partner_images: Tensor,
        partner_target: Tensor,
        keep: Tensor,
        draw: Draw,
        class_counts: Tensor,
    ) -> Mixed:
        """As `forward`; `keep` (B,) is the share an image keeps, 1 where it is to stay as it is; streams from 2 on."""
