"""Images as plain arrays in one .npz file, checked before use and read without pickle."""

from pathlib import Path

import numpy as np

from mmlt.datasets.fingerprint import indices_sha256, pixels_sha256
from mmlt.errors import UserError
from mmlt.schema import parse_json


class ArrayFile:
    """`images` uint8 (N, H, W, 3), `labels` (N,) whole numbers, and optionally `index` and `subset` of an .npz file.

    Labels, index and subset are read at once, the images when they are asked for.

    Args:
        path: the file.
        num_classes: labels must be in [0, num_classes).
        image_shape: (H, W, 3).

    Attributes:
        labels: (N,) int64.
        index: (N,) int64 place in the official split, each once; None where the file has none.
        subset: what `tools/export_subset.py` wrote: the rule and fingerprint of the subset; None where there is none.

    Raises:
        UserError: the file is damaged, lacks an array, or holds one of the wrong kind.
    """

    def __init__(self, path: Path, num_classes: int, image_shape: tuple[int, int, int]) -> None:
        self.path, self.image_shape = path, image_shape
        self.labels = self._whole_numbers('labels')
        if len(self.labels) == 0:
            raise UserError(f'{path} holds no image.')
        if self.labels.min() < 0 or self.labels.max() >= num_classes:
            raise UserError(f'{path} has labels from {self.labels.min()} to {self.labels.max()}, but there are '
                            f'{num_classes} classes (0 to {num_classes - 1}).')
        names = self._names()
        self.index = self._whole_numbers('index') if 'index' in names else None
        if self.index is not None:
            if self.index.shape != self.labels.shape:
                raise UserError(f'{path} has {len(self.index)} entries in index for {len(self.labels)} labels.')
            if self.index.min() < 0 or len(np.unique(self.index)) != len(self.index):
                raise UserError(f'{path}: index must name each image once by its place in the official split.')
        self.subset = self._subset() if 'subset' in names else None

    def images(self) -> np.ndarray:
        """Read the images, uint8 (N, H, W, 3).

        Raises:
            UserError: of the wrong kind, or not those of the file's own fingerprint.
        """
        images = self._read('images')
        wanted = (len(self.labels), *self.image_shape)
        if images.dtype != np.uint8 or images.shape != wanted:
            raise UserError(f'images in {self.path} must be uint8 {wanted}, not {images.dtype} {images.shape}.')
        if self.subset is not None and pixels_sha256(images) != self.subset['fingerprint']['content_sha256']:
            raise UserError(f'the images in {self.path} are not those of its own fingerprint: export the subset again.')
        return images

    def _names(self) -> list[str]:
        return self._open(lambda file: file.files)

    def _read(self, name: str) -> np.ndarray:
        return self._open(lambda file: file[name])

    def _open(self, use):  # noqa: ANN001, ANN202
        try:
            loaded = np.load(self.path, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError('it is not a .npz archive')
            with loaded as file:
                return use(file)
        except Exception as error:  # a damaged archive fails in many ways
            raise UserError(f'{self.path} cannot be read as arrays images, labels and index ({error}): '
                            'make it again.') from error

    def _whole_numbers(self, name: str) -> np.ndarray:
        values = self._read(name)
        if values.ndim != 1 or values.dtype.kind not in 'iu':
            raise UserError(f'{name} in {self.path} must be whole numbers of shape (N,), '
                            f'not {values.dtype} {values.shape}.')
        return values.astype(np.int64)

    def _subset(self) -> dict:
        text = self._read('subset')
        try:
            subset = parse_json(str(text[()]))
            stated = {key: subset['fingerprint'][key] for key in ('indices_sha256', 'content_sha256')}
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise UserError(f'the fingerprint in {self.path} cannot be read: export the subset again.') from error
        if self.index is None or indices_sha256(self.index) != stated['indices_sha256']:
            raise UserError(f'the index in {self.path} is not that of its own fingerprint: export the subset again.')
        return subset
