"""Many images in one file, made once by `tools/pack_images.py`: small JPEGs one after another, and an index behind them.

All numbers are little-endian. The file begins with `HEADER`; at byte 128 the first JPEG; behind the last one the index:

    meta        JSON, see `META`
    ends        uint64 (N,)      where each JPEG ends; it begins where the one before ends
    digests     uint64 (N,)      BLAKE2b of 8 bytes of each JPEG
    sizes       uint16 (N, 2)    width and height
    name_ends   uint64 (N,)      where each name ends in `names`
    names       bytes            the path of each image below the folder that was packed, UTF-8, `/` between folders
    of each split: places uint32 (M,) into the above, labels int64 (M,)

Each part begins at a multiple of 8. The header holds the SHA-256 of the index, so a file whose index fits is whole but for
the JPEGs, and each of these has its own digest.
"""

import hashlib
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.errors import UserError, brief
from mmlt.schema import WHOLE, parse_json, problem

MAGIC, VERSION = b'MMLTPACK', 1
# Magic, version, 0; images; start and bytes of the index, bytes of meta; SHA-256 of the index.
HEADER = struct.Struct('<8sIIQQQQ32s')
BEGIN = 128  # of the first JPEG
META: dict = {
    'side': (int,),
    'quality': (int,),
    'maker': (str,),
    'name_bytes': (int,),
    'splits': [{'name': (str,), 'classes': [(str,)], 'images': (int,)}],
    'left_out': [(str,)],
}
MOST_META = 2**28


