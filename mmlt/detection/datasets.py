"""Images with objects: what all detection sets share, and COCO's and LVIS's files."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.datasets import image_files
from mmlt.datasets.decode import read_rgb
from mmlt.datasets.fingerprint import describe
from mmlt.datasets.naming import class_names
from mmlt.detection.annotation_files import LVIS_LISTS, of_classes, read_annotations
from mmlt.detection.annotations import Annotations
from mmlt.detection.batch import DetectionBatch, Target
from mmlt.detection.transforms import apply_transforms
from mmlt.errors import UserError
from mmlt.files import sha256_of
from mmlt.registry import DATASETS, TRANSFORMS


class DetectionDataset(Dataset):
    """Base of the detection sets: objects in compact arrays, an image decoded and augmented when asked for.

    Args:
        name: of the data set.
        annotations: of all images.
        masks: whether the targets hold masks.
        train_transforms: configs of transforms, each a function of (image, target), applied in this order. Their random
            numbers are a function of the draw's key alone.
        keep_empty: give out images without an object too.

    Attributes:
        places: (N,) int64, which images of the annotations these are.
        labels: (N, K) bool: the classes in each image.
        class_counts: images that hold each class, a list of K.
        notes: how the annotations were read where that is not plain, each in words.
        resident: False: the images come one by one.
        takes_keys: True: an item may be a pair (place, key of the draw).
    """

    resident = False
    takes_keys = True

    def __init__(
        self, name: str, annotations: Annotations, masks: bool, train_transforms: Sequence[dict], keep_empty: bool
    ) -> None:
        self.name, self.annotations, self.with_masks = name, annotations, masks
        self.transforms = [TRANSFORMS.build(cfg) for cfg in train_transforms]
        holds = np.diff(annotations.starts) > 0
        self.places = np.flatnonzero(holds | keep_empty)
        if len(self.places) == 0:
            raise UserError(f'the data set {name} has no image with an object.')
        self.labels = annotations.multi_hot(self.places)
        self.class_counts: list[int] = self.labels.sum(axis=0).tolist()
        self.notes: list[str] = []

    @property
    def metainfo(self) -> dict:
        """`dataset`, `classes`, `class_counts`, `num_images`, `verified`: False; and for metrics `category_ids`, `image_ids`
        and the function `ground_truth`."""
        return dict(
            dataset=self.name,
            classes=self.annotations.classes,
            class_counts=self.class_counts,
            num_images=len(self),
            category_ids=self.annotations.category_ids,
            image_ids=self.annotations.image_ids[self.places],
            ground_truth=self.ground_truth,
            verified=False,
        )

    def __len__(self) -> int:
        return len(self.places)

    @abstractmethod
    def image(self, place: int) -> Tensor:
        """Pixels of an image of the annotations, uint8 (3, H, W)."""

    @abstractmethod
    def ground_truth(self) -> dict:
        """The content of the annotation file, which metrics compare detections with."""

    @abstractmethod
    def content_sha256(self) -> str:
        """SHA-256 of the annotations."""

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, Target]:
        """Image uint8 (3, H, W) and target, see `DetectionBatch`.

        Args:
            item: place, or pair of place and key of the draw; without a key nothing is augmented.

        Raises:
            UserError: the file is missing or no picture.
        """
        place, key = item if isinstance(item, tuple) else (item, None)
        place = int(self.places[place])
        image = self.image(place)
        height, width = image.shape[1:]
        if [height, width] != self.annotations.sizes[place].tolist():
            stated = 'x'.join(map(str, self.annotations.sizes[place]))
            raise UserError(
                f'image {self.annotations.file(place)} of {self.name} has {height}x{width} pixels, its annotation says '
                f'{stated}: fetch it again.'
            )
        objects = self.annotations.objects(place)
        target = dict(
            boxes=torch.from_numpy(self.annotations.boxes[objects].copy()),
            labels=torch.from_numpy(self.annotations.labels[objects].copy()),
        )
        if self.with_masks:
            target['masks'] = torch.from_numpy(self.masks(place))
        return (image, target) if key is None else apply_transforms(self.transforms, image, target, key)

    def masks(self, place: int) -> np.ndarray:
        """Masks of the objects of an image of the annotations, uint8 (M, H, W)."""
        return self.annotations.masks(place)

    @staticmethod
    def collate(items: list) -> list:
        """Images differ in size: a batch is a list."""
        return items

    @staticmethod
    def batch(items: list[tuple[Tensor, Target]], indices: Tensor, keys: Tensor) -> DetectionBatch:
        """The batch of some items."""
        return DetectionBatch([image for image, _ in items], [target for _, target in items], indices, keys)

    def fingerprint(self) -> dict:
        """What the set is: names, counts and the hashes of its order and annotations."""
        return describe(self.name, 'natural', self.class_counts, None, self.places, self.content_sha256())


@DATASETS.register_module()
class CocoDataset(DetectionDataset):
    """Objects of a COCO annotation file, images read one by one.

    Args:
        ann_file: the JSON file, below `data_root`.
        data_root: folder of annotations and images.
        img_root: folder of the images; None for `data_root`.
        masks: whether the targets hold masks; None for yes where every object has one.
        train_transforms, keep_empty: see `DetectionDataset`.
        classes: the categories that count, by name, in the order of the labels: a list, or a file with a name a line. Others
            are left out with their objects; one that the file does not list has no object. None for all, by rising id.

    Raises:
        UserError: a file or folder is missing, the file is no annotation file, `classes` do not agree with it, or an object
            lacks the mask that is wanted.
    """

    name = 'coco'

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        img_root: str | None = None,
        masks: bool | None = None,
        train_transforms: Sequence[dict] = (),
        keep_empty: bool = False,
        classes: Sequence[str] | str | None = None,
    ) -> None:
        self.path = Path(data_root) / ann_file
        self.img_root = Path(data_root if img_root is None else img_root)
        self.classes = None if classes is None else class_names(classes, Path(data_root))
        content, notes = self._chosen()
        if not self.img_root.is_dir():
            raise UserError(f'there is no folder {self.img_root} with the images of {ann_file}: correct img_root.')
        annotations = Annotations(content, self.path)
        lacking = without_masks(annotations, self.path)
        if masks and lacking:
            raise UserError(f'{lacking}: add them, or set masks=False, for MaskRCNN alone needs them.')
        given = not lacking if masks is None else masks
        super().__init__(type(self).name, annotations, given, train_transforms, keep_empty)
        if masks is None and lacking and annotations.some_masks:  # boxes alone are nothing to speak of
            notes.append(f'{lacking}, so no mask is read')
        self.notes = notes

    def read(self) -> dict:
        """The content of the annotation file."""
        return read_annotations(self.path)

    def _chosen(self) -> tuple[dict, list[str]]:
        """The content of the wanted classes, and what that leaves out, each in words."""
        content = self.read()
        return (content, []) if self.classes is None else of_classes(content, self.classes, self.path)

    def ground_truth(self) -> dict:
        """See `DetectionDataset.ground_truth`."""
        return self._chosen()[0]

    def file(self, place: int) -> str:
        """Path of an image of the annotations."""
        return str(self.img_root / self.annotations.file(place))

    @cached_property
    def _facts(self) -> np.ndarray:
        """See `facts_of`, of the images given out."""
        return image_files.facts_of([self.file(place) for place in self.places])

    def problems(self) -> list[str]:
        """What is wrong with the files of the images, each in words: those that are missing, empty or unreadable."""
        files = [self.file(place) for place in self.places]
        said = (image_files.problem_of(file, row) for file, row in zip(files, self._facts, strict=True))
        return [f'{file} {text}' for file, text in zip(files, said, strict=True) if text]

    @cached_property
    def _sha256(self) -> str:
        sizes = self._facts[:, image_files.SIZE]
        read = image_files.read_whole(sizes)
        pixels = image_files.bytes_sha256([self.file(place) for place in self.places[read]], self._facts[read])
        chosen = '' if self.classes is None else f' {self.classes}'
        return hashlib.sha256(f'{sha256_of(self.path)} {sizes.tolist()} {pixels}{chosen}'.encode()).hexdigest()

    def content_sha256(self) -> str:
        """SHA-256 of the annotation file, of the images' sizes in bytes, of the bytes of all images or of a sample, and of
        `classes`."""
        return self._sha256

    def image(self, place: int) -> Tensor:
        """See `DetectionDataset.image`.

        Raises:
            UserError: the file is missing or no picture.
        """
        file = self.file(place)
        try:
            rgb = read_rgb(file, file)
        except FileNotFoundError:
            raise UserError(f'there is no image {file} (of {self.path}): correct img_root.') from None
        return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous()


@DATASETS.register_module()
class LVISDataset(CocoDataset):
    """Objects of an LVIS annotation file (v0.5 or v1), images read one by one from COCO's folders.

    LVIS is federated: an image says which classes were looked for and not found (`neg_category_ids`) and which were not
    marked exhaustively (`not_exhaustive_category_ids`); `LVISMetric` reads both.

    Args:
        ann_file, data_root, img_root, masks, train_transforms, keep_empty, classes: see `CocoDataset`; of v1 `img_root`
            holds COCO's `train2017` and `val2017`, of v0.5 it is one of the two.

    Raises:
        UserError: see `CocoDataset`; or the file lacks what LVIS has beyond COCO.

    Source: Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019.
    """

    name = 'lvis'

    def read(self) -> dict:
        """The content of the annotation file."""
        content = read_annotations(self.path)
        check_federated(content, self.path)
        return content


def without_masks(annotations: Annotations, source: str | Path) -> str | None:
    """How many objects have no mask, and an image of one, in words; None where all have."""
    if not annotations.without_mask:
        return None
    number, file = sum(count for _, count in annotations.without_mask), annotations.file(annotations.without_mask[0][0])
    return f'{number:,} of the {len(annotations.labels):,} objects of {source} have no mask (in {file}, for one)'


def check_federated(content: dict[str, Any], source: str | Path) -> None:
    """Refuse annotations without LVIS's lists of classes that an image does not hold or does not hold all of.

    Raises:
        UserError: an image lacks them.
    """
    for image in content['images']:
        for key in LVIS_LISTS:
            if not isinstance(image.get(key), list):
                raise UserError(f'image {image.get("id")} in {source} has no {key}: that is no LVIS file; use CocoDataset.')
