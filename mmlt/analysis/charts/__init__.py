"""The plots of the pages: each takes numbers and gives a figure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Series(NamedTuple):
    """A run in a plot.

    Args:
        name: in the legend.
        values: of it, what the plot takes.
    """

    name: str
    values: np.ndarray


def shortened(name: str, most: int) -> str:
    """A name of at most `most` letters."""
    return name if len(name) <= most else f'{name[: most - 1].rstrip()}…'


def segments(group_of: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges [start, stop) of neighbours in the same group."""
    cuts = [0, *(np.flatnonzero(np.diff(group_of)) + 1).tolist(), len(group_of)]
    return list(zip(cuts[:-1], cuts[1:], strict=True))


def smoothed(values: np.ndarray, group_of: np.ndarray, window: int) -> np.ndarray:
    """Centred running mean that never crosses the border of a group and leaves out NaN.

    Args:
        values: (K,) in plotting order.
        group_of: (K,) number of each class's group.
        window: odd number of classes a mean is taken over; fewer at a border.
    """
    out = np.full(len(values), np.nan)
    for start, stop in segments(group_of):
        for place in range(start, stop):
            near = values[max(start, place - window // 2) : min(stop, place + window // 2 + 1)]
            if not np.isnan(near).all():
                out[place] = np.nanmean(near)
    return out