class Pack:
    """A pack, opened for reading.

    The index is one block of memory that forked workers share. The JPEGs are read by their places; what was read stays in the
    system's memory for all processes, as far as it has room. Nothing is mapped into memory: of a mapped file that somebody
    makes shorter the next access kills the process.

    Args:
        path: the file.

    Attributes:
        meta: see `META`.
        sha256: of the index, and so of names, sizes, labels and digests: what the pack is.
        ends, digests, sizes: see the module.
        splits: by name, places uint32 (M,) and labels int64 (M,).

    Raises:
        UserError: there is no such file, or it is no pack, cut off or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            raise UserError(f'there is no pack {self.path}: make it with tools/pack_images.py, or correct `pack`.') from None
        except OSError as error:
            raise UserError(f'the pack {self.path} cannot be read ({error.strerror}).') from error
        try:
            self._open()
        except (ValueError, struct.error, IndexError, OverflowError, OSError) as error:
            raise UserError(
                f'{brief(str(self.path), 4096)} is no pack of images, or a damaged one ({error}): make it again with '
                'tools/pack_images.py.'
            ) from error

    def _open(self) -> None:
        header = os.pread(self._file, HEADER.size, 0)
        size = os.fstat(self._file).st_size
        if header[: len(MAGIC)] != MAGIC:
            raise ValueError('it begins otherwise')
        _, version, _, count, start, length, meta_bytes, digest = HEADER.unpack(header)
        if version != VERSION:
            raise ValueError(f'it is of version {version}, and {VERSION} is read')
        if start % 8 or start < BEGIN or start + length != size or meta_bytes > min(length, MOST_META) or count > length // 8:
            raise ValueError(f'it has {size:,} bytes where its header says {start + length:,}')
        index = np.fromfile(self.path, dtype=np.uint8, count=length, offset=start)
        if len(index) != length or hashlib.sha256(index).digest() != digest:
            raise ValueError('its index has another checksum')
        self.sha256 = digest.hex()
        self.meta = parse_json(bytes(index[:meta_bytes]).decode())
        if wrong := problem(self.meta, META):
            raise ValueError(wrong)
        place = _padded(meta_bytes)

        def part(kind: str, *shape: int) -> np.ndarray:
            nonlocal place
            end = place + int(np.dtype(kind).itemsize * np.prod(shape, dtype=object))
            if not 0 <= place <= end <= length:
                raise ValueError('its index is too short')
            found = index[place:end].view(kind).reshape(shape)
            place = _padded(end)
            return found

        self.ends, self.digests, self.sizes = part('<u8', count), part('<u8', count), part('<u2', count, 2)
        self._name_ends, self._names = part('<u8', count), part('u1', self.meta['name_bytes'])
        self.splits: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for split in self.meta['splits']:
            places, labels = part('<u4', split['images']), part('<i8', split['images'])
            if len(places) and (places.max() >= count or labels.min() < 0 or labels.max() >= len(split['classes'])):
                raise ValueError(f'its split {split["name"]!r} names images or classes that are not there')
            self.splits[split['name']] = places, labels
        for ends, first, last in ((self.ends, BEGIN, start), (self._name_ends, 0, len(self._names))):
            if len(ends) and (ends[0] < first or ends[-1] > last or (ends[1:] < ends[:-1]).any() or last >= WHOLE):
                raise ValueError('its images or names do not lie one behind another')

    def __len__(self) -> int:
        return len(self.ends)

    def __del__(self) -> None:
        if getattr(self, '_file', None) is not None:
            os.close(self._file)

    def __reduce__(self) -> tuple:
        return Pack, (self.path,)

    def _span(self, ends: np.ndarray, place: int, first: int) -> tuple[int, int]:
        return (int(ends[place - 1]) if place else first), int(ends[place])

    def read(self, place: int) -> bytes:
        """The JPEG at a place.

        Raises:
            UserError: the file has become shorter.
        """
        start, end = self._span(self.ends, place, BEGIN)
        content = os.pread(self._file, end - start, start)
        if len(content) != end - start:
            raise UserError(f'the pack {self.path} has become shorter while it was read: copy it again.')
        return content

    def name(self, place: int) -> str:
        """The path of an image below the folder that was packed."""
        start, end = self._span(self._name_ends, place, 0)
        return self._names[start:end].tobytes().decode('utf-8', 'surrogateescape')

    def names(self, places: Iterable[int]) -> list[str]:
        """The paths of many images."""
        blob = self._names.tobytes()
        starts = np.concatenate([[0], self._name_ends[:-1]]).astype(np.int64).tolist() if len(self) else []
        ends = self._name_ends.astype(np.int64).tolist()
        return [blob[starts[place] : ends[place]].decode('utf-8', 'surrogateescape') for place in places]

    def places_of(self, paths: Sequence[str]) -> np.ndarray:
        """Where images are in the pack, int64 (M,); -1 for one that is not there.

        Args:
            paths: M paths below the folder that was packed.
        """
        known = {name: place for place, name in enumerate(self.names(range(len(self))))}
        return np.fromiter((known.get(path, -1) for path in paths), dtype=np.int64, count=len(paths))

    def problem_of(self, place: int) -> str | None:
        """Why the JPEG at a place is not the one that was packed; None where it is."""
        try:
            content = self.read(place)
        except UserError:
            return 'is cut off'
        return None if digest_of(content) == int(self.digests[place]) else 'has another checksum'

    @property
    def words(self) -> str:
        """What is in it, in words."""
        return f'JPEGs of short side {self.meta["side"]}, quality {self.meta["quality"]}'


def digest_of(content: bytes) -> int:
    """BLAKE2b of 8 bytes, as a number."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), 'little')


def index_of(
    meta: dict[str, Any], ends: np.ndarray, digests: np.ndarray, sizes: np.ndarray, names: Sequence[bytes],
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[bytes, int]:  # fmt: skip
    """The bytes of an index, and those of its meta.

    Args:
        meta: see `META`.
        ends, digests, sizes: see the module.
        names: N paths.
        splits: places and labels of each.
    """
    import json

    text = json.dumps(meta).encode()
    name_ends = np.cumsum([len(name) for name in names], dtype=np.uint64)
    parts = [text, ends.astype('<u8').tobytes(), digests.astype('<u8').tobytes(), sizes.astype('<u2').tobytes()]
    parts += [name_ends.astype('<u8').tobytes(), b''.join(names)]
    for places, labels in splits:
        parts += [places.astype('<u4').tobytes(), labels.astype('<i8').tobytes()]
    return b''.join(part + bytes(_padded(len(part)) - len(part)) for part in parts), len(text)


def header_of(count: int, start: int, index: bytes, meta_bytes: int) -> bytes:
    """The header, 128 bytes.

    Args:
        count: images.
        start: of the index in the file.
        index: its bytes.
        meta_bytes: of its meta.
    """
    packed = HEADER.pack(MAGIC, VERSION, 0, count, start, len(index), meta_bytes, hashlib.sha256(index).digest())
    return packed + bytes(BEGIN - len(packed))


def _padded(length: int) -> int:
    return -(-length // 8) * 8
