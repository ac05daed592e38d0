"""Augmentation of images with their boxes and masks, by torchvision's transforms of version 2."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mmlt.detection.batch import Target
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class TorchvisionTransform:
    """A transform of `torchvision.transforms.v2`; boxes and masks follow the image.

    Args:
        name: of the transform, `RandomHorizontalFlip` for instance.
        arguments: its keywords.

    Raises:
        UserError: torchvision has no such transform, or it does not take these arguments.
    """

    def __init__(self, name: str, arguments: dict | None = None) -> None:
        from torchvision.transforms import v2  # takes a second

        part = getattr(v2, name, None)
        if not (isinstance(part, type) and issubclass(part, v2.Transform)):
            raise UserError(f'torchvision.transforms.v2 has no transform {name!r}: correct its name.')
        try:
            self.transform = part(**(arguments or {}))
        except (TypeError, ValueError) as error:
            raise UserError(f'{name} of torchvision does not take {arguments!r} ({error}): correct its arguments.') from error

    def __call__(self, image: Tensor, target: dict) -> tuple[Tensor, dict]:
        """The transformed pair, see `apply_transforms`."""
        return self.transform(image, target)


def apply_transforms(
    transforms: Sequence[Callable], image: Tensor, target: Target, key: int
) -> tuple[Tensor, Target]:
    """Apply transforms with random numbers that are a function of `key` alone; objects that fall out are dropped.

    Args:
        transforms: callables of torchvision's (image, target).
        image: uint8 (3, H, W).
        target: see `DetectionBatch`.
        key: of the draw, with the run's seed in it; at least 0.
    """
    if not transforms:
        return image, target
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    wrapped = dict(
        boxes=tv_tensors.BoundingBoxes(target['boxes'], format='XYXY', canvas_size=tuple(image.shape[1:])),
        labels=target['labels'],
    )
    if 'masks' in target:
        wrapped['masks'] = tv_tensors.Mask(target['masks'])
    picture = tv_tensors.Image(image)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))
        for transform in transforms:
            picture, wrapped = transform(picture, wrapped)
    picture, wrapped = v2.SanitizeBoundingBoxes(min_size=1)(picture, wrapped)
    return picture.as_subclass(Tensor), {name: part.as_subclass(Tensor) for name, part in wrapped.items()}
