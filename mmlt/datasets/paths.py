"""Paths of many images in one block of bytes, which workers share instead of copying."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch


class Paths(Sequence[str]):
    """N paths, `/` between folders: the bytes of all of them one after another, and where each ends.

    A list of texts would be copied into every worker of a loader, page by page, as each is touched; and an array of texts of
    one width grows with the longest. Both tensors here are shared with workers however these are started: forked ones see the
    same pages, and for spawned ones torch moves them into shared memory.

    Args:
        paths: the paths; bytes that are not UTF-8 are kept as Python keeps those of file names.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        paths = list(paths)
        content = ''.join(paths).encode('utf-8', 'surrogateescape')
        lengths = np.fromiter(map(len, paths), dtype=np.int64, count=len(paths))
        if len(content) != lengths.sum():  # some characters are several bytes
            lengths = np.array([len(path.encode('utf-8', 'surrogateescape')) for path in paths], dtype=np.int64)
        self._set(np.frombuffer(content, dtype=np.uint8).copy(), lengths)

    def _set(self, content: np.ndarray, lengths: np.ndarray) -> None:
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.__setstate__((torch.from_numpy(content), torch.from_numpy(starts)))

    def __setstate__(self, tensors: tuple[torch.Tensor, torch.Tensor]) -> None:
        self._tensors = tensors
        self._content, self._starts = (tensor.numpy() for tensor in tensors)

    def __getstate__(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.__setstate__(tuple(tensor.share_memory_() for tensor in self._tensors))  # moved once, however many workers ask
        return self._tensors

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, place: int | slice | np.ndarray) -> 'str | Paths':
        """One path; or those of a slice or an array of places (or of bools), in its order."""
        if isinstance(place, (slice, np.ndarray)):
            return self._taken(np.arange(len(self))[place])
        return self.raw(place).decode('utf-8', 'surrogateescape')

    def raw(self, place: int) -> bytes:
        """One path as its bytes."""
        place = range(len(self))[place]  # counts from the end, and refuses what is outside
        start, end = self._starts[place : place + 2].tolist()
        return self._content[start:end].tobytes()

    def _taken(self, places: np.ndarray) -> 'Paths':
        starts = self._starts
        lengths = (starts[1:] - starts[:-1])[places]
        before = np.cumsum(lengths) - lengths  # of each path taken, in the new block
        new = Paths.__new__(Paths)
        new._set(self._content[np.repeat(starts[places] - before, lengths) + np.arange(lengths.sum())], lengths)
        return new

    def __iter__(self) -> Iterator[str]:
        content, starts = self._content.tobytes(), self._starts.tolist()
        for start, end in zip(starts[:-1], starts[1:], strict=True):
            yield content[start:end].decode('utf-8', 'surrogateescape')

    def sha256(self) -> str:
        """SHA-256 of all paths in their order."""
        digest = hashlib.sha256(np.ascontiguousarray(self._starts))
        digest.update(np.ascontiguousarray(self._content))
        return digest.hexdigest()

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self._content.nbytes + self._starts.nbytes
