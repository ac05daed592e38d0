"""What canvases are made of: sets of sprites, and how often each class stands on them."""

import numpy as np

from mmlt.datasets.canvases import Sprites
from mmlt.datasets.digits import Digits

TINTS = {'warm': (255, 165, 70), 'cold': (80, 170, 255)}
# Pictures of the classes from the most frequent to the rarest: by LVIS's rule 7 frequent, 7 common and 6 rare ones.
LONG_TAIL = (200, 180, 160, 150, 140, 130, 120, 90, 70, 50, 40, 30, 20, 14, 10, 8, 6, 5, 4, 3)
STRIDE = 3  # prime to 20: digits and tints are spread over the ranking


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


def long_tailed_counts() -> list[int]:
    """Training pictures of each of the 20 classes of `tinted_digits`."""
    counts = [0] * len(LONG_TAIL)
    for rank, count in enumerate(LONG_TAIL):
        counts[STRIDE * rank % len(LONG_TAIL)] = count
    return counts
