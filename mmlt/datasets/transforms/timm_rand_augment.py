"""RandAugment as timm first had it, and with it most code for long-tailed recognition on photographs."""

import math
from functools import partial

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.datasets.transforms import ops_affine, ops_point
from mmlt.datasets.transforms.base import BatchTransform
from mmlt.datasets.transforms.operations import apply_chain
from mmlt.draw import Draw
from mmlt.registry import TRANSFORMS

HIGHEST = 10.0
FILL = (124, 116, 104)  # the mean colour of ImageNet
PROBABILITY = 0.5

# Operation, magnitude at level 0, what it gains up to level 10, whether a coin decides its sign, whether it is a whole number.
TABLE = (
    (ops_point.autocontrast, 0.0, 0.0, False, False),
    (ops_point.equalize, 0.0, 0.0, False, False),
    (ops_point.invert, 0.0, 0.0, False, False),
    (ops_point.posterize, 0.0, 4.0, False, True),  # bits that stay: the higher the level, the more
    (ops_point.solarize, 0.0, 256.0, False, True),
    (ops_point.solarize_add, 0.0, 110.0, False, True),
    (ops_point.color, 0.1, 1.8, False, False),
    (ops_point.contrast, 0.1, 1.8, False, False),
    (ops_point.brightness, 0.1, 1.8, False, False),
    (ops_point.sharpness, 0.1, 1.8, False, False),
    (ops_affine.rotate, 0.0, 30.0, True, False),
    (ops_affine.shear_x, 0.0, 0.3, True, False),
    (ops_affine.shear_y, 0.0, 0.3, True, False),
    (ops_affine.translate_x, 0.0, 0.45, True, False),
    (ops_affine.translate_y, 0.0, 0.45, True, False),
)
MOVES = 10  # the first operation that moves pixels, linearly or by cubics


@TRANSFORMS.register_module()
class TimmRandAugment(BatchTransform):
    """Operations drawn anew for each image, each done with probability 1/2, of a strength that varies a little.

    `rand-n{num_ops}-m{magnitude}-mstd{magnitude_std}` of timm's first RandAugment, which the code of PaCo, GPaCo, NCL and BCL
    carries. It is another one than `RandAugment`, and far stronger at the same magnitude: level 10 is the highest, colours,
    contrast, brightness and sharpness gain at high levels and fade at low ones, nothing is done to solarise at level 10,
    posterising leaves 4 bits or fewer, and pixels move with linear or cubic interpolation by a fair coin.

    Source: Cubuk et al., RandAugment (NeurIPS 2020), as implemented in timm 0.1.

    Args:
        num_ops: operations drawn for an image, one after another.
        magnitude: mean level, 0 to 10.
        magnitude_std: deviation of the level, which is cut off at 0 and 10.
    """

    def __init__(self, num_ops: int = 2, magnitude: float = 10, magnitude_std: float = 0.5) -> None:
        self.num_ops = number(self, 'num_ops', num_ops, least=1, whole=True)
        self.magnitude = number(self, 'magnitude', magnitude, least=0, most=HIGHEST)
        self.magnitude_std = number(self, 'magnitude_std', magnitude_std, least=0)
        still = [row[0] for row in TABLE[:MOVES]]
        moving = [partial(row[0], cubic=cubic, fill=FILL) for cubic in (False, True) for row in TABLE[MOVES:]]
        self.functions = (*still, *moving, ops_point.identity)
        self._table = torch.tensor([row[1:] for row in TABLE], dtype=torch.float64)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        return apply_chain(images, self.functions, *self.choose(draw, images.device))

    def choose(self, draw: Draw, device: torch.device) -> tuple[Tensor, Tensor]:
        """What is done to each image: kinds int64 (B, S), places in `functions`, and magnitudes float64 (B, S)."""
        self._table = self._table.to(device)
        chosen = draw.integers(0, len(TABLE), self.num_ops, stream=0)
        lowest, gain, signed, whole = self._table[chosen].unbind(2)  # (B, S) each
        first, second = draw.uniform(2 * self.num_ops, stream=1).double().chunk(2, dim=1)
        normal = (-2 * torch.log1p(-first)).sqrt() * torch.cos(2 * math.pi * second)  # Box and Muller
        level = (self.magnitude + self.magnitude_std * normal).clamp(0, HIGHEST)
        magnitudes = lowest + gain * (level / HIGHEST)
        magnitudes = torch.where(whole.bool(), magnitudes.floor(), magnitudes)
        negative = (draw.uniform(self.num_ops, stream=2) < 0.5) & signed.bool()
        cubic = (draw.uniform(self.num_ops, stream=3) < 0.5) & (chosen >= MOVES)
        done = draw.uniform(self.num_ops, stream=4) < PROBABILITY
        kinds = torch.where(done, chosen + cubic * (len(TABLE) - MOVES), len(self.functions) - 1)
        return kinds, torch.where(negative, -magnitudes, magnitudes)
