"""Checkpoints that hold plain data, are whole or absent, and tell when they are damaged."""

import hashlib
import json
import os
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.plain import plain

FORMAT = 1
# What the tools read in a checkpoint's meta, where it is there.
META = dict(classes=list, class_folders=list, class_counts=list, outcome=dict, precision=str, config_hash=str, history=list)
ELAPSED_FILE = 'elapsed.json'


def _leaves(value: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _leaves(value[key], f'{path}/{key}')
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f'{path}/{place}')
    elif isinstance(value, torch.Tensor) or value is None or type(value) in (bool, int, float, str):
        yield path, value
    else:  # a tuple, a set: `plain` leaves none
        raise TypeError(f'{type(value).__name__} at {path} is no plain data')


def content_sha256(content: dict) -> str:
    """SHA-256 over every name, tensor and number in `content`, apart from the checksum itself.

    Raises:
        TypeError: something in it is no plain data.
    """
    digest = hashlib.sha256()
    for path, value in _leaves({key: item for key, item in content.items() if key != 'sha256'}):
        digest.update(path.encode())
        if isinstance(value, torch.Tensor):
            digest.update(f'{value.dtype}{tuple(value.shape)}'.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        else:
            digest.update(json.dumps(value).encode())
    return digest.hexdigest()


def save_checkpoint(path: str | Path, content: dict) -> Path:
    """Write `content` (tensors and plain data) with a checksum, synced and renamed into place.

    Raises:
        UserError: the file cannot be written, for instance because the disk is full; older files are untouched.
    """
    content = plain({**content, 'format': FORMAT})
    content['sha256'] = content_sha256(content)
    try:
        return atomic_write(path, lambda file: torch.save(content, file))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f'cannot write the checkpoint {path}: {_disk_error(error)}; free some space or choose another --work-dir.'
        ) from error


def _disk_error(error: BaseException) -> str:
    """What the system said, which torch's own complaint about a file that is too short may hide."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror
        at = at.__cause__ or at.__context__
    return str(error)


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint onto the CPU; nothing in it is executed.

    Raises:
        UserError: it is missing, damaged, holds more than plain data, or is no checkpoint of mmlt.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'there is no checkpoint {path}: check the path.')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if not zipfile.is_zipfile(path):
            raise UserError(f'the checkpoint {path} is damaged or no checkpoint at all: use another one.') from error
        raise UserError(
            f'the checkpoint {path} holds more than plain data and is not loaded, since that could run code.'
        ) from error
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f'the checkpoint {path} is damaged ({type(error).__name__}): use another one.') from error
    if not isinstance(content, dict) or 'state_dict' not in content or content.get('format') != FORMAT:
        raise UserError(f'{path} is not a checkpoint of mmlt: foreign weights go through tools/convert_weights.py.')
    if content.get('sha256') is None or content['sha256'] != _sha256_or_none(content):
        raise UserError(f'the checkpoint {path} is damaged (its checksum differs): use another one.')
    if not (
        isinstance(content['state_dict'], dict)
        and all(isinstance(value, torch.Tensor) for value in content['state_dict'].values())
        and isinstance(content.get('meta'), dict)
    ):
        raise UserError(f'{path} is not a checkpoint of mmlt: foreign weights go through tools/convert_weights.py.')
    for key, kind in META.items():
        if content['meta'].get(key) is not None and not isinstance(content['meta'][key], kind):
            raise UserError(f'the checkpoint {path} is damaged (its {key} is no {kind.__name__}): use another one.')
    return content


def _sha256_or_none(content: dict) -> str | None:
    try:
        return content_sha256(content)
    except (TypeError, ValueError, RuntimeError, RecursionError):  # things no checkpoint of mmlt holds
        return None


def checkpoints_of(folder: str | Path) -> list[Path]:
    """The resumable checkpoints of a run, newest first."""
    found = []
    for path in Path(folder).glob('epoch_*.pth'):
        if match := re.fullmatch(r'epoch_(\d+)(?:_step_(\d+))?\.pth', path.name):
            found.append((int(match[1]), int(match[2] or 0), path))
    return [path for *_, path in sorted(found, reverse=True)]


def latest_checkpoint(folder: str | Path) -> tuple[Path, dict] | None:
    """The newest readable checkpoint of a run and its content; an unreadable one is skipped with a warning."""
    for path in checkpoints_of(folder):
        try:
            return path, load_checkpoint(path)
        except UserError as error:
            print_log(f'skipped: {error}', logger='current', level=30)
    return None


def prune(folder: str | Path, keep: int) -> None:
    """Delete all but the newest `keep` resumable checkpoints; call it after the newest is safe."""
    for path in checkpoints_of(folder)[keep:]:
        os.unlink(path)


def sweep(folder: str | Path) -> None:
    """Delete what a process that was killed in the midst of `atomic_write` left; call it under the folder's lock."""
    for path in Path(folder).glob('.*.????????.tmp'):  # eight characters of tempfile's
        path.unlink(missing_ok=True)


def set_aside_newer(folder: str | Path, good: Path | None) -> None:
    """Rename the unreadable checkpoints newer than `good` (all, if None), so that they count no more."""
    for path in checkpoints_of(folder):
        if path == good:
            return
        os.replace(path, path.with_name(f'{path.name}.damaged'))


def write_elapsed(folder: str | Path, seconds: float) -> None:
    """Keep the time a run has taken beside its checkpoints: in them it would change their SHA-256."""
    try:
        atomic_write(Path(folder) / ELAPSED_FILE, json.dumps(dict(seconds=seconds)))
    except OSError as error:
        raise UserError(f'cannot write into {folder}: {error}; free some space or choose another --work-dir.') from error


def read_elapsed(folder: str | Path) -> float:
    """Seconds that `write_elapsed` kept; 0 where they are lost."""
    try:
        return float(json.loads((Path(folder) / ELAPSED_FILE).read_text(encoding='utf-8'))['seconds'])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
