"""The published python archives of CIFAR: checked against their MD5, then read without running anything in them."""

import hashlib
import io
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmlt.errors import UserError


@dataclass(frozen=True)
class Archive:
    """One published archive.

    Attributes:
        title: name of the data set, as people write it.
        url: where it is published.
        md5: of the file.
        members: names inside the archive of each split, in order.
        label_key: entry of a member that holds the labels.
    """

    title: str
    url: str
    md5: str
    members: dict[str, tuple[str, ...]]
    label_key: str

    @property
    def file_name(self) -> str:
        """Name of the file."""
        return self.url.rpartition('/')[2]


CIFAR10_ARCHIVE = Archive(
    title='CIFAR-10',
    url='https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz',
    md5='c58f30108f718f92721af3b95e74349a',
    members=dict(
        train=tuple(f'cifar-10-batches-py/data_batch_{number}' for number in range(1, 6)),
        test=('cifar-10-batches-py/test_batch',),
    ),
    label_key='labels',
)
CIFAR100_ARCHIVE = Archive(
    title='CIFAR-100',
    url='https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz',
    md5='eb9058c3a382ffc7106e4002c42a8d85',
    members=dict(train=('cifar-100-python/train',), test=('cifar-100-python/test',)),
    label_key='fine_labels',
)


def md5_of(path: Path) -> str:
    """MD5 of a file, as 32 hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check_md5(path: Path, archive: Archive) -> None:
    """Refuse a file that is not the published archive.

    Raises:
        UserError: its MD5 differs (truncated, damaged or another file), or it cannot be read.
    """
    try:
        found = md5_of(path)
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror or error}).') from error
    if found != archive.md5:
        raise UserError(f'{path} is not the published archive of {archive.title} (MD5 {found}, expected '
                        f'{archive.md5}): delete it, then run again to download it, or put the right file there.')


def read_split(path: Path, archive: Archive, split: str, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one split, in the official order; nothing is unpacked onto the disk.

    Args:
        path: the archive's file.
        archive: what it must be.
        split: `train` or `test`.
        num_classes: labels must be in [0, num_classes).

    Returns:
        Images uint8 (N, 32, 32, 3) and labels int64 (N,).

    Raises:
        UserError: not the published archive, or not the content that one has.
    """
    check_md5(path, archive)
    rows, labels = [], []
    try:
        with tarfile.open(path, mode='r:gz') as tar:
            for name in archive.members[split]:
                member = tar.extractfile(name)
                if member is None:
                    raise ValueError(f'{name} is not a file')
                batch = load_batch(member.read(), archive.label_key, num_classes)
                rows.append(batch[0])
                labels.append(batch[1])
    except (tarfile.TarError, pickle.UnpicklingError, zlib.error, OSError, EOFError, ValueError, KeyError) as error:
        raise UserError(f'{path} cannot be read as {archive.title} ({error}): delete it and run again.') from error
    images = np.concatenate(rows).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.concatenate(labels)


def load_batch(content: bytes, label_key: str, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3072), a channel after the other, and labels int64 (N,) of one pickled batch.

    Raises:
        pickle.UnpicklingError: it asks for anything but a NumPy array.
        ValueError: it does not hold what a batch holds.
    """
    try:
        batch = ArraysOnly(io.BytesIO(content), encoding='latin1').load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle may fail in any way
        raise ValueError(f'a damaged batch: {error}') from error
    if not isinstance(batch, dict) or 'data' not in batch or label_key not in batch:
        raise ValueError(f'a batch without data and {label_key}')
    pixels, labels = batch['data'], np.asarray(batch[label_key])
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
        raise ValueError('pixels that are not uint8 (N, 3072)')
    if labels.shape != (len(pixels),) or labels.dtype.kind not in 'iu':
        raise ValueError('labels that are not one whole number an image')
    if len(labels) and not (0 <= labels.min() and labels.max() < num_classes):
        raise ValueError(f'labels outside 0 to {num_classes - 1}')
    return pixels, labels.astype(np.int64)


def _latin1(text: str, encoding: str) -> bytes:
    # Python 3 writes bytes of an old pickle protocol as text plus this call.
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it asks for the encoding {encoding!r}')
    return text.encode('latin1')


class ArraysOnly(pickle.Unpickler):
    """An unpickler that rebuilds plain Python values and NumPy arrays, and looks up nothing else."""

    _reconstruct = staticmethod(np.empty(0).__reduce__()[0])

    def find_class(self, module: str, name: str):  # noqa: ANN201
        """The few names an array's pickle needs, under their old and new places."""
        if (module, name) in (('numpy.core.multiarray', '_reconstruct'), ('numpy._core.multiarray', '_reconstruct')):
            return self._reconstruct
        if (module, name) == ('numpy', 'ndarray'):
            return np.ndarray
        if (module, name) == ('numpy', 'dtype'):
            return np.dtype
        if (module, name) == ('_codecs', 'encode'):
            return _latin1
        raise pickle.UnpicklingError(f'it asks for {module}.{name}, which no image archive needs')
