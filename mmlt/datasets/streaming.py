"""Data sets that are read from image files one by one."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.datasets.fingerprint import describe
from mmlt.errors import UserError

CROPS = ('center', 'random_resized')


class StreamingDataset(Dataset):
    """Base of `ImageList` and `ImageFolder`: paths and labels in compact arrays, pixels decoded when asked for.

    Args:
        name: of the data set.
        root: folder that the paths start from.
        paths: N paths below `root`.
        labels: (N,) int64 in [0, C).
        classes: C names.
        image_size: height and width of the images given out, in pixels.
        resize: `center`: the shorter side is scaled to this before the middle is cut out; None for 8/7 of `image_size`
            (256 for 224).
        crop: `center`, or `random_resized`: a random piece (8 % to 100 % of the area, sides 3:4 to 4:3) scaled to
            `image_size`, a function of `crop_seed` and the draw's key alone (a loader puts the run's
            seed into it); asked for without a key, it is `center`.
        crop_seed: of the random piece.

    Attributes:
        labels: (N,) int64.
        resident: False: the images come one by one.
        takes_keys: True: an item may be a pair (place, key of the draw).
    """

    resident = False
    takes_keys = True

    def __init__(
        self,
        name: str,
        root: Path,
        paths: Sequence[str],
        labels: np.ndarray,
        classes: tuple[str, ...],
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
    ) -> None:
        if crop not in CROPS:
            raise UserError(f'crop must be one of {", ".join(CROPS)}, not {crop!r}.')
        self.name, self.root, self.classes, self.crop, self.crop_seed = name, root, classes, crop, crop_seed
        self.image_size = image_size
        self.resize = round(image_size * 8 / 7) if resize is None else resize
        if not 0 < self.image_size <= self.resize:
            raise UserError(f'image_size must be positive and at most resize, not {self.image_size} and {self.resize}.')
        self.labels = np.asarray(labels, dtype=np.int64)
        # One block of bytes: a list of strings would be copied into every worker, page by page, as it is touched.
        self._paths = np.array([path.encode('utf-8', 'surrogateescape') for path in paths], dtype=np.bytes_)

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

    def path(self, place: int) -> str:
        """Path of an image below `root`."""
        return bytes(self._paths[place]).decode('utf-8', 'surrogateescape')

    def where(self, place: int) -> str:
        """Where an image was named, for messages; a subclass may know better."""
        return ''

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, int]:
        """Image uint8 (3, image_size, image_size), RGB, and label.

        Args:
            item: place, or pair of place and key of the draw (see `Batch.keys`).

        Raises:
            UserError: the file is missing or no picture.
        """
        place, key = item if isinstance(item, tuple) else (item, None)
        file = self.root / self.path(place)
        from PIL import Image

        try:
            with Image.open(file) as picture:
                rgb = picture.convert('RGB')
        except FileNotFoundError:
            raise UserError(f'there is no image {file}{self.where(place)}: correct data_root.') from None
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(f'{file}{self.where(place)} cannot be read as an image ({error}): replace it.') from error
        if self.crop == 'random_resized' and key is not None:
            box = self._random_box(rgb.width, rgb.height, int(key))
        else:
            scale = min(rgb.width, rgb.height) / self.resize  # source pixels a pixel of the scaled image
            side = self.image_size * scale
            left, top = (rgb.width - side) / 2, (rgb.height - side) / 2
            box = (left, top, left + side, top + side)
        # Scaling the piece alone is scaling all and cutting out, up to rounding, for less work.
        view = rgb.resize((self.image_size, self.image_size), Image.Resampling.BILINEAR, box=box)
        return torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous(), int(self.labels[place])

    def _random_box(self, width: int, height: int, key: int) -> tuple[float, float, float, float]:
        draws = np.random.Generator(np.random.PCG64([self.crop_seed, key]))
        for _ in range(10):
            area = width * height * draws.uniform(0.08, 1)
            ratio = np.exp(draws.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
            if w <= width and h <= height:
                left, top = draws.uniform(0, width - w), draws.uniform(0, height - h)
                return float(left), float(top), float(left + w), float(top + h)
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def content_sha256(self, indices: np.ndarray | None = None) -> str:
        """SHA-256 of the lines `path label` of these images, in this order; the pixels are not read."""
        digest = hashlib.sha256()
        for place in range(len(self)) if indices is None else indices:
            digest.update(bytes(self._paths[place]) + f' {self.labels[place]}\n'.encode())
        return digest.hexdigest()

    def fingerprint(self) -> dict:
        """What the set is: names, counts and the hashes of its order and list."""
        return describe(self.name, 'natural', self.class_counts, None, np.arange(len(self)), self.content_sha256())


def existing_folder(data_root: str | Path, what: str) -> Path:
    """`data_root` as a path.

    Raises:
        UserError: there is no such folder.
    """
    root = Path(data_root)
    if not root.is_dir():
        raise UserError(f'there is no folder {root} with the images of {what}: correct data_root.')
    return root
