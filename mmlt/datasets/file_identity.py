"""What a set of image files is, in hashes of its names, sizes and bytes."""

import hashlib
import os
from pathlib import Path

import numpy as np

from mmlt.datasets import image_files
from mmlt.datasets.labels import label_texts
from mmlt.datasets.packed_files import PackedFiles
from mmlt.datasets.paths import Paths
from mmlt.errors import UserError, brief


class FileIdentity:
    """Base of `StreamingDataset`: each file is asked for once, what a large list has is remembered, a pack knows its own.

    Args:
        name: of the data set.
        root: folder that the paths start from.
        paths: N paths below it.
        labels: (N,) int64, or float32 (N, C).
    """

    def __init__(self, name: str, root: Path, paths: Paths, labels: np.ndarray) -> None:
        self.name, self.root, self.labels, self._paths = name, root, labels, paths
        self._known = np.full((len(labels), 6), -1, dtype=np.int64)
        self._content: dict[bytes, str] = {}
        self._pack: PackedFiles | None = None

    def file(self, place: int) -> str:
        """Path of an image."""
        return os.path.join(self.root, self.path(place))

    def files(self, places: np.ndarray) -> list[str]:
        """The image files at (M,) places; none where they are read from a pack, which knows its own bytes."""
        return [] if self._pack is not None else [self.file(place) for place in places]

    def path(self, place: int) -> str:
        """Path of an image below `root`."""
        return self._paths[int(place)]

    def where(self, place: int) -> str:
        """Where an image was named, for messages; a subclass may know better."""
        return ''

    def named(self, place: int) -> str:
        """What an image is called in messages: its file, and where that was named."""
        return brief(self.file(place), 4096) + self.where(place)

    def _facts(self, places: np.ndarray) -> np.ndarray:
        """See `facts_of`; each file is asked for once, so what stands in the results is what stood there at the start."""
        new = places[self._known[places, image_files.MODE] < 0]
        if len(new) > image_files.WHOLE_FILES:
            name = f'{os.path.abspath(self.root)} {self._paths.sha256()} {hashlib.sha256(new.tobytes()).hexdigest()}'
            self._known[new] = image_files.facts_of_list(name, len(new), lambda row: self.file(new[row]))
        elif len(new):
            self._known[new] = image_files.facts_of([self.file(place) for place in new])
        return self._known[places]

    def content_sha256(self, indices: np.ndarray | None = None) -> str:
        """SHA-256 of the lines `path label size` of these images, in this order, and of the bytes of the files.

        Of a large set the bytes are those of a sample, see `content_of`.

        Args:
            indices: (M,) places; None for all.

        Raises:
            UserError: a file is missing or cannot be read.
        """
        places = np.arange(len(self)) if indices is None else np.asarray(indices)
        if (key := places.tobytes()) not in self._content:
            self._content = {key: self._content_sha256(places)}
        return self._content[key]

    def _content_sha256(self, places: np.ndarray) -> str:
        if self._pack is not None:
            return self._pack.content_sha256(places, map(self._paths.raw, places.tolist()), label_texts(self.labels[places]))
        facts = self._facts(places)
        digest = hashlib.sha256()
        for row in np.flatnonzero(~image_files.are_files(facts))[:1]:
            why = image_files.problem_of(self.file(places[row]), facts[row])
            raise UserError(f'{self.named(places[row])} {why}: correct data_root, or put it there.')
        sizes = facts[:, image_files.SIZE]
        for place, label, size in zip(places.tolist(), label_texts(self.labels[places]), sizes, strict=True):
            digest.update(self._paths.raw(place) + f' {label} {size}\n'.encode())
        read = image_files.read_whole(sizes)
        digest.update(image_files.bytes_sha256([self.file(place) for place in places[read]], facts[read]).encode())
        return digest.hexdigest()

    def content_of(self, indices: np.ndarray | None = None) -> str:
        """What `content_sha256` is made of, in words."""
        if self._pack is not None:
            return self._pack.content_of(len(self) if indices is None else len(indices))
        sizes = self._facts(np.arange(len(self)) if indices is None else np.asarray(indices))[:, image_files.SIZE]
        read = len(image_files.read_whole(sizes))
        if read == len(sizes):
            return f'names, sizes and bytes of all {read:,} files'
        return f'names and sizes of all {len(sizes):,} files, bytes of a sample of {read:,} drawn with seed 0'
