"""Sizes, modes and formats of the images, and labels of images with several, in numbers."""

from collections import Counter

import numpy as np

from mmlt.analysis.diagnosis.findings import Diagnosis


def size_rows(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """What there is to say of the pixels of the readable images."""
    scan = diagnosis.scan
    rows = np.flatnonzero(scan.usable)
    if not len(rows):
        return []
    width, height = scan.widths[rows], scan.heights[rows]
    short = np.minimum(width, height)
    low, middle, high = np.percentile(short, [5, 50, 95])
    common = Counter(zip(width.tolist(), height.tolist(), strict=True)).most_common(3)
    ratio = width / height
    wide, tall = (ratio > 1.05).mean(), (ratio < 0.95).mean()
    return [
        ('shorter side', f'{middle:g} px (median); 5 % below {low:g}, 5 % above {high:g}; {short.min()} to {short.max()}'),
        ('commonest sizes', ', '.join(f'{w} x {h} ({count:,})' for (w, h), count in common)),
        ('shape', _shares(wide=wide, high=tall, square=1 - wide - tall)),
        ('modes', _counted(scan.modes[rows])),
        ('formats', _counted(scan.formats[rows])),
        ('files', f'{_bytes(float(np.median(scan.sizes[rows])))} (median), {_bytes(float(scan.sizes[rows].sum()))} together'),
    ]


def short_side(diagnosis: Diagnosis) -> int:
    """Median of the shorter side of the readable images, in pixels; 0 where there is none."""
    scan = diagnosis.scan
    short = np.minimum(scan.widths, scan.heights)[scan.usable]
    return int(np.median(short)) if len(short) else 0


def labels_an_image(diagnosis: Diagnosis) -> list[tuple[int, int]]:
    """Number of labels -> images with so many, of images with several labels."""
    counted = Counter(diagnosis.table.labels[diagnosis.scan.usable].sum(axis=1).astype(int).tolist())
    return sorted(counted.items())


def shown_together(diagnosis: Diagnosis, most: int = 15) -> list[tuple[str, str, int, float]]:
    """Pairs of labels that images show together: names, images, and how many times more often than by chance.

    Args:
        diagnosis: of images with several labels.
        most: pairs.
    """
    labels = diagnosis.table.labels[diagnosis.scan.usable].astype(np.float64)
    both = labels.T @ labels
    alone = np.diag(both)
    pairs = np.stack(np.triu_indices(len(both), 1), axis=1)
    counts = both[pairs[:, 0], pairs[:, 1]]
    order = np.argsort(-counts, kind='stable')[:most]
    names = diagnosis.table.classes
    return [
        (names[i], names[j], int(count), float(count * len(labels) / (alone[i] * alone[j])))
        for (i, j), count in zip(pairs[order].tolist(), counts[order], strict=True)
        if count
    ]


def _shares(**shares: float) -> str:
    return ', '.join(f'{share:.0%} {name}' for name, share in shares.items() if share >= 0.005)


def _counted(values: np.ndarray) -> str:
    return ', '.join(f'{value} ({count:,})' for value, count in Counter(values.tolist()).most_common())


def _bytes(size: float) -> str:
    for unit in ('B', 'kB', 'MB', 'GB'):
        if size < 1000 or unit == 'GB':
            return f'{size:.3g} {unit}'
        size /= 1000
    raise AssertionError
