"""Files that are either whole or not there: atomic writes and content hashes."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mmlt.errors import UserError

SCALARS_FILE = 'scalars.jsonl'  # in a run's folder: losses, rates and metrics as it goes, an object a line


def atomic_write(path: str | Path, write: bytes | str | Callable[[BinaryIO], None]) -> Path:
    """Write a file beside its place, sync it, then rename it into place.

    A reader, or a process killed at any instant, sees the old content or the new, never a part of it.

    Args:
        path: where the file shall stand; missing folders are made.
        write: the content (text is UTF-8), or a function that writes it to an open binary file.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp')
    try:
        with os.fdopen(handle, 'wb') as file:
            if callable(write):
                write(file)
            else:
                file.write(write.encode() if isinstance(write, str) else write)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return path


def sync_folder(folder: str | Path) -> None:
    """Make a rename inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def size_as_stored(path: Path) -> int:
    """Bytes of a file that `torch.save` wrote: what it holds is not compressed, so it cannot unfold to more.

    Raises:
        UserError: it is no such archive.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RecursionError) as error:
        raise UserError(f'the checkpoint {path} is damaged or no checkpoint at all: use another one.') from error
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or sum(e.file_size for e in entries) > size:
        raise UserError(f'the checkpoint {path} is compressed or claims more than it holds: use another one.')
    return size
