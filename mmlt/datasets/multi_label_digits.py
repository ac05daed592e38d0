"""The embedded example of images with several labels: digits in two colours, two to four on a canvas, long-tailed."""

import numpy as np

from mmlt.arguments import number
from mmlt.datasets.canvases import draw_canvases
from mmlt.datasets.resident import ResidentDataset
from mmlt.datasets.sprites import digit_counts, tinted_digits
from mmlt.errors import UserError
from mmlt.registry import DATASETS

SIDE = 32
SCALE = (1.0, 1.5)  # of the digits' 8 pixels
IMAGES = {'train': 500, 'test': 400}
TEST_A_CLASS = 60
SPARSE = 0.4  # of each class's pictures, in the half of the pictures with fewer digits


@DATASETS.register_module()
class MultiLabelDigits(ResidentDataset):
    """Pictures of 32x32 pixels with two to four of scikit-learn's digits, warm or cold: 20 classes, no class twice on one.

    `train` has 500 pictures, 200 with the most frequent class and 3 with the rarest (`mmlt.datasets.sprites.DIGIT_TAIL`);
    `test` has 400, 60 of each class, of digits that `train` does not have.

    Args:
        split: `train` or `test`.
        seed: of everything drawn.

    Raises:
        UserError: another split.
    """

    name = 'multi-label-digits'
    verified = True  # they are made here

    def __init__(self, split: str = 'train', seed: int = 0) -> None:
        if split not in IMAGES:
            raise UserError(f"split of MultiLabelDigits must be 'train' or 'test', not {split!r}.")
        sprites = tinted_digits(split)
        counts = digit_counts() if split == 'train' else [TEST_A_CLASS] * len(sprites.classes)
        seed = number(self, 'seed', seed, least=0, most=2**30 - 1, whole=True)
        few = [int(SPARSE * count) for count in counts]  # two or three digits a picture; the others three or four
        halves = [
            draw_canvases(sprites, part, IMAGES[split] // 2, SIDE, scale=SCALE, seed=4 * seed + 2 * (split == 'test') + half)
            for half, part in enumerate([few, [count - own for count, own in zip(counts, few, strict=True)]])
        ]
        self.classes = sprites.classes
        self._images = np.concatenate([half.images for half in halves])
        self.labels = np.concatenate([half.multi_hot for half in halves]).astype(np.float32)

    @property
    def images(self) -> np.ndarray:
        """(N, 32, 32, 3) uint8."""
        return self._images
