"""CutMix."""

import torch
from torch import Tensor

from mmlt.draw import Draw
from mmlt.models.mixing.base import Mixed, Mixing
from mmlt.registry import MODELS


def covered(length: int, share: Tensor, uniform: Tensor) -> Tensor:
    """Which of `length` places an interval covers, bool (B, length).

    Its length is `share` (B,) of the whole, rounded down to an even number, as the authors' code has it: half of it before
    the centre, which is any place, by `uniform` (B,) in [0, 1), and half behind. What lies beyond the border is cut off.
    """
    half = (share * length).long()[:, None] // 2
    centre = (uniform * length).long()[:, None]
    place = torch.arange(length, device=share.device)
    return (place >= centre - half) & (place < centre + half)


def paste_box(images: Tensor, partner_images: Tensor, keep: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Put a box of each partner onto its image, at the same place.

    Args:
        images: (B, C, H, W).
        partner_images: (B, C, H, W).
        keep: (B,) share of the area that the image is to keep; the box has the sides `sqrt(1 - keep)`.
        centre: (B, 2) in [0, 1), vertical and horizontal.

    Returns:
        The images, and the share of its area (B,) float32 that each really kept, after cutting at the border.
    """
    height, width = images.shape[2:]
    side = (1 - keep).sqrt()
    rows, columns = covered(height, side, centre[:, 0]), covered(width, side, centre[:, 1])
    box = rows[:, None, :, None] & columns[:, None, None, :]  # (B, 1, H, W)
    kept = 1 - (rows.sum(1) * columns.sum(1)).float() / (height * width)
    return torch.where(box, partner_images, images), kept


@MODELS.register_module()
class CutMix(Mixing):
    """Paste a box of the partner onto an image; the labels share the loss by area.

    Args:
        alpha, probability, first_epoch, end_epoch: see `Mixing`.

    Source: Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers, ICCV 2019.
    """

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
        pasted, kept = paste_box(images, partner_images, keep, draw.uniform(2, stream=2))
        return Mixed(pasted, target, partner_target, kept)
