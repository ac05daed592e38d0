"""What canvases are made of: sets of sprites, and how often each class stands on them."""

from pathlib import Path

import numpy as np

from mmlt.datasets.canvases import Sprites
from mmlt.datasets.digits import Digits
from mmlt.errors import UserError

TINTS = {'warm': (255, 165, 70), 'cold': (80, 170, 255)}
# Pictures of the classes of digits from the most frequent to the rarest: by LVIS's rule 7 frequent, 7 common, 6 rare.
DIGIT_TAIL = (200, 180, 160, 150, 140, 130, 120, 90, 70, 50, 40, 30, 20, 14, 10, 8, 6, 5, 4, 3)
STRIDE = 3  # prime to 20: digits and tints are spread over the ranking
SIGNS = 43


def tinted_digits(split: str) -> Sprites:
    """The digits of scikit-learn in two colours, 20 classes: `warm 0` to `warm 9`, `cold 0` to `cold 9`.

    Args:
        split: `train` or `test`, as in `Digits`; the two share no digit.
    """
    digits = Digits(split)
    ink = digits.images[..., 0]  # (S, 8, 8)
    # The digits are drawn edge to edge; a rim lets their strokes end softly when they are enlarged.
    opacity = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    pixels = [np.broadcast_to(np.array(tint, dtype=np.uint8), (*opacity.shape, 3)) for tint in TINTS.values()]
    return Sprites(
        np.concatenate(pixels),
        np.concatenate([opacity] * len(TINTS)),
        np.concatenate([digits.labels + 10 * place for place in range(len(TINTS))]),
        tuple(f'{tint} {digit}' for tint in TINTS for digit in digits.classes),
    )


def digit_counts() -> list[int]:
    """Training pictures of each of the 20 classes of `tinted_digits`."""
    counts = [0] * len(DIGIT_TAIL)
    for rank, count in enumerate(DIGIT_TAIL):
        counts[STRIDE * rank % len(DIGIT_TAIL)] = count
    return counts


def traffic_signs(split: str, data_root: str | Path) -> Sprites:
    """The traffic signs of GTSRB, 43 classes called by their numbers, cut out round.

    Args:
        split: `train` or `test`.
        data_root: folder of `train.npz` and `test.npz`, each `images` uint8 (S, 32, 32, 3) and `labels` (S,).

    Raises:
        UserError: the file is not there, or holds something else.

    Source: Stallkamp et al., Man vs. computer: Benchmarking machine learning algorithms for traffic sign recognition, 2012.
    """
    path = Path(data_root) / f'{split}.npz'
    if not path.is_file():
        raise UserError(f'there are no traffic signs {path}: put train.npz and test.npz of GTSRB there, or correct data_root.')
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file['images'], file['labels'].astype(np.int64)
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f'{path} cannot be read as arrays images and labels ({error}): make it again.') from error
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels) or set(labels) != set(range(SIGNS)):
        raise UserError(f'{path} must hold images uint8 (S, H, W, 3) and labels of all {SIGNS} classes.')
    height, width = images.shape[1:3]
    down, across = ((2 * np.arange(length) + 1) / length - 1 for length in (height, width))  # of the pixels' middles
    disc = np.hypot(down[:, None], across) <= 1
    opacity = np.broadcast_to((255 * disc).astype(np.uint8), images.shape[:3])
    return Sprites(images, opacity, labels, tuple(str(c) for c in range(SIGNS)))


def sign_counts() -> list[int]:
    """Training pictures of each of the 43 signs: from 150 down to 3 by a constant factor; by LVIS's rule 5 classes are
    frequent, 24 common and 14 rare."""
    return [round(150 * (3 / 150) ** (c / (SIGNS - 1))) for c in range(SIGNS)]
