"""torchvision's data sets by their names: opened, and what they hold asked for without knowing each of them."""

import fcntl
import inspect
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmlt.errors import UserError, brief, quoted, reason

MOST_BYTES = 4 * 2**30  # of pixels held in memory
CHECKED = 5  # items compared with what the set's own lists say
LABELS = ('targets', '_labels', 'labels', 'y')
FILES = ('_image_files', '_images', 'data')
PAIRS = ('samples', '_samples', 'imgs')


def open_set(name: str, root: str | None, split: str | None, options: Mapping[str, Any], download: bool) -> Any:
    """One of torchvision's data sets.

    Args:
        name: of the class in `torchvision.datasets`.
        root: folder of its files; None for a set that has none.
        split: its `split`, or `train` and `test` where it asks `train=True`.
        options: its other arguments.
        download: whether it may fetch what is not there; one process at a time.

    Raises:
        UserError: there is no such set or argument, or its files are not there.
    """
    import torchvision.datasets

    kind = getattr(torchvision.datasets, name, None) if isinstance(name, str) else None
    if not inspect.isclass(kind) or not issubclass(kind, torchvision.datasets.VisionDataset):
        raise UserError(f'torchvision {torchvision.__version__} has no data set {quoted(name)}: see torchvision.datasets for '
                        'the names.')  # fmt: skip
    known = _arguments(kind)
    given = dict(options)
    own = known - {'root', 'download', 'transform', 'target_transform', 'transforms', 'loader'}
    if strange := sorted(map(str, given.keys() - own)):
        takes = ', '.join(sorted(own)) or 'none'
        raise UserError(f'options: torchvision.datasets.{name} takes no {brief(strange[0])}; it takes {takes}.')
    if split is not None:
        given |= _split(name, split, known)
    if 'root' in known:
        if root is None:
            raise UserError(f'torchvision.datasets.{name} needs data_root, the folder of its files.')
        given['root'] = root
    if 'download' in known:
        given['download'] = download
    elif download:
        raise UserError(f'torchvision cannot download {name}: put its files into {root} yourself, and leave download out.')
    try:
        if not download:
            return kind(**given)
        Path(root).mkdir(parents=True, exist_ok=True)
        with open(Path(root, f'.{name}.lock'), 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return kind(**given)
    except (OSError, urllib.error.URLError, RuntimeError, ValueError, TypeError, ImportError, KeyError) as error:
        may = '; or set download=True, and torchvision fetches them' if 'download' in known and not download else ''
        raise UserError(
            f'torchvision.datasets.{name} cannot be opened in {root} ({reason(error)}): put its files there as torchvision '
            f'wants them{may}.'
        ) from error


def _arguments(kind: type) -> set[str]:
    """Names of the arguments of a class, those that it hands on to its base included."""
    names: set[str] = set()
    for base in kind.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters
        names |= {name for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD} - {'self'}
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            break
    return names


def _split(name: str, split: str, known: set[str]) -> dict[str, Any]:
    if 'split' in known and not ('train' in known and split in ('train', 'test')):  # EMNIST has both: `split` is which letters
        return dict(split=split)
    if 'train' in known:
        if split not in ('train', 'test'):
            raise UserError(f"split of torchvision.datasets.{name} must be 'train' or 'test', not {quoted(split)}.")
        return dict(train=split == 'train')
    raise UserError(
        f'torchvision.datasets.{name} has no splits: leave split out, and set a part aside by '
        'holdout=dict(part=..., fraction=...).'
    )


def files_of(dataset: Any) -> tuple[list[str], np.ndarray] | None:
    """Paths and labels of a set that reads image files, from its own lists; None where it keeps none that its items agree with.

    Args:
        dataset: of `open_set`.
    """
    pairs = next((own for name in PAIRS if _is_list(own := getattr(dataset, name, None), len(dataset))), None)
    if pairs is not None and all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        files, labels = (list(part) for part in zip(*pairs, strict=True))
    else:
        files = next((own for name in FILES if _is_list(own := getattr(dataset, name, None), len(dataset))), None)
        labels = next((own for name in LABELS if _is_list(own := getattr(dataset, name, None), len(dataset))), None)
    if files is None or labels is None or not all(isinstance(file, (str, Path)) for file in files):
        return None
    if not all(isinstance(label, (int, np.integer)) for label in labels):
        return None
    for place in np.unique(np.linspace(0, len(files) - 1, CHECKED).astype(int)).tolist():
        picture, label = _item(dataset, place)
        with Image.open(files[place]) as file:
            if label != labels[place] or file.size != picture.size:
                return None
    return [str(file) for file in files], np.array(labels, dtype=np.int64)


def _is_list(own: Any, size: int) -> bool:
    return isinstance(own, (list, tuple)) and len(own) == size > 0


def _item(dataset: Any, place: int) -> tuple[Image.Image, int]:
    name = type(dataset).__name__
    try:
        item = dataset[place]
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f'image {place} of torchvision.datasets.{name} cannot be read ({reason(error)}).') from error
    picture, label = item if isinstance(item, tuple) and len(item) == 2 else (None, None)
    if not isinstance(picture, Image.Image) or isinstance(label, bool) or not isinstance(label, (int, np.integer)):
        raise UserError(
            f'torchvision.datasets.{name} gives no picture with the number of a class, but {brief(repr(item), 80)}: it is a '
            'set for another task.'
        )
    return picture, int(label)


def pictures_of(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, H, W, 3) and labels int64 (N,) of a set whose images have one size.

    Args:
        dataset: of `open_set`.

    Raises:
        UserError: they are of several sizes, or too many for the memory.
    """
    first, _ = _item(dataset, 0)
    shape = (len(dataset), first.height, first.width, 3)
    name = type(dataset).__name__
    if np.prod(shape, dtype=np.float64) > MOST_BYTES:
        raise UserError(f'the pixels of torchvision.datasets.{name} take more than 4 GiB of memory: write its images into '
                        'class folders, and read these with ImageFolder.')  # fmt: skip
    images, labels = np.empty(shape, dtype=np.uint8), np.empty(len(dataset), dtype=np.int64)
    for place in range(len(dataset)):
        picture, labels[place] = _item(dataset, place)
        if picture.size != first.size:
            raise UserError(
                f'image {place} of torchvision.datasets.{name} has {picture.width} x {picture.height} pixels, the first one '
                f'{first.width} x {first.height}: write its images into class folders, and read these with ImageFolder.'
            )
        images[place] = np.asarray(picture.convert('RGB'))
    return images, labels


def names_of(dataset: Any, labels: np.ndarray) -> list[str]:
    """The names of the classes that a set knows, in the order of its labels, else their numbers."""
    names = getattr(dataset, 'classes', None) or getattr(dataset, 'categories', None)
    if not isinstance(names, (list, tuple)) or len(names) <= labels.max():
        by_name = getattr(dataset, 'class_to_idx', None) or {}
        names = sorted(by_name, key=by_name.__getitem__) if len(by_name) > labels.max() else range(int(labels.max()) + 1)
    return [name[0] if isinstance(name, tuple) else str(name) for name in names]  # of ImageNet's synonyms the first
