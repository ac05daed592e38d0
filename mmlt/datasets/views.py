"""What a model sees of a picture of any size when it is tested: the middle, scaled to the size of its images."""

from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmlt.datasets.scaling import SHOW, scale_picture, show_array


class View(NamedTuple):
    """How the images of a test set are cut from pictures.

    Attributes:
        height: of the images, in pixels.
        width: of the images, in pixels.
        resize: the shorter side of a picture is scaled to this before the middle is cut out; None where the set's own images
            have that size already: of a picture the largest middle piece of their shape is scaled.
        max_value: the grey value that is white, for pictures of floats or of more than 8 bits, see `read_rgb`.
        backend: what scales them, see `StreamingDataset`.
    """

    height: int
    width: int
    resize: int | None = None
    max_value: float | None = None
    backend: str = 'pillow'

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The piece of a picture that is scaled to the image: left, top, right, bottom, in pixels of the picture."""
        if self.resize is None:
            scale = min(width / self.width, height / self.height)
        else:
            scale = min(width, height) / self.resize  # pixels of the picture a pixel of the scaled one
        wide, high = self.width * scale, self.height * scale
        left, top = max(0.0, (width - wide) / 2), max(0.0, (height - high) / 2)  # rounding may lead past the edge
        return left, top, min(float(width), left + wide), min(float(height), top + high)

    def boxes(self, width: int, height: int) -> list[tuple[float, float, float, float]]:
        """As `box`, the one piece that is looked at."""
        return [self.box(width, height)]

    def __call__(self, picture: Image.Image | bytes, name: str = 'the picture') -> Tensor:
        """The image uint8 (3, height, width) of a picture.

        Args:
            picture: the content of a file, or an RGB picture.
            name: of the picture, for messages.

        Raises:
            UserError: it cannot be read.
        """
        out = np.empty((1, self.height, self.width, 3), dtype=np.uint8)
        if isinstance(picture, bytes):
            SHOW[self.backend](picture, self.boxes, out, name, self.max_value)
        elif self.backend == 'opencv':
            show_array(np.asarray(picture), self.boxes, out)
        else:
            scale_picture(picture, self.boxes, out)
        return torch.from_numpy(out[0]).permute(2, 0, 1).contiguous()


# Of mmpretrain's pipelines: what a view says.
KNOWN_STEPS = ('LoadImageFromFile', 'NumpyToPIL', 'PILToNumpy', 'ResizeEdge', 'CenterCrop', 'PackInputs')


def view_of(dataset: Any) -> View | None:
    """The view that a test set has of pictures.

    Returns:
        None where its items are no images, or where a pipeline of mmpretrain looks at them in another way than by `ResizeEdge`
        of the shorter edge and `CenterCrop`.
    """
    image = dataset[0][0]
    if not isinstance(image, Tensor) or image.dim() != 3:
        return None
    own = dataset
    while hasattr(own, 'dataset') or hasattr(own, 'datasets'):  # a part of another set, or joined of some
        own = own.dataset if hasattr(own, 'dataset') else own.datasets[0]
    resize, white, backend = (getattr(own, name, None) for name in ('resize', 'max_value', 'backend'))
    for step in getattr(getattr(own, 'pipeline', None), 'transforms', ()):  # mmpretrain's
        name = type(step).__name__
        if name not in KNOWN_STEPS or getattr(step, 'edge', 'short') != 'short':
            return None
        if name == 'ResizeEdge':
            resize = step.scale
    numbers = (value if isinstance(value, (int, float)) else None for value in (resize, white))
    return View(*image.shape[1:], *numbers, backend if backend in SHOW else 'pillow')
