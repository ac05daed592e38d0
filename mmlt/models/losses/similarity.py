"""What contrastive losses compare: scaled dot products, and which keys of a row count."""

import torch
from torch import Tensor

from mmlt.models.losses.inputs import widen


def similarities(anchors: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Dot products of unit vectors over a temperature, float32 or wider, also where autocast is on.

    A low temperature multiplies the rounding of half precision: in bfloat16 cosines are known to about 1 in 256, which
    at a temperature of 0.05 is a factor of 1.08 in the exponential.

    Args:
        anchors: (B, D).
        keys: (M, D).
        temperature: more than 0.

    Returns:
        (B, M).

    Raises:
        ValueError: `temperature` is not more than 0.
    """
    if not temperature > 0:
        raise ValueError(f'temperature must be more than 0, got {temperature}.')
    with torch.autocast(anchors.device.type, enabled=False):
        return widen(anchors) @ widen(keys).mT / temperature


def counted_keys(key_labels: Tensor, num_anchors: int) -> Tensor:
    """Which keys stand in an anchor's row, bool (B, M); the first B keys are the anchors themselves.

    No anchor is its own key, and a key with the label -1 (a place of a queue that holds nothing yet) is none.

    Args:
        key_labels: int64 (M,).
        num_anchors: B, at most M.
    """
    counted = (key_labels >= 0).repeat(num_anchors, 1)
    return counted.fill_diagonal_(False)
