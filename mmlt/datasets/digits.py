"""The handwritten digits that come with scikit-learn: real images without a download."""

import numpy as np

from mmlt.datasets.resident import ResidentDataset
from mmlt.errors import UserError
from mmlt.registry import DATASETS

TEST_A_CLASS = 50
TRAIN_A_CLASS = 124  # the smallest class has 174 images


@DATASETS.register_module()
class Digits(ResidentDataset):
    """1,797 handwritten digits of 8x8 pixels, in 10 classes, three equal channels, grey values 0..16 scaled to 0..255.

    `test` is the last 50 images of each class in the order of scikit-learn's file, `train` the first 124 of each class;
    both keep the file's order, and both are balanced. The images between them are not used.

    Args:
        split: `train` (1,240 images) or `test` (500).

    Raises:
        UserError: another split.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI machine learning repository, 1998.
    """

    name = 'digits'
    classes = tuple('0123456789')
    verified = True  # they come with a package

    def __init__(self, split: str = 'train') -> None:
        from sklearn.datasets import load_digits  # takes a second

        if split not in ('train', 'test'):
            raise UserError(f"split of Digits must be 'train' or 'test', not {split!r}.")
        source = load_digits()
        labels = source.target.astype(np.int64)
        members = [np.flatnonzero(labels == c) for c in range(10)]
        places = [m[:TRAIN_A_CLASS] if split == 'train' else m[-TEST_A_CLASS:] for m in members]
        chosen = np.sort(np.concatenate(places))
        grey = np.rint(source.images[chosen] * (255 / 16)).astype(np.uint8)  # (N, 8, 8)
        self._images = np.repeat(grey[..., None], 3, axis=3)
        self.labels = labels[chosen]

    @property
    def images(self) -> np.ndarray:
        """(N, 8, 8, 3) uint8."""
        return self._images
