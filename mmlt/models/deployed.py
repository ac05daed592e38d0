"""A classifier with all that surrounds it as one module of tensors: pixels in, probabilities out; for export."""

import torch
from torch import Tensor, nn

from mmlt.datasets.transforms.resize import Resize
from mmlt.datasets.views import View
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier
from mmlt.models.preprocessor import BatchPreprocessor

BITS = 22  # of the fraction in Pillow's whole-number weights of 8-bit images


def triangle_weights(length: int, start: Tensor, stop: Tensor, size: int) -> Tensor:
    """The weights of an antialiased linear filter, float64 (size, length), each row of sum 1.

    Args:
        length: pixels of the side; a symbol in a graph.
        start, stop: of the piece that is scaled, in pixels of the side, float64 scalars.
        size: pixels of the scaled side.
    """
    scale = (stop - start) / size
    wide = scale.clamp_min(1)
    centres = start + (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    pixels = torch.arange(length, dtype=torch.float64) + 0.5
    weights = (1 - (pixels - centres[:, None]).abs() / wide).clamp_min(0)
    return weights / weights.sum(dim=1, keepdim=True)


def scaled_as_pillow(images: Tensor, view: View) -> Tensor:
    """What `View` gives of pictures: Pillow's bilinear filter in its own whole-number arithmetic, columns first.

    Pillow scales the rows first for some shapes; then some pixels differ by one grey level.

    Args:
        images: float64 (B, C, H, W) of whole numbers 0 to 255; H and W may be symbols.
        view: which piece, and its size.

    Returns:
        float64 (B, C, view.height, view.width) of whole numbers 0 to 255.

    Source: Pillow, src/libImaging/Resample.c.
    """
    high, wide = (torch.scalar_tensor(side, dtype=torch.float64) for side in images.shape[-2:])
    scale = torch.minimum(wide, high) / view.resize if view.resize else torch.minimum(wide / view.width, high / view.height)
    for side, size, transposed in ((wide, view.width, False), (high, view.height, True)):
        length = images.shape[-2 if transposed else -1]
        margin = ((side - size * scale) / 2).clamp_min(0)
        start, stop = margin.float(), torch.minimum(margin + size * scale, side).float()  # Pillow takes a box in float32
        weights = triangle_weights(length, start.double(), start.double() + (stop - start).double(), size)
        whole = torch.floor(weights * 2**BITS + 0.5)
        sums = whole @ images if transposed else images @ whole.T
        images = torch.floor((sums + 2 ** (BITS - 1)) / 2**BITS).clamp(0, 255)
    return images


def opencv_weights(length: int, start: Tensor, stop: Tensor, size: int, shrinks: Tensor) -> Tensor:
    """OpenCV's weights between whole pixels, float64 (size, length), each row of sum 1.

    Args:
        length: pixels of the side; a symbol in a graph.
        start, stop: of the piece that is scaled, whole numbers, float64 scalars.
        size: pixels of the scaled side.
        shrinks: bool scalar: average areas (`INTER_AREA`), else between the two nearest pixels (`INTER_LINEAR`).
    """
    scale = (stop - start) / size
    places, pixels = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(length, dtype=torch.float64)
    low = start + places * scale
    area = (torch.minimum(pixels + 1, low + scale) - torch.maximum(pixels, low)).clamp_min(0) / scale
    source = torch.minimum(torch.maximum(low + scale / 2 - 0.5, start), stop - 1)
    return torch.where(shrinks, area, (1 - (pixels - source).abs()).clamp_min(0))


def scaled_as_opencv(images: Tensor, view: View) -> Tensor:
    """What a `View` of the backend `opencv` gives of decoded pictures, but for its rounding: see `scaled_as_pillow`.

    A JPEG file that shrinks to a half or less is decoded smaller there, which no graph of pixels can know.
    """
    high, wide = (torch.scalar_tensor(side, dtype=torch.float64) for side in images.shape[-2:])
    scale = torch.minimum(wide, high) / view.resize if view.resize else torch.minimum(wide / view.width, high / view.height)
    pieces = []
    for side, size in ((high, view.height), (wide, view.width)):
        start = ((side - size * scale) / 2).clamp_min(0)
        pieces.append((start.round(), torch.minimum((start + size * scale).round(), side)))
    tall, broad = ((stop - start) / size for (start, stop), size in zip(pieces, view[:2], strict=True))
    shrinks = torch.minimum(tall, broad) >= 2
    rows, columns = (
        opencv_weights(length, *piece, size, shrinks)
        for length, piece, size in zip(images.shape[-2:], pieces, view[:2], strict=True)
    )
    return torch.floor(rows @ images @ columns.T + 0.5).clamp(0, 255)


class Deployed(nn.Module):
    """uint8 pictures of any size to logits and probabilities: cut, scaled, normalised, predicted, corrected.

    Args:
        model: the classifier, in eval mode, on the CPU.
        view: how images are cut from pictures; None for images that have the model's size already.
        channels_last: pictures are (B, H, W, 3); else (B, 3, H, W).
        several: whether a picture has several labels.
        factor: on the logits, before `shift`.
        shift: (K,) added to the logits, or None.

    Raises:
        UserError: the model prepares its images in a way that cannot be part of the module.
    """

    def __init__(
        self, model: LongTailedClassifier, view: View | None, channels_last: bool = True, several: bool = False,
        factor: float = 1.0, shift: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        preprocessor = model.data_preprocessor
        if type(preprocessor) is not BatchPreprocessor:
            raise UserError(f'{type(preprocessor).__name__} cannot be exported: the model must have a BatchPreprocessor.')
        for transform in preprocessor.test_transforms:
            if not isinstance(transform, Resize):
                raise UserError(f'the test transform {type(transform).__name__} cannot be exported: only Resize can.')
        model.keep_inference_parts()
        self.model, self.view, self.channels_last, self.several = model, view, channels_last, several
        self.sizes = [transform.size for transform in preprocessor.test_transforms]
        self.factor = factor
        self.register_buffer('mean', preprocessor.mean.clone())
        self.register_buffer('scale', preprocessor.scale.clone())
        self.register_buffer('shift', torch.zeros(model.num_classes) if shift is None else shift.float())
        self.register_buffer('cuts', torch.zeros(model.num_classes) if model.thresholds is None else model.thresholds.float())

    def pixels(self, images: Tensor) -> Tensor:
        """The images that the model's own preparation gets: float32 (B, 3, H', W') of whole numbers 0 to 255."""
        if self.channels_last:
            images = images.permute(0, 3, 1, 2)
        if self.view is None:
            return images.float()
        scaled = scaled_as_opencv if self.view.backend == 'opencv' else scaled_as_pillow
        return scaled(images.double(), self.view).float()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map pictures uint8 (B, H, W, 3), or (B, 3, H, W), to `logits` and `probabilities`, float32 (B, K); of several labels
        a picture also to `shown`, bool (B, K)."""
        pixels = self.pixels(images)
        for size in self.sizes:
            pixels = self._resized(pixels, size)
        logits = self.model.outputs((pixels - self.mean) * self.scale).logits.float() * self.factor + self.shift
        if self.several:
            return logits, logits.sigmoid(), logits >= self.cuts * self.factor + self.shift
        return logits, logits.softmax(dim=1)

    @staticmethod
    def _resized(pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """The transform `Resize`: each side by its own factor, rounded once."""
        zero = torch.zeros((), dtype=torch.float64)
        rows, columns = (
            triangle_weights(side, zero, torch.scalar_tensor(side, dtype=torch.float64), new).float()
            for side, new in zip(pixels.shape[-2:], size, strict=True)
        )
        return (rows @ pixels @ columns.T).round().clamp(0, 255)
