"""Boxes, classes and masks of COCO's and LVIS's JSON files in compact arrays, and masks as run lengths."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.detection.library import coco_library
from mmlt.errors import UserError


class Annotations:
    """N images and M objects of K classes, as arrays that workers share.

    Args:
        content: of an annotation file, see `read_annotations`.
        source: its name, for messages.

    Attributes:
        classes: K names, by rising category id.
        category_ids: (K,) int64.
        image_ids: (N,) int64, in the order of the file.
        sizes: (N, 2) int64, height and width.
        starts: (N + 1,) int64: image i has the objects starts[i] to starts[i + 1] - 1.
        boxes: (M, 4) float32, left, upper, right and lower edge in pixels.
        labels: (M,) int64 in [0, K).
        without_mask: objects without a mask, in the order of the images: pairs of an image and their number.
        some_masks: whether any object has one.

    Raises:
        UserError: an entry lacks what it must have, or names an image or category that is not there.
    """

    def __init__(self, content: dict, source: str | Path) -> None:
        try:
            self._read(content)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f'{source} has an entry that is not as in COCO and LVIS ({type(error).__name__}: {error}): fetch it again.'
            ) from error

    def _read(self, content: dict) -> None:
        categories = sorted(content['categories'], key=lambda category: category['id'])
        self.classes = tuple(str(category['name']) for category in categories)
        self.category_ids = np.array([category['id'] for category in categories], dtype=np.int64)
        images = content['images']
        self.image_ids = np.array([image['id'] for image in images], dtype=np.int64)
        self.sizes = np.array([[image['height'], image['width']] for image in images], dtype=np.int64).reshape(-1, 2)
        self._files = np.array([file_of(image).encode() for image in images], dtype=np.bytes_)
        place_of = {image: place for place, image in enumerate(self.image_ids.tolist())}
        label_of = {category: label for label, category in enumerate(self.category_ids.tolist())}
        # A crowd is many objects in one box, which teaches nothing about one.
        kept = [one for one in content['annotations'] if not one.get('iscrowd') and min(one['bbox'][2:]) > 0]
        kept.sort(key=lambda one: place_of[one['image_id']])
        self.starts = np.searchsorted([place_of[one['image_id']] for one in kept], np.arange(len(images) + 1))
        self.labels = np.array([label_of[one['category_id']] for one in kept], dtype=np.int64)
        boxes = np.array([one['bbox'] for one in kept], dtype=np.float32).reshape(-1, 4)
        self.boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        lacking = Counter(place_of[one['image_id']] for one in kept if not one.get('segmentation'))
        self.without_mask = list(lacking.items())
        self.some_masks = lacking.total() < len(kept)
        # One block of bytes: a list of objects would be copied into every worker, page by page, as it is touched.
        texts = [json.dumps(one.get('segmentation')).encode() for one in kept]
        self._segmentations = b''.join(texts)
        self._ends = np.cumsum([len(text) for text in texts], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.image_ids)

    def file(self, image: int) -> str:
        """Path of an image's file below the folder of images."""
        return bytes(self._files[image]).decode()

    def objects(self, image: int) -> slice:
        """Where the objects of an image stand."""
        return slice(int(self.starts[image]), int(self.starts[image + 1]))

    def masks(self, image: int) -> np.ndarray:
        """The objects' masks, uint8 (M, H, W).

        Raises:
            UserError: an object has none, or it cannot be read.
        """
        height, width = self.sizes[image].tolist()
        places = range(self.starts[image], self.starts[image + 1])
        masks = np.zeros((len(places), height, width), dtype=np.uint8)
        for mask, place in zip(masks, places, strict=True):
            begin = self._ends[place - 1] if place else 0
            try:
                mask[:] = decode(json.loads(self._segmentations[begin : self._ends[place]]), height, width)
            except UserError as error:
                raise UserError(f'image {self.file(image)}: {error}') from error.__cause__
        return masks

    def multi_hot(self, images: Sequence[int] | np.ndarray) -> np.ndarray:
        """(len(images), K) bool: the classes in each image."""
        hot = np.zeros((len(self), len(self.classes)), dtype=bool)
        hot[np.repeat(np.arange(len(self)), np.diff(self.starts)), self.labels] = True
        return hot[images]


def file_of(image: dict) -> str:
    """Path of an image below the folder that holds COCO's `train2017` and `val2017`, or below the images' own folder.

    LVIS v1 names files by their address at COCO, v0.5 partly by COCO's names of 2014.
    """
    if image.get('coco_url'):  # some tools write an empty one
        return '/'.join(image['coco_url'].split('/')[-2:])
    name = image['file_name']
    return name[-16:] if name.startswith('COCO_') else name


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """A mask bool (H, W) as COCO's uncompressed run lengths: column by column, beginning with zeros."""
    flat = mask.flatten(order='F')
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    return dict(size=list(mask.shape), counts=[0, *runs] if flat[0] else runs)


def decode(segmentation: Any, height: int, width: int) -> np.ndarray:
    """A mask uint8 (H, W) from polygons, or from run lengths as a list or as COCO's text.

    Raises:
        UserError: it is none of these, or of another size.
    """
    try:
        if isinstance(segmentation, dict) and isinstance(segmentation['counts'], list):
            runs = np.asarray(segmentation['counts'])
            flat = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
            return flat.reshape((height, width), order='F')
        if not segmentation:
            raise ValueError('an object has no mask')
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'a segmentation cannot be read ({type(error).__name__}: {error}): fetch the file again.') from error
    library = coco_library().core.mask
    try:
        mask = np.asarray(library.decode(library.segmToRle(segmentation, width, height)))
        return mask.reshape(height, width)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f'a segmentation cannot be read ({type(error).__name__}: {error}): fetch the file again.') from error
