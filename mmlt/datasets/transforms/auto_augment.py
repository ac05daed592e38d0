"""AutoAugment with the policy found on CIFAR-10."""

import torch
from torch import Tensor

from mmlt.datasets.transforms.base import BatchTransform
from mmlt.datasets.transforms.operations import FUNCTIONS, NAMES, OPERATIONS, apply_chain
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS

# 25 pairs of (operation, probability, level of 0 to 9).
CIFAR10 = (
    (('invert', 0.1, 7), ('contrast', 0.2, 6)),
    (('rotate', 0.7, 2), ('translateX', 0.3, 9)),
    (('sharpness', 0.8, 1), ('sharpness', 0.9, 3)),
    (('shearY', 0.5, 8), ('translateY', 0.7, 9)),
    (('autocontrast', 0.5, 8), ('equalize', 0.9, 2)),
    (('shearY', 0.2, 7), ('posterize', 0.3, 7)),
    (('color', 0.4, 3), ('brightness', 0.6, 7)),
    (('sharpness', 0.3, 9), ('brightness', 0.7, 9)),
    (('equalize', 0.6, 5), ('equalize', 0.5, 1)),
    (('contrast', 0.6, 7), ('sharpness', 0.6, 5)),
    (('color', 0.7, 7), ('translateX', 0.5, 8)),
    (('equalize', 0.3, 7), ('autocontrast', 0.4, 8)),
    (('translateY', 0.4, 3), ('sharpness', 0.2, 6)),
    (('brightness', 0.9, 6), ('color', 0.2, 8)),
    (('solarize', 0.5, 2), ('invert', 0.0, 3)),
    (('equalize', 0.2, 0), ('autocontrast', 0.6, 0)),
    (('equalize', 0.2, 8), ('equalize', 0.6, 4)),
    (('color', 0.9, 9), ('equalize', 0.6, 6)),
    (('autocontrast', 0.8, 4), ('solarize', 0.2, 8)),
    (('brightness', 0.1, 3), ('color', 0.7, 0)),
    (('solarize', 0.4, 5), ('autocontrast', 0.9, 3)),
    (('translateY', 0.9, 9), ('translateY', 0.7, 9)),
    (('autocontrast', 0.9, 2), ('solarize', 0.8, 3)),
    (('equalize', 0.8, 8), ('invert', 0.1, 3)),
    (('translateY', 0.7, 9), ('autocontrast', 0.9, 1)),
)
POLICIES = {'cifar10': CIFAR10}
HIGHEST = 9


@TRANSFORMS.register_module()
class AutoAugment(BatchTransform):
    """One of the policy's pairs of operations an image, each half applied with its own probability.

    Operations that have a direction take either one by a fair coin; a rotation is always counter-clockwise. It belongs
    after crop and flip and before Cutout.

    Source: Cubuk et al., AutoAugment: learning augmentation strategies from data (CVPR 2019), table 7. Levels go from 0
    to 9, and shears are cubic, as in the repositories of PaCo and NCL.

    Args:
        policy: 'cifar10'.
    """

    def __init__(self, policy: str = 'cifar10') -> None:
        if policy not in POLICIES:
            raise UserError(f'AutoAugment has no policy {policy!r}; known: {", ".join(POLICIES)}.')
        rows = []
        for name, probability, level in (half for pair in POLICIES[policy] for half in pair):
            operation = OPERATIONS[name]
            strength = operation.strength(level, HIGHEST)
            rows.append([NAMES.index(name), probability, strength, operation.neutral, operation.signed])
        self._table = torch.tensor(rows, dtype=torch.float64).view(-1, 2, 5)  # (pairs, halves, columns)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        return apply_chain(images, FUNCTIONS, *self.choose(draw, images.device))

    def choose(self, draw: Draw, device: torch.device) -> tuple[Tensor, Tensor]:
        """What is done to each image: kinds int64 (B, 2), places in `NAMES`, and magnitudes float64 (B, 2)."""
        self._table = self._table.to(device)
        pair = draw.integers(0, len(self._table), 1, stream=0).squeeze(1)
        kinds, probability, strength, neutral, signed = self._table[pair].unbind(2)  # each (B, 2)
        applied = draw.uniform(2, stream=1) < probability
        negative = (draw.uniform(2, stream=2) < 0.5) & signed.bool()
        magnitudes = neutral + torch.where(negative, -strength, strength)
        return torch.where(applied, kinds, NAMES.index('identity')).to(torch.int64), magnitudes
