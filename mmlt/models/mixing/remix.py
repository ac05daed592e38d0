"""Remix."""

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.draw import Draw
from mmlt.models.mixing.base import Mixed, Mixing
from mmlt.models.mixing.mixup import blend
from mmlt.registry import MODELS


def remix_weight(keep: Tensor, count: Tensor, partner_count: Tensor, kappa: float, tau: float) -> Tensor:
    """Share of an image's own label: that of the blend, but all for the rarer class where the counts differ enough.

    Args:
        keep: (B,) share of the image in the blend.
        count: (B,) training images of the image's class.
        partner_count: (B,) the same of its partner's class.
        kappa: ratio of counts, at least 1, from which the rarer class may take the whole label.
        tau: it does where the more frequent one has a share below tau.

    Returns:
        (B,): 0 where `count >= kappa * partner_count` and `keep < tau`; 1 where `partner_count >= kappa * count` and
        `1 - keep < tau`; else `keep`.
    """
    count, partner_count = count.to(keep.dtype), partner_count.to(keep.dtype)
    to_partner = (count >= kappa * partner_count) & (keep < tau)
    to_image = (partner_count >= kappa * count) & (1 - keep < tau)
    return torch.where(to_partner, 0.0, torch.where(to_image, 1.0, keep))


@MODELS.register_module()
class Remix(Mixing):
    """mixup whose label goes to the rarer class when the two classes differ much; decided image by image.

    Args:
        kappa: ratio of the counts from which the label may be moved.
        tau: share below which the frequent class loses its part of the label.
        alpha, probability, first_epoch, end_epoch: see `Mixing`.

    Source: Chou et al., Remix: Rebalanced Mixup, ECCV 2020 workshops, eq. 7.
    """

    def __init__(
        self,
        kappa: float = 3.0,
        tau: float = 0.5,
        alpha: float = 1.0,
        probability: float = 1.0,
        first_epoch: int = 0,
        end_epoch: int | None = None,
    ) -> None:
        super().__init__(alpha, probability, first_epoch, end_epoch)
        self.kappa = number(self, 'kappa', kappa, least=1)
        self.tau = number(self, 'tau', tau, least=0, most=1)

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
        """See `Mixing.mix`."""
        weight = remix_weight(keep, class_counts[target], class_counts[partner_target], self.kappa, self.tau)
        return Mixed(blend(images, partner_images, keep), target, partner_target, weight)
