"""Facts about the official CIFAR sets: label sequences and hashes of pixels.

`official_labels.npz` holds the labels of the 50,000 training images of each set in the official order (that of the
published archives). With them any subset's index list is the official one, even where only its own images are at hand.
"""

from functools import cache
from importlib.resources import files

import numpy as np

# SHA-256 of official uint8 NHWC pixels: a whole split in its own order ...
SPLIT_PIXELS = {
    ('cifar100', 'train'): '4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430',
    ('cifar100', 'test'): '4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19',
}
# ... and the subsets of profile `exp`, protocol `cao`, seed 0, in the order of their index lists.
SUBSET_PIXELS = {
    'cifar100': {
        10: 'cf89ba8e759f771d3308eb4f86b324edc26a9c8bc44436ae60cc7c4cc2855f4d',
        20: '92f926ff6c86cddfcd5fcbfd9a6c5c5f3e194bf65614a89278c602723bf1ec56',
        50: 'd6c90941f0df740ce7f8b3a07f30d1bde55fe94edd983a358c9341be06421d00',
        100: '85a4cf2fa0d08ccc5f855eb51a96abfeda4a5b8204f8430df31e41c9c8bdaf35',
        200: '2702f684b16ea29450c132f8357daaeb723d5faa74291c6331988e08a63123aa',
    },
}


@cache
def official_labels(dataset: str) -> np.ndarray | None:
    """Labels of the official training split, int64 (50000,), read-only; None where they are not known.

    Args:
        dataset: `cifar10` or `cifar100`; any other name is not known.
    """
    with files('mmlt.datasets').joinpath('official_labels.npz').open('rb') as file, np.load(file) as known:
        if dataset not in known:
            return None
        labels = known[dataset].astype(np.int64)
    labels.setflags(write=False)
    return labels


def pixels_are_official(dataset: str, content_sha256: str, split: str | None = None) -> bool:
    """Whether pixels of this hash are known to be the official ones.

    Args:
        dataset: name of the data set.
        content_sha256: of the uint8 NHWC pixels.
        split: the split they are all of; None for a subset of the training split.
    """
    if split is not None:
        return SPLIT_PIXELS.get((dataset, split)) == content_sha256
    return content_sha256 in SUBSET_PIXELS.get(dataset, {}).values()
