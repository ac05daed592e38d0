"""CIFAR-10 and CIFAR-100, from plain arrays or from their published archives."""

from functools import cached_property
from pathlib import Path

import numpy as np

from mmlt.datasets.archive import CIFAR10_ARCHIVE, CIFAR100_ARCHIVE, Archive, check_md5, read_split
from mmlt.datasets.arrays import ArrayFile
from mmlt.datasets.download import DownloadError, download
from mmlt.datasets.naming import own_path
from mmlt.datasets.official import official_labels, pixels_are_official
from mmlt.datasets.resident import ResidentDataset
from mmlt.errors import UserError
from mmlt.registry import DATASETS

SHAPE = (32, 32, 3)


class _CIFAR(ResidentDataset):
    """What both have in common.

    Attributes:
        subset: the rule and fingerprint that an exported subset carries; None for any other source.
    """

    archive: Archive

    def __init__(
        self, data_root: str | Path, split: str = 'train', download: bool = True, base_url: str | None = None
    ) -> None:
        if split not in ('train', 'test'):
            raise UserError(f"split of {type(self).__name__} must be 'train' or 'test', not {split!r}.")
        self.split, self.subset = split, None
        self._arrays: ArrayFile | None = None
        self._images: np.ndarray | None = None
        root = own_path(data_root, 'data_root')
        arrays = root if root.suffix == '.npz' else root / f'{split}.npz'
        if arrays.is_file():
            self._arrays = ArrayFile(arrays, len(self.classes), SHAPE)
            self.labels, self.index, self.subset = self._arrays.labels, self._arrays.index, self._arrays.subset
        elif root.suffix == '.npz':
            raise UserError(f'there is no file {root}: export it with tools/export_subset.py, or name a folder.')
        else:
            self._archive_path = self._find_archive(root, download, base_url)
            self._images, self.labels = self._read_archive()

    def _read_archive(self) -> tuple[np.ndarray, np.ndarray]:
        return read_split(self._archive_path, self.archive, self.split, len(self.classes))

    def _find_archive(self, root: Path, may_download: bool, base_url: str | None) -> Path:
        archive = self.archive
        path = root / archive.file_name
        if path.is_file():
            return path
        url = archive.url if base_url is None else f'{base_url.rstrip("/")}/{archive.file_name}'
        missing = f'there is no {archive.title} in {root} (looked for {self.split}.npz and {archive.file_name})'
        if not may_download:
            raise UserError(f'{missing}: put one of them there, {archive.file_name} from {url}, or set download=True.')
        try:
            download(url, path, lambda file: check_md5(file, archive))
        except DownloadError as error:
            raise UserError(f'{missing}, and it could not be downloaded from {url} ({error}): put {archive.file_name} '
                            'there, or connect to the network and run again.') from error
        return path

    @property
    def images(self) -> np.ndarray:
        """(N, 32, 32, 3) uint8, read when first asked for."""
        if self._images is None:
            self._images = self._read_archive()[0] if self._arrays is None else self._arrays.images()
        return self._images

    def release(self) -> None:
        """See `ResidentDataset.release`."""
        self._images = None

    @cached_property
    def verified(self) -> bool:
        """Whether the pixels are the official ones: from the published archive, or of a known hash."""
        if self._arrays is None:
            return True
        known = official_labels(self.name) if self.split == 'train' else None
        if known is not None and not np.array_equal(self.labels, known):
            return False
        return pixels_are_official(self.name, self.content_sha256(), self.split)


@DATASETS.register_module()
class CIFAR10(_CIFAR):
    """CIFAR-10: 32x32 RGB, 10 classes, 50,000 training and 10,000 test images.

    Args:
        data_root: a folder with `train.npz` / `test.npz` (images uint8 (N, 32, 32, 3), labels (N,), optionally index
            (N,): the place of each image in the official split) or `cifar-10-python.tar.gz`; or one such .npz file,
            read as the split asked for. Whatever of these is there is read, arrays first.
        split: `train` or `test`.
        download: whether to fetch the archive (163 MiB) into `data_root` where nothing is there.
        base_url: where the archive lies, instead of its own host.

    Raises:
        UserError: nothing is there and nothing can be downloaded, or the files are not what they should be.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """

    name = 'cifar10'
    archive = CIFAR10_ARCHIVE
    classes = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck')


@DATASETS.register_module()
class CIFAR100(_CIFAR):
    """CIFAR-100: 32x32 RGB, 100 classes, 50,000 training and 10,000 test images.

    Args:
        data_root: a folder with `train.npz` / `test.npz` (images uint8 (N, 32, 32, 3), labels (N,), optionally index
            (N,): the place of each image in the official split) or `cifar-100-python.tar.gz`; or one such .npz file,
            read as the split asked for. Whatever of these is there is read, arrays first.
        split: `train` or `test`.
        download: whether to fetch the archive (161 MiB) into `data_root` where nothing is there.
        base_url: where the archive lies, instead of its own host.

    Raises:
        UserError: nothing is there and nothing can be downloaded, or the files are not what they should be.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """

    name = 'cifar100'
    archive = CIFAR100_ARCHIVE
    classes = tuple('''
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
        man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
        tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    '''.split())
