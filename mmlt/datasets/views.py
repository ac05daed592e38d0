"""What a model sees of a picture of any size when it is tested: the middle, scaled to the size of its images."""

from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor


class View(NamedTuple):
    """How the images of a test set are cut from pictures.

    Attributes:
        height: of the images, in pixels.
        width: of the images, in pixels.
        resize: the shorter side of a picture is scaled to this before the middle is cut out; None where the set's own images
            have that size already: of a picture the largest middle piece of their shape is scaled.
        max_value: the grey value that is white, for pictures of floats or of more than 8 bits, see `read_rgb`.
    """

    height: int
    width: int
    resize: int | None = None
    max_value: float | None = None

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The piece of a picture that is scaled to the image: left, top, right, bottom, in pixels of the picture."""
        if self.resize is None:
            scale = min(width / self.width, height / self.height)
        else:
            scale = min(width, height) / self.resize  # pixels of the picture a pixel of the scaled one
        wide, high = self.width * scale, self.height * scale
        left, top = (width - wide) / 2, (height - high) / 2
        return left, top, left + wide, top + high

    def __call__(self, picture: Image.Image) -> Tensor:
        """The image uint8 (3, height, width) of an RGB picture.

        Scaling the piece alone is scaling all and cutting out, up to rounding, for less work.
        """
        box = self.box(picture.width, picture.height)
        view = picture.resize((self.width, self.height), Image.Resampling.BILINEAR, box=box)
        return torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous()


def view_of(dataset: Any) -> View | None:
    """The view that a test set has of pictures; None where its items are no images."""
    image = dataset[0][0]
    if not isinstance(image, Tensor) or image.dim() != 3:
        return None
    own = dataset
    while hasattr(own, 'dataset'):  # a part of another set
        own = own.dataset
    resize, white = (getattr(own, name, None) for name in ('resize', 'max_value'))
    return View(*image.shape[1:], *(value if isinstance(value, (int, float)) else None for value in (resize, white)))
