"""The operations of the automatic augmentation policies, by name, with the range of their strength."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmlt.datasets.transforms import ops_geometry, ops_point

Operator = Callable[[Tensor, Tensor], Tensor]


class Operation(NamedTuple):
    """An operation and what its levels mean.

    Attributes:
        apply: maps images uint8 (B, C, H, W) and magnitudes float64 (B,) to uint8 (B, C, H, W).
        weakest: strength at level 0.
        strongest: strength at the highest level; between the two it is linear.
        signed: whether a coin decides between +strength and -strength.
        neutral: the magnitude is this plus the strength.
    """

    apply: Operator
    weakest: float = 0.0
    strongest: float = 0.0
    signed: bool = False
    neutral: float = 0.0

    def strength(self, level: float, highest: float) -> float:
        """Strength at `level` of 0 to `highest`, rounded as `numpy.linspace` does."""
        if level == highest:
            return self.strongest
        return self.weakest + level * ((self.strongest - self.weakest) / highest)


SHIFT = 150 / 331  # of the side: 150 pixels of a 331-pixel image

# Cubuk et al., AutoAugment: learning augmentation strategies from data (CVPR 2019), table 6.
OPERATIONS = {
    'identity': Operation(ops_point.identity),
    'shearX': Operation(ops_geometry.shear_x, 0, 0.3, signed=True),
    'shearY': Operation(ops_geometry.shear_y, 0, 0.3, signed=True),
    'translateX': Operation(ops_geometry.translate_x, 0, SHIFT, signed=True),
    'translateY': Operation(ops_geometry.translate_y, 0, SHIFT, signed=True),
    'rotate': Operation(ops_geometry.rotate, 0, 30),
    'color': Operation(ops_point.color, 0, 0.9, signed=True, neutral=1),
    'contrast': Operation(ops_point.contrast, 0, 0.9, signed=True, neutral=1),
    'brightness': Operation(ops_point.brightness, 0, 0.9, signed=True, neutral=1),
    'sharpness': Operation(ops_point.sharpness, 0, 0.9, signed=True, neutral=1),
    'posterize': Operation(ops_point.posterize, 8, 4),
    'solarize': Operation(ops_point.solarize, 256, 0),
    'autocontrast': Operation(ops_point.autocontrast),
    'equalize': Operation(ops_point.equalize),
    'invert': Operation(ops_point.invert),
}
NAMES = tuple(OPERATIONS)
FUNCTIONS = tuple(operation.apply for operation in OPERATIONS.values())


def apply_chain(images: Tensor, functions: Sequence[Operator], kinds: Tensor, magnitudes: Tensor) -> Tensor:
    """Apply to each image a chain of operations of its own.

    Args:
        images: uint8 (B, C, H, W).
        functions: the operations to choose from.
        kinds: int64 (B, S), places in `functions`, the first column first.
        magnitudes: float64 (B, S).

    Returns:
        uint8 (B, C, H, W).
    """
    images = images.clone()
    orders = kinds.argsort(dim=0, stable=True)
    present = torch.arange(len(functions), device=kinds.device)[:, None, None]
    counts = (kinds == present).sum(1).T.tolist()  # (S, functions); the one wait for the device
    for step, step_counts in enumerate(counts):
        for function, places in zip(functions, orders[:, step].split(step_counts), strict=True):
            if len(places) and function is not ops_point.identity:
                images.index_copy_(0, places, function(images[places], magnitudes[places, step]))
    return images
