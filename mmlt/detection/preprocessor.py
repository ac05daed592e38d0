"""The last step before a detector: resize each image with its own draw, normalise, pad to one tensor."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmlt.arguments import number
from mmlt.detection.batch import DetectionBatch, Target
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import MODELS

SIZE_POSITION = 2**16  # of the choice of size among the random numbers of an image


@MODELS.register_module()
class DetectionPreprocessor(BaseDataPreprocessor):
    """Move a `DetectionBatch` to the device, resize its uint8 images, normalise and pad them.

    Args:
        mean: mean of each channel, in [0, 1].
        std: deviation of each channel, in [0, 1].
        short_sides: lengths in pixels; while training one of them is drawn for each image (multi-scale), in evaluation it
            is the last. Empty: images keep their size.
        longest_side: the longer side is at most this, and the shorter one then less than asked for.
        divisor: height and width of the padded images are multiples of it.

    Attributes:
        seed: every draw is a function of it and of the batch's `keys`; the runner sets it.

    Raises:
        UserError: mean or std are not those of pixels from 0 to 1, or a length is not positive.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        short_sides: Sequence[int] = (),
        longest_side: int = 1333,
        divisor: int = 32,
    ) -> None:
        super().__init__()
        if not all(isinstance(values, (list, tuple)) and len(values) == 3 for values in (mean, std)):
            raise UserError(f'DetectionPreprocessor: mean and std must be three numbers each, got {mean!r} and {std!r}.')
        for low, high in zip(mean, std, strict=True):
            number(self, 'each mean (of pixels from 0 to 1)', low, least=0, most=1)
            number(self, 'each std (of pixels from 0 to 1)', high, above=0, most=1)
        for length in (*short_sides, longest_side, divisor):
            number(self, 'each length', length, least=1, whole=True)
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1) * 255, persistent=False)
        self.register_buffer('scale', 1 / (torch.tensor(std).view(-1, 1, 1) * 255), persistent=False)
        self.short_sides, self.longest_side, self.divisor = tuple(short_sides), longest_side, divisor
        self.seed = 0

    def forward(self, data: DetectionBatch, training: bool = False) -> DetectionBatch:
        """The batch with one float32 tensor (B, 3, H, W) of images; boxes and masks follow."""
        batch = data.to(self.device, non_blocking=True)
        choice = [len(self.short_sides) - 1] * len(batch.images)
        if training and len(self.short_sides) > 1:
            draw = Draw(self.seed, batch.keys).at(SIZE_POSITION)
            choice = draw.integers(0, len(self.short_sides), 1, stream=0).squeeze(1).tolist()
        images, targets = [], []
        for image, target, which in zip(batch.images, batch.targets, choice, strict=True):
            image = (image.float() - self.mean) * self.scale
            if self.short_sides:
                image, target = resize(image, target, self.new_size(image.shape[1:], self.short_sides[which]))
            images.append(image)
            targets.append(target)
        return batch._replace(
            images=self.pad(images),
            targets=targets,
            image_sizes=tuple(tuple(image.shape[1:]) for image in images),
            original_sizes=tuple(tuple(image.shape[1:]) for image in batch.images),
        )

    def new_size(self, size: Sequence[int], short_side: int) -> tuple[int, int]:
        """Height and width after resizing."""
        factor = min(short_side / min(size), self.longest_side / max(size))
        return round(size[0] * factor), round(size[1] * factor)

    def pad(self, images: list[Tensor]) -> Tensor:
        """One tensor (B, 3, H, W), zero on the right and below of each image."""
        height, width = (-(-max(image.shape[side] for image in images) // self.divisor) * self.divisor for side in (1, 2))
        padded = images[0].new_zeros(len(images), 3, height, width)
        for whole, image in zip(padded, images, strict=True):
            whole[:, : image.shape[1], : image.shape[2]] = image
        return padded


def resize(image: Tensor, target: Target, size: tuple[int, int]) -> tuple[Tensor, Target]:
    """Image (3, H, W) and its target at another height and width."""
    old = tuple(image.shape[1:])
    if old == size:
        return image, target
    image = F.interpolate(image[None], size, mode='bilinear', align_corners=False)[0]
    target = {**target, 'boxes': resize_boxes(target['boxes'], old, size)}
    if 'masks' in target:
        masks = target['masks']
        target['masks'] = F.interpolate(masks[:, None].float(), size)[:, 0].to(masks.dtype) if len(masks) else (
            masks.new_zeros(0, *size)
        )  # fmt: skip
    return image, target


def resize_boxes(boxes: Tensor, old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Boxes (M, 4) of an image of height and width `old` in the same image at `new`."""
    vertical, horizontal = new[0] / old[0], new[1] / old[1]
    return boxes * boxes.new_tensor([horizontal, vertical, horizontal, vertical])
