"""What all batched transforms share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from mmlt.draw import Draw
from mmlt.errors import UserError


class BatchTransform(ABC):
    """A transform of a whole batch in which every image has its own draw.

    It runs on the device of the images and has no state: the result depends on the images and the draw alone.
    """

    @abstractmethod
    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        """Map images uint8 (B, C, H, W) to uint8 (B, C, H', W'); the given tensor is left as it was."""


def apply_transforms(images: Tensor, transforms: Sequence[BatchTransform], draw: Draw) -> Tensor:
    """Apply transforms one after another, each with the streams of its place in the list.

    Args:
        images: uint8 (B, C, H, W).
        transforms: callables of (images, draw).
        draw: the random numbers of these B images.

    Returns:
        uint8 (B, C, H', W').
    """
    for position, transform in enumerate(transforms):
        images = transform(images, draw.at(position))
    return images


def apply_where(images: Tensor, chosen: Tensor, op, *parameters: Tensor) -> Tensor:
    """`op(images, *parameters)` on the images where `chosen`, bool (B,); the others stay.

    `op` keeps the shape of the images; each of `parameters` has B rows, of which `op` gets those of its images. On a GPU
    it is given all of them: to count the chosen ones would be to wait.
    """
    if images.device.type != 'cpu':
        return torch.where(chosen[:, None, None, None], op(images, *parameters), images)
    places = chosen.nonzero().squeeze(1)
    if len(places) == 0:
        return images
    return images.index_copy(0, places, op(images[places], *(values[places] for values in parameters)))


def check_probability(name: str, value: float) -> float:
    """`value`, a probability.

    Raises:
        UserError: it is not in [0, 1].
    """
    if not 0 <= value <= 1:
        raise UserError(f'{name} is {value}, which is not a probability; give a number from 0 to 1.')
    return value
