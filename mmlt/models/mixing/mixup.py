"""mixup."""

from torch import Tensor

from mmlt.draw import Draw
from mmlt.models.mixing.base import Mixed, Mixing
from mmlt.registry import MODELS


def blend(images: Tensor, partner_images: Tensor, keep: Tensor) -> Tensor:
    """`keep * image + (1 - keep) * partner` with one `keep` (B,) an image; (B, C, H, W) in the dtype of the images."""
    keep = keep.to(images.dtype).view(-1, 1, 1, 1)
    return keep * images + (1 - keep) * partner_images


@MODELS.register_module()
class Mixup(Mixing):
    """Blend an image with its partner; the labels share the loss in the same proportion.

    Args:
        alpha, probability, first_epoch, end_epoch: see `Mixing`.

    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018.
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
        return Mixed(blend(images, partner_images, keep), target, partner_target, keep)
