"""mmpretrain's data sets with their pipelines, as mmlt's loaders take them."""

import copy
import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.datasets.fingerprint import describe
from mmlt.errors import UserError, reason
from mmlt.registry import DATASETS


def build_dataset(cfg: dict) -> Any:
    """Build a data set from its config; one of mmpretrain, or several joined by MMEngine, behind `MMPretrainDataset`.

    Raises:
        UserError: it is one of mmpretrain's and cannot be built.
    """
    kind = DATASETS.get(cfg['type'])
    if kind.__module__.partition('.')[0] not in ('mmpretrain', 'mmengine'):
        return DATASETS.build(cfg)
    for part in cfg.get('datasets', ()):
        if DATASETS.get(part['type']).__module__.startswith('mmlt.'):
            raise UserError(
                f"{cfg['type']} joins data sets of mmpretrain, and {part['type']} is mmlt's (of two of a name, write "
                "type='mmpretrain.NAME'): name the images of all in the list of one ImageList."
            )
    try:
        # In its own scope: `RandomCrop` in its pipeline is mmpretrain's, for one image.
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            return MMPretrainDataset(DATASETS.build(cfg))
    except UserError:
        raise
    except Exception as error:  # missing files, a failed download, a transform that is not known
        raise UserError(f"the data set {cfg['type']} cannot be built ({reason(error)}): correct its config.") from error


