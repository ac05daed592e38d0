"""The numbers of all ranks side by side, each image once."""

import numpy as np
import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor

from mmlt.errors import UserError


def gather_columns(integers: Tensor, floats: Tensor, number: int, collect_device: str = 'cpu') -> tuple[Tensor, Tensor, int]:
    """The columns of all ranks side by side, in CPU memory, and the largest of their numbers.

    Args:
        integers: int64 (R, n), one column an image; ranks may hold different n, or none.
        floats: float (S, n).
        number: the same on every rank that holds an image, 0 on the others.
        collect_device: 'cpu' or 'gpu', where the columns are gathered.

    Returns:
        (R, N), (S, N) and the number.
    """
    if collect_device == 'cpu':
        integers, floats = integers.cpu(), floats.cpu()
    if get_world_size() > 1:
        header = torch.tensor([integers.shape[1], number], device=integers.device)
        headers = torch.stack(all_gather(header)).tolist()
        number = max(one for _, one in headers)
        integers, floats = (_gather_padded(values, [n for n, _ in headers]) for values in (integers, floats))
    return integers.cpu(), floats.cpu(), number


def distinct_images(indices: Tensor, size: int) -> np.ndarray:
    """Where each image of the test set stands first, in the order of the test set: (size,).

    What is summed in this order does not depend on the number of ranks or the batch size.

    Args:
        indices: int64 (N,), places in the test set; a distributed sampler may have drawn some twice.
        size: images in the test set.

    Raises:
        UserError: some image was not seen.
    """
    _, first = np.unique(indices.numpy(), return_index=True)
    if len(first) != size:
        raise UserError(
            f'{len(first)} distinct test images were evaluated, but the test set has {size}: use a '
            'test sampler that gives every image, and indices that number them.'
        )
    return first


def _gather_padded(values: Tensor, lengths: list[int]) -> Tensor:
    padded = values.new_zeros(values.shape[0], max(lengths))  # ranks must send equal shapes
    padded[:, : values.shape[1]] = values
    parts = zip(all_gather(padded), lengths, strict=True)
    return torch.cat([part[:, :n] for part, n in parts], dim=1)
