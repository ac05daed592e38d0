"""The embedded example: generated canvases in LVIS's format, held in memory or written as files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmlt.datasets.canvases import Canvases, draw_canvases
from mmlt.datasets.sprites import long_tailed_counts, tinted_digits
from mmlt.detection.annotations import Annotations, run_lengths
from mmlt.detection.datasets import DetectionDataset
from mmlt.detection.metric import FREQUENCIES
from mmlt.errors import UserError
from mmlt.priors import shot_groups
from mmlt.registry import DATASETS

TRAIN_CANVASES = 480
TEST_CANVASES = 270
TEST_A_CLASS = 40


def generate(split: str, seed: int = 0) -> Canvases:
    """The canvases of a split: a long tail of 20 classes on 480 for training, 40 of each class on 270 for testing.

    Raises:
        UserError: another split.
    """
    if split not in ('train', 'test'):
        raise UserError(f"split must be 'train' or 'test', not {split!r}.")
    sprites = tinted_digits(split)
    if split == 'train':
        return draw_canvases(sprites, long_tailed_counts(), TRAIN_CANVASES, seed=2 * seed)
    return draw_canvases(sprites, [TEST_A_CLASS] * len(sprites.classes), TEST_CANVASES, seed=2 * seed + 1)


def lvis_content(canvases: Canvases, train_counts: Sequence[int]) -> dict:
    """The annotation file of these canvases: LVIS's keys; every class that a canvas lacks is known to be absent.

    Args:
        canvases: N pictures.
        train_counts: (K,) training pictures that hold each class.
    """
    hot, side = canvases.multi_hot, canvases.images.shape[1]
    groups = shot_groups(train_counts, 'lvis')
    frequency = {int(c): FREQUENCIES[name] for name, members in groups.items() for c in members}
    ids = np.arange(1, len(canvases.classes) + 1)
    images = [
        dict(
            id=place + 1,
            file_name=f'{place + 1:06}.png',
            height=side,
            width=side,
            neg_category_ids=ids[~held].tolist(),
            not_exhaustive_category_ids=[],
        )
        for place, held in enumerate(hot)
    ]
    objects = zip(canvases.places.tolist(), canvases.labels.tolist(), canvases.boxes.tolist(), canvases.masks, strict=True)
    annotations = [
        dict(
            id=number,
            image_id=place + 1,
            category_id=label + 1,
            bbox=[left, top, right - left, bottom - top],
            area=int(mask.sum()),
            segmentation=run_lengths(mask),
        )
        for number, (place, label, (left, top, right, bottom), mask) in enumerate(objects, start=1)
    ]
    categories = [
        dict(id=label + 1, name=name, frequency=frequency[label], image_count=int(count))
        for label, (name, count) in enumerate(zip(canvases.classes, train_counts, strict=True))
    ]
    return dict(images=images, annotations=annotations, categories=categories)


@DATASETS.register_module()
class DigitCanvases(DetectionDataset):
    """Digits of scikit-learn in two colours on canvases of 64 pixels, 20 classes in a long tail, in LVIS's format.

    `train` has 480 canvases with 200 to 3 of each class, by LVIS's rule 7 frequent, 7 common and 6 rare classes; `test`
    has 270 with 40 of each class, of other digits. Nothing is read or written; `mmlt.detection.generated` writes the same
    as files.

    Args:
        split: `train` or `test`.
        seed: of the canvases.
        masks, train_transforms: see `DetectionDataset`.

    Raises:
        UserError: another split.
    """

    def __init__(self, split: str = 'train', seed: int = 0, masks: bool = True, train_transforms: Sequence[dict] = ()) -> None:
        canvases = generate(split, seed)
        self._content = lvis_content(canvases, long_tailed_counts())
        self._images = torch.from_numpy(canvases.images).permute(0, 3, 1, 2).contiguous()
        super().__init__('digit_canvases', Annotations(self._content, 'the canvases'), masks, train_transforms, False)

    def image(self, place: int) -> Tensor:
        """See `DetectionDataset.image`."""
        return self._images[place].clone()

    def ground_truth(self) -> dict:
        """See `DetectionDataset.ground_truth`."""
        return self._content

    def content_sha256(self) -> str:
        """SHA-256 of pixels, boxes and classes."""
        digest = hashlib.sha256(self._images.numpy())
        for part in (self.annotations.boxes, self.annotations.labels, self.annotations.starts):
            digest.update(np.ascontiguousarray(part))
        return digest.hexdigest()


def write_files(root: str | Path, seed: int = 0) -> list[Path]:
    """Write the example as LVIS has it: `train.json`, `test.json`, and the pictures in the folders `train` and `test`.

    Returns:
        The annotation files.
    """
    import json

    from mmlt.files import atomic_write

    written = []
    for split in ('train', 'test'):
        canvases = generate(split, seed)
        content = lvis_content(canvases, long_tailed_counts())
        folder = Path(root) / split
        folder.mkdir(parents=True, exist_ok=True)
        for image, pixels in zip(content['images'], canvases.images, strict=True):
            image['file_name'] = f'{split}/{image["file_name"]}'
            Image.fromarray(pixels).save(Path(root) / image['file_name'])
        written.append(atomic_write(Path(root) / f'{split}.json', json.dumps(content)))
    return written
