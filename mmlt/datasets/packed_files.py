"""The images of a set where they lie in a pack, instead of in files."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.image_files import in_threads
from mmlt.datasets.pack import Pack
from mmlt.errors import UserError, brief


class PackedFiles:
    """N images of a set in a pack, found by their paths.

    Args:
        file: the pack.
        paths: N paths below the folder that was packed.

    Attributes:
        pack: it.
        places: (N,) int64 in the pack, -1 for an image that is not there.

    Raises:
        UserError: see `Pack`.
    """

    def __init__(self, file: Path, paths: Sequence[str]) -> None:
        self.pack = Pack(file)
        self.places = self.pack.places_of(paths)

    def refuse_lacking(self, named: Callable[[int], str]) -> None:
        """Refuse a pack without some of the images.

        Args:
            named: the name of the image at a place, for the message.

        Raises:
            UserError: naming the first of them.
        """
        lacking = np.flatnonzero(self.places < 0)
        if len(lacking):
            raise UserError(
                f'the pack {self.pack.path} lacks {len(lacking):,} of {len(self.places):,} images, {named(int(lacking[0]))} '
                f"for one (its own paths begin with {brief(self.pack.name(0), 400)}): pack them too, or set on_broken='skip'."
            )

    def keep(self, kept: np.ndarray) -> None:
        """Forget the images that are not `kept`, bool (N,)."""
        self.places = self.places[kept]

    def read(self, place: int) -> bytes:
        """The JPEG of an image."""
        return self.pack.read(int(self.places[place]))

    def problems(self, places: np.ndarray, pixels: bool) -> dict[int, str]:
        """What is wrong with images, by their numbers among these (M,) places, in words that follow an image's name.

        Args:
            places: (M,) int64.
            pixels: whether each JPEG is read and compared with its checksum.
        """

        def look(place: int) -> str | None:
            if self.places[place] < 0:
                return f'is not in the pack {self.pack.path}'
            why = self.pack.problem_of(int(self.places[place])) if pixels else None
            return f'{why} in the pack {self.pack.path}' if why else None

        return {row: text for row, text in enumerate(in_threads(look, places.tolist())) if text}

    def content_sha256(self, places: np.ndarray, paths: Iterable[bytes], labels: Iterable) -> str:
        """SHA-256 of how the images were packed, and of the lines `path label checksum` of these (M,) images."""
        digest = hashlib.sha256(f'{self.pack.words}\n'.encode())
        checksums = self.pack.digests[self.places[places]].tolist()
        for path, label, checksum in zip(paths, labels, checksums, strict=True):
            digest.update(path + f' {label} {checksum:016x}\n'.encode())
        return digest.hexdigest()

    def content_of(self, count: int) -> str:
        """What `content_sha256` of `count` images is made of, in words."""
        return f'names and checksums of all {count:,} images in a pack ({self.pack.words})'
