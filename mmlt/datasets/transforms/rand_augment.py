"""RandAugment."""

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.datasets.transforms.base import BatchTransform
from mmlt.datasets.transforms.operations import NAMES, OPERATIONS, apply_chain
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS

CHOICES = tuple(name for name in NAMES if name != 'invert')
HIGHEST = 30


@TRANSFORMS.register_module()
class RandAugment(BatchTransform):
    """Apply operations drawn anew for each image, all of one strength.

    They are those of `AutoAugment` without the negative and with the identity. Operations that have a direction take
    either one by a fair coin, and so does a rotation.

    Source: Cubuk et al., RandAugment: practical automated data augmentation (NeurIPS 2020).

    Args:
        num_ops: operations an image, one after another.
        magnitude: strength, 0 to 30; at 30 an operation is as strong as it gets in `AutoAugment`.
    """

    def __init__(self, num_ops: int = 2, magnitude: float = 10) -> None:
        self.num_ops = number(self, 'num_ops', num_ops, least=1, whole=True)
        number(self, 'magnitude', magnitude, least=0, most=HIGHEST)
        operations = [OPERATIONS[name] for name in CHOICES]
        self.functions = tuple(operation.apply for operation in operations)
        self._table = torch.tensor(
            [(operation.strength(magnitude, HIGHEST), operation.neutral, operation.signed or name == 'rotate')
             for name, operation in zip(CHOICES, operations, strict=True)],
            dtype=torch.float64,
        )

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        return apply_chain(images, self.functions, *self.choose(draw, images.device))

    def choose(self, draw: Draw, device: torch.device) -> tuple[Tensor, Tensor]:
        """What is done to each image: kinds int64 (B, S), places in `functions`, and magnitudes float64 (B, S)."""
        self._table = self._table.to(device)
        kinds = draw.integers(0, len(CHOICES), self.num_ops, stream=0)
        strength, neutral, signed = self._table[kinds].unbind(2)
        negative = (draw.uniform(self.num_ops, stream=1) < 0.5) & signed.bool()
        return kinds, neutral + torch.where(negative, -strength, strength)