class MMPretrainDataset(Dataset):
    """A data set of mmpretrain: its pipeline makes each image, in a loader's worker.

    The pipeline's random numbers (NumPy's, Python's and torch's) follow from the key of the draw, so that a run draws alike
    with any number of workers and after a resume. Images are RGB: what mmpretrain reads from a file is BGR.

    Args:
        dataset: the data set, of one label an image.

    Attributes:
        labels: (N,) int64.
        resident: False: the images come one by one.
        takes_keys: True: an item may be a pair (place, key of the draw).

    Raises:
        UserError: no data set of mmpretrain, images without one label each, or joined sets of which some are RGB, others BGR.
    """

    resident = False
    takes_keys = True

    def __init__(self, dataset: BaseDataset | ConcatDataset) -> None:
        self.dataset, self.name = dataset, type(dataset).__name__
        parts = _simple(dataset)
        if not all(isinstance(part, BaseDataset) for part in parts):
            raise UserError(f'{self.name} is no data set with a label an image: use a data set of mmlt or mmpretrain.')
        dataset.full_init()
        orders = {_ends_in_bgr(part.pipeline.transforms) for part in parts}
        if len(orders) > 1:
            raise UserError(f'{self.name} joins sets read from files with sets of arrays: give both the same pipeline.')
        self.bgr = orders.pop()
        try:
            labels = [int(self._info(place)['gt_label']) for place in range(len(dataset))]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f'the data set {self.name} gives no single label for each image.') from error
        self.labels = np.array(labels, dtype=np.int64)
        names = dataset.metainfo.get('classes') or map(str, range(int(self.labels.max()) + 1))
        self.classes = tuple(map(str, names))
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            place = int(np.flatnonzero((self.labels < 0) | (self.labels >= len(self.classes)))[0])
            raise UserError(
                f'image {place} of {self.name} has the label {self.labels[place]}, and the labels of its {len(self.classes)} '
                f'classes are 0 to {len(self.classes) - 1}: correct the list, or metainfo.classes.'
            )
        for part in _simple(dataset):
            part.max_refetch = 0  # MMEngine draws another image for one that its pipeline drops

    def _info(self, place: int) -> dict:
        return self.dataset.get_data_info(place)

    @property
    def class_counts(self) -> list[int]:
        """Images of each class."""
        return np.bincount(self.labels, minlength=len(self.classes)).tolist()

    @property
    def metainfo(self) -> dict:
        """`dataset`, `classes`, `class_counts`, and `verified`: False, for no pixel is checked."""
        return dict(dataset=self.name, classes=self.classes, class_counts=self.class_counts, verified=False)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, int]:
        """Image uint8 (C, H, W), RGB, and label.

        Args:
            item: place, or pair of place and key of the draw (see `Batch.keys`).

        Raises:
            UserError: the image cannot be read, or the pipeline gives something else.
        """
        place, key = item if isinstance(item, tuple) else (item, item)
        try:
            with seeded(key):
                sample = self.dataset[place]
        except Exception as error:  # a missing file, a transform that fails
            raise UserError(f'image {place} of {self.name} does not pass its pipeline ({reason(error)}).') from error
        image = sample.get('inputs', sample.get('img'))  # with and without PackInputs
        if isinstance(image, np.ndarray):
            image = torch.from_numpy(image).permute(2, 0, 1)
        if not isinstance(image, Tensor) or image.dtype != torch.uint8 or image.dim() != 3:
            raise UserError(
                f'the pipeline of {self.name} must end in one uint8 image: leave Normalize out, data_preprocessor normalises.'
            )
        return (image.flip(0) if self.bgr else image).contiguous(), int(self.labels[place])

    def as_tested_by(self, test: 'MMPretrainDataset | None') -> 'MMPretrainDataset':
        """The same images through the pipeline of a test set: this set's own may draw at random.

        Args:
            test: the test set, of which the first counts where several are joined.

        Raises:
            UserError: there is none.
        """
        if test is None:
            raise UserError(
                f'how images of {self.name} are tested is said by the pipeline of a test set of mmpretrain, and the test set '
                'here is none: read both with mmpretrain, or both with ImageFolder or ImageList.'
            )
        first = test.dataset
        while isinstance(first, ConcatDataset):
            first = first.datasets[0]
        other = copy.copy(self)
        other.dataset, other.bgr = _through(self.dataset, first.pipeline), test.bgr
        return other

    def files(self, places: np.ndarray) -> list[str]:
        """The image files at (M,) places; none of a set of arrays."""
        infos = map(self._info, places.tolist())
        return [info['img_path'] for info in infos if 'img_path' in info]

    def content_sha256(self, indices: np.ndarray | None = None) -> str:
        """SHA-256 over the images' paths below their folder, or their pixels where they have none, and labels."""
        digest = hashlib.sha256()
        for place in (range(len(self)) if indices is None else indices.tolist()):
            info = self._info(place)
            if 'img_path' in info:
                root = getattr(self.dataset, 'img_prefix', '') or getattr(self.dataset, 'data_root', '') or '.'
                digest.update(os.path.relpath(info['img_path'], root).encode('utf-8', 'surrogateescape'))
            else:
                digest.update(np.ascontiguousarray(info['img']))
            digest.update(f' {self.labels[place]}\n'.encode())
        return digest.hexdigest()

    @cached_property
    def _content(self) -> str:
        return self.content_sha256()

    def fingerprint(self) -> dict:
        """What the set is: names, counts and the hashes of its order and list."""
        return describe(self.name, 'natural', self.class_counts, None, np.arange(len(self)), self._content)


def _simple(dataset: BaseDataset | ConcatDataset) -> list[BaseDataset]:
    """The sets that a set is joined of, or itself."""
    if isinstance(dataset, ConcatDataset):
        return [one for part in dataset.datasets for one in _simple(part)]
    return [dataset]


def _through(dataset: BaseDataset | ConcatDataset, pipeline: Any) -> BaseDataset | ConcatDataset:
    other = copy.copy(dataset)
    if isinstance(dataset, ConcatDataset):
        other.datasets = [_through(part, pipeline) for part in dataset.datasets]
    else:
        other.pipeline = pipeline
    return other


@contextmanager
def seeded(key: int) -> Iterator[None]:
    """Random numbers of NumPy, Python and torch that follow from a key; the streams before are put back."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.default_generator.manual_seed(int(words[2]))
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def _ends_in_bgr(transforms: list) -> bool:
    """Whether a pipeline's last image is in the order of OpenCV."""
    bgr = False
    for transform in transforms:
        name = type(transform).__name__
        if name == 'LoadImageFromFile':
            bgr = True
        elif name == 'NumpyToPIL' and transform.to_rgb:
            bgr = False
        elif name == 'PILToNumpy' and transform.to_bgr:
            bgr = True
    return bgr
