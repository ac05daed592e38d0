"""The embedded examples: generated canvases in LVIS's format, held in memory or written as files."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmlt.datasets.canvases import Canvases, Sprites, draw_canvases
from mmlt.datasets.sprites import digit_counts, sign_counts, tinted_digits, traffic_signs
from mmlt.detection.annotations import Annotations, run_lengths
from mmlt.detection.datasets import DetectionDataset
from mmlt.detection.metric import FREQUENCIES
from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.priors import shot_groups
from mmlt.registry import DATASETS

SPLITS = ('train', 'test')


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


class CanvasDataset(DetectionDataset):
    """Base of the generated sets: a long tail of classes for training, equally many of each for testing.

    Args:
        split: `train` or `test`.
        seed: of the canvases.
        masks, train_transforms: see `DetectionDataset`.

    Attributes:
        counts: training pictures of each class; a subclass sets it, and the four below.
        num_images: canvases of `train` and of `test`.
        test_a_class: test canvases of each class.
        side: of a canvas, in pixels.
        scale: smallest and largest enlargement of a sprite.

    Raises:
        UserError: another split.
    """

    counts: list[int]
    num_images: dict[str, int]
    test_a_class: int
    side = 64
    scale = (1.5, 3.0)

    def __init__(self, split: str = 'train', seed: int = 0, masks: bool = True, train_transforms: Sequence[dict] = ()) -> None:
        self.canvases = self.draw(split, seed)
        self._content = lvis_content(self.canvases, self.counts)
        annotations = Annotations(self._content, 'the canvases')
        super().__init__(self.name, annotations, masks, train_transforms, keep_empty=False)

    def sprites(self, split: str) -> Sprites:
        """What is pasted."""
        raise NotImplementedError

    def draw(self, split: str, seed: int) -> Canvases:
        """The canvases of a split."""
        if split not in SPLITS:
            raise UserError(f"split must be 'train' or 'test', not {split!r}.")
        counts = self.counts if split == 'train' else [self.test_a_class] * len(self.counts)
        return draw_canvases(
            self.sprites(split),
            counts,
            self.num_images[split],
            self.side,
            scale=self.scale,
            seed=len(SPLITS) * seed + SPLITS.index(split),
        )

    def image(self, place: int) -> Tensor:
        """See `DetectionDataset.image`."""
        return torch.from_numpy(self.canvases.images[place]).permute(2, 0, 1).contiguous()

    def ground_truth(self) -> dict:
        """See `DetectionDataset.ground_truth`."""
        return self._content

    def content_sha256(self) -> str:
        """SHA-256 of pixels, boxes and classes."""
        digest = hashlib.sha256(np.ascontiguousarray(self.canvases.images))
        for part in (self.annotations.boxes, self.annotations.labels, self.annotations.starts):
            digest.update(np.ascontiguousarray(part))
        return digest.hexdigest()

    def write(self, root: str | Path, split: str) -> Path:
        """Write the set as LVIS has it: `<split>.json`, and the pictures in the folder `<split>`.

        Returns:
            The annotation file.
        """
        folder = Path(root) / split
        folder.mkdir(parents=True, exist_ok=True)
        images = [{**image, 'file_name': f'{split}/{image["file_name"]}'} for image in self._content['images']]
        for image, pixels in zip(images, self.canvases.images, strict=True):
            Image.fromarray(pixels).save(Path(root) / image['file_name'])
        return atomic_write(Path(root) / f'{split}.json', json.dumps({**self._content, 'images': images}))


@DATASETS.register_module()
class DigitCanvases(CanvasDataset):
    """Digits of scikit-learn in two colours on canvases of 64 pixels, 20 classes in a long tail, in LVIS's format.

    `train` has 480 canvases with 200 to 3 of each class, by LVIS's rule 7 frequent, 7 common and 6 rare classes; `test`
    has 270 with 40 of each class, of other digits. Nothing is read or written; `tools/draw_canvases.py` writes the same as
    files.

    Args:
        split, seed, masks, train_transforms: see `CanvasDataset`.
    """

    name = 'digit_canvases'
    counts = digit_counts()
    num_images = dict(train=480, test=270)
    test_a_class = 40

    def sprites(self, split: str) -> Sprites:
        """See `CanvasDataset.sprites`."""
        return tinted_digits(split)


@DATASETS.register_module()
class SignCanvases(CanvasDataset):
    """Traffic signs of GTSRB on canvases of 96 pixels, 43 classes in a long tail, in LVIS's format.

    `train` has 560 canvases with 150 to 3 of each class, by LVIS's rule 5 frequent, 24 common and 14 rare classes; `test`
    has 290 with 20 of each class, of other photographs.

    Args:
        data_root: folder of GTSRB's `train.npz` and `test.npz`.
        split, seed, masks, train_transforms: see `CanvasDataset`.
    """

    name = 'sign_canvases'
    counts = sign_counts()
    num_images = dict(train=560, test=290)
    test_a_class = 20
    side = 96
    scale = (0.5, 1.0)

    def __init__(
        self,
        data_root: str = 'data/gtsrb',
        split: str = 'train',
        seed: int = 0,
        masks: bool = True,
        train_transforms: Sequence[dict] = (),
    ) -> None:
        self.data_root = data_root
        super().__init__(split, seed, masks, train_transforms)

    def sprites(self, split: str) -> Sprites:
        """See `CanvasDataset.sprites`."""
        return traffic_signs(split, self.data_root)
