"""Random brightness, contrast, saturation and hue."""

import torch
from torch import Tensor

from mmlt.datasets.transforms import ops_point
from mmlt.datasets.transforms.base import BatchTransform, check_probability
from mmlt.datasets.transforms.operations import apply_chain
from mmlt.datasets.transforms.ops_hue import hue as turn_hue
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ColorJitter(BatchTransform):
    """Change brightness, contrast, saturation and hue of an image, in an order drawn for it.

    Each factor is uniform in [max(0, 1 - strength), 1 + strength]; the hue turns by uniform [-hue, hue] of the circle.
    A strength of 0 leaves its property alone.

    Source: the augmentation of MoCo v2 (Chen et al., 2020), with torchvision's meaning of the strengths.

    Args:
        brightness: strength, 0 or more.
        contrast: strength, 0 or more.
        saturation: strength, 0 or more.
        hue: largest turn, 0 to 0.5.
        probability: how often an image is changed at all.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
        probability: float = 1.0,
    ) -> None:
        strengths = dict(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)
        for name, strength in strengths.items():
            if strength < 0 or (name == 'hue' and strength > 0.5):
                wanted = 'a number from 0 to 0.5' if name == 'hue' else '0 or more'
                raise UserError(f'ColorJitter has {name}={strength}; give {wanted}.')
        functions = (ops_point.brightness, ops_point.contrast, ops_point.color, turn_hue)
        lows = (*(max(0.0, 1.0 - strength) for strength in (brightness, contrast, saturation)), -hue)
        highs = (1.0 + brightness, 1.0 + contrast, 1.0 + saturation, hue)
        kept = [place for place, strength in enumerate(strengths.values()) if strength > 0]
        self.functions = (*(functions[place] for place in kept), ops_point.identity)
        self.ranges = torch.tensor([(lows[place], highs[place]) for place in kept], dtype=torch.float64).view(-1, 2)
        self.probability = check_probability('the probability of ColorJitter', probability)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        return apply_chain(images, self.functions, *self.choose(draw, images.device))

    def choose(self, draw: Draw, device: torch.device) -> tuple[Tensor, Tensor]:
        """What is done to each image: kinds int64 (B, S), places in `functions`, and magnitudes float64 (B, S)."""
        self.ranges = self.ranges.to(device)
        count = len(self.ranges)
        kinds = draw.uniform(count, stream=0).argsort(dim=1)
        low, high = self.ranges[kinds].unbind(2)
        magnitudes = low + (high - low) * draw.uniform(count, stream=1)
        changed = draw.uniform(1, stream=2) < self.probability
        return torch.where(changed, kinds, count), magnitudes
