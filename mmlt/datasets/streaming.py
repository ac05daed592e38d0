"""Data sets that are read from image files one by one."""

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmlt.arguments import number
from mmlt.datasets import image_files
from mmlt.datasets.class_folders import folder_of_each_class
from mmlt.datasets.decode import read_content
from mmlt.datasets.file_identity import FileIdentity
from mmlt.datasets.fingerprint import describe
from mmlt.datasets.labels import as_labels, count_labels, label_of, size_of
from mmlt.datasets.naming import check_names, check_utf8, existing_folder, own_path
from mmlt.datasets.packed_files import PackedFiles
from mmlt.datasets.paths import Paths
from mmlt.datasets.readable import unreadable
from mmlt.datasets.scaling import CROP_AREA, SHOW, Area, Box, area_parts, random_box
from mmlt.datasets.views import View
from mmlt.errors import UserError, brief

__all__ = ['StreamingDataset', 'existing_folder']
CROPS = ('center', 'random_resized')
CHECKS = ('files', 'pixels')
ON_BROKEN = ('stop', 'skip')


class StreamingDataset(FileIdentity, Dataset):
    """Base of `ImageList` and `ImageFolder`: paths and labels in compact arrays, pixels decoded when asked for.

    Args:
        name: of the data set.
        root: folder that the paths start from.
        paths: N paths below `root`, texts or `Paths`.
        labels: (N,) int64 in [0, C), or float (N, C) with 1 for each class that an image shows.
        classes: C names.
        image_size: height and width of the images given out, in pixels.
        resize: `center`: the shorter side is scaled to this before the middle is cut out; None for 8/7 of `image_size`
            (256 for 224).
        crop: `center`, or `random_resized`: a random piece (`crop_area` of the area, sides 3:4 to 4:3) scaled to
            `image_size`, a function of `crop_seed` and the draw's key alone (a loader puts the run's
            seed into it); asked for without a key, it is `center`.
        crop_seed: of the random piece.
        check: what `problems` looks at before a run. `files`: that every file is there and readable, and that those whose
            bytes identify the set begin as an image; `pixels`: that every image can be decoded.
        on_broken: `stop`: a missing or broken image is refused; `skip`: all pixels are read when the set is made, and
            what is missing or broken is left out of it, and counted.
        max_value: the grey value that is white, for images of floats or of more than 8 bits, see `read_rgb`.
        pack: a file of `tools/pack_images.py` that holds these images by the same paths: they are read from it, and `root`
            need not be there. None to read the files.
        backend: what scales the images, and so decides their pixels: `opencv` (several times as fast), or `pillow`, whose
            filter widens as it shrinks. Both decode alike.
        crop_area: least and largest part of the area that a random piece has, in (0, 1]; several such pairs give as many
            independent pieces of each image, its views, in this order.

    Attributes:
        labels: (N,) int64, or float32 (N, C).
        resident: False: the images come one by one.
        takes_keys: True: an item may be a pair (place, key of the draw).
        skipped: what was found and is not part of the set, how often: `{'broken images': 2}`.
        left_out: what was wrong with each broken image that was left out, in words.

    Raises:
        UserError: an argument of the wrong kind, class names that cannot be told apart, no image left.
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
        check: str = 'files',
        on_broken: str = 'stop',
        max_value: float | None = None,
        backend: str = 'opencv',
        pack: str | Path | None = None,
        crop_area: Area | Sequence[Area] = CROP_AREA,
    ) -> None:
        for what, given, known in (
            ('crop', crop, CROPS), ('check', check, CHECKS), ('on_broken', on_broken, ON_BROKEN), ('backend', backend, SHOW)
        ):  # fmt: skip
            if given not in known:
                raise UserError(f'{what} must be one of {", ".join(known)}, not {brief(repr(given))}.')
        self.classes, self.crop, self.check = tuple(classes), crop, check
        self.backend = backend
        if not isinstance(name, str):
            raise UserError(f'name of a data set must be a text, not {brief(repr(name))}.')
        check_utf8(name, 'the data set')
        check_names(self.classes, name)
        self.crop_seed = number(self, 'crop_seed', crop_seed, least=0, whole=True)
        self.crop_area = area_parts(crop_area)
        self.max_value = None if max_value is None else number(self, 'max_value', max_value, above=0)
        self.image_size = number(self, 'image_size', image_size, whole=True)
        self.resize = round(image_size * 8 / 7) if resize is None else number(self, 'resize', resize, whole=True)
        if not 0 < self.image_size <= self.resize:
            raise UserError(f'image_size must be positive and at most resize, not {self.image_size} and {self.resize}.')
        paths = paths if isinstance(paths, Paths) else Paths(paths)
        FileIdentity.__init__(self, name, Path(root), paths, as_labels(labels))
        self.places = np.arange(len(self.labels))  # of the images, among those that were named
        self.skipped: dict[str, int] = {}
        self.left_out: list[str] = []
        if pack is not None:
            self._pack = PackedFiles(own_path(pack, 'pack'), self._paths)
            if on_broken == 'stop':
                self._pack.refuse_lacking(self.named)
        if on_broken == 'skip':
            self._leave_out_broken()

    @property
    def class_counts(self) -> list[int]:
        """Images of each class."""
        return count_labels(self.labels, len(self.classes))

    @property
    def metainfo(self) -> dict:
        """`dataset`, `classes`, `class_counts`, `verified`: False, for no pixels are known to be official, and
        `num_images` where images have several labels."""
        more = size_of(self.labels)
        return dict(dataset=self.name, classes=self.classes, class_counts=self.class_counts, verified=False, **more)

    def __len__(self) -> int:
        return len(self.labels)

    def as_tested(self, test: 'StreamingDataset | None' = None) -> 'StreamingDataset':
        """The same images, looked at as test images are: the middle of each.

        Args:
            test: a set whose sizes they get; None to keep their own.
        """
        other = copy.copy(self)
        other.crop = 'center'
        if test is not None:
            other.image_size, other.resize = test.image_size, test.resize
        return other

    def __getitem__(self, item: int | tuple[int, int]) -> tuple[Tensor, int | Tensor]:
        """Image uint8 (3, image_size, image_size), RGB, and label; of several views (V, 3, image_size, image_size).

        Args:
            item: place, or pair of place and key of the draw (see `Batch.keys`); without a key there is one view, the middle.

        Raises:
            UserError: the file is missing or no picture.
        """
        place, key = item if isinstance(item, tuple) else (item, None)
        views = 1 if key is None else self.views
        out = np.empty((views, self.image_size, self.image_size, 3), dtype=np.uint8)
        self._show(place, key, out)
        image = torch.from_numpy(out).permute(0, 3, 1, 2).contiguous()
        return image if views > 1 else image[0], label_of(self.labels, place)

    @property
    def views(self) -> int:
        """Pieces that are cut out of an image when it is asked for with a key."""
        return len(self.crop_area) if self.crop == 'random_resized' else 1

    @property
    def item_shape(self) -> tuple[int, ...] | None:
        """(H, W, 3) of what `read_into` writes for an image, (V, H, W, 3) of several views; None for a subclass that reads its
        items in its own way."""
        own = type(self).__getitem__ is StreamingDataset.__getitem__
        several = (self.views,) if self.views > 1 else ()
        return (*several, self.image_size, self.image_size, 3) if own else None

    def read_into(self, places: Sequence[int], keys: Sequence[int], out: np.ndarray) -> None:
        """Write images where they are wanted: what `self[place, key][0]` gives, channels last.

        Args:
            places: B places.
            keys: B keys of the draws.
            out: uint8 (B, H, W, 3) or (B, V, H, W, 3), see `item_shape`, contiguous.

        Raises:
            UserError: a file is missing or no picture.
        """
        out = out.reshape(len(places), self.views, self.image_size, self.image_size, 3)
        for row, (place, key) in enumerate(zip(places, keys, strict=True)):
            self._show(place, key, out[row])

    def _show(self, place: int, key: int | None, out: np.ndarray) -> None:
        """Write the views of an image, uint8 (V, H, W, 3)."""
        named = self.named(place)
        if self._pack is not None:
            content = self._pack.read(place)
        else:
            try:
                content = read_content(self.file(place), named)
            except FileNotFoundError:
                raise UserError(f'there is no image {named}: correct data_root.') from None

        def boxes_of(width: int, height: int) -> list[Box]:
            if self.crop == 'center' or key is None:
                return View(self.image_size, self.image_size, self.resize).boxes(width, height)
            return [self._random_box(width, height, int(key), view) for view in range(self.views)]

        SHOW[self.backend](content, boxes_of, out, named, self.max_value)

    def _random_box(self, width: int, height: int, key: int, view: int = 0) -> Box:
        return random_box(width, height, self.crop_seed, key, self.crop_area[view], view)

    @cached_property
    def class_folders(self) -> list[str | None] | None:
        """Name of the folder that holds the images of a class and of no other, for each class; None where paths tell none,
        and for images with several labels."""
        if self.labels.ndim == 2:
            return None
        return folder_of_each_class(list(self._paths), self.labels, len(self.classes))

    def problems(self, indices: np.ndarray | None = None) -> list[str]:
        """What is wrong with the files of these images, each in words; nothing is opened before all are looked for.

        Args:
            indices: (M,) their places; None for all.
        """
        found = self._problems(np.arange(len(self)) if indices is None else np.asarray(indices))
        return [found[row] for row in sorted(found)]

    def _problems(self, places: np.ndarray) -> dict[int, str]:
        if self._pack is not None:
            found = self._pack.problems(places, self.check == 'pixels')
            return {row: f'{self.named(places[row])} {text}' for row, text in found.items()}
        facts = self._facts(places)
        why = image_files.problems_of(lambda row: self.file(places[row]), facts)
        found = {row: f'{self.named(places[row])} {text}' for row, text in why.items()}
        rows = np.setdiff1d(np.arange(len(places)), list(found))
        if self.check == 'files':
            if type(self).__getitem__ is not StreamingDataset.__getitem__:  # it may read other files than images
                return found
            rows = rows[image_files.read_whole(facts[rows, image_files.SIZE])]
        broken = unreadable(self, places[rows], [self.file(place) for place in places[rows]], facts[rows])
        return found | {int(rows[place]): text for place, text in broken.items()}

    def _leave_out_broken(self) -> None:
        self.check = 'pixels'
        found = self._problems(np.arange(len(self)))
        if len(found) == len(self):
            raise UserError(f'none of the {len(self):,} images of {self.name} can be read: {found[0]}.')
        kept = np.array([place not in found for place in range(len(self))])
        self.labels, self._paths, self.places = self.labels[kept], self._paths[kept], self.places[kept]
        self._known = self._known[kept]
        if self._pack is not None:
            self._pack.keep(kept)
        self.left_out = [found[place] for place in sorted(found)]
        if found:
            self.skipped['broken images'] = len(found)
        self.check = 'files'  # the pixels have just been read

    def fingerprint(self) -> dict:
        """What the set is: names, counts and the hashes of its order and content."""
        return describe(self.name, 'natural', self.class_counts, None, np.arange(len(self)), self.content_sha256(),
                        content_of=self.content_of())
