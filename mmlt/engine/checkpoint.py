"""Checkpoints that hold plain data, are whole or absent, and tell when they are damaged."""

import hashlib
import json
import math
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from mmlt.errors import UserError
from mmlt.files import atomic_write, size_as_stored
from mmlt.models.weights import SAFE, read_safetensors
from mmlt.plain import plain
from mmlt.schema import ANY, FINGERPRINT, NUMBER, parse_json, problem, read_json

FORMAT = 1
TENSORS = {str: (torch.Tensor,)}
# What the tools read in a checkpoint; a converted one has little of it, and hooks may add more.
META: dict = {
    'epoch?': (int, None),
    'step?': (int, None),
    'steps_an_update?': (int, None),
    'seed?': (int, None),
    'classes?': ([(str, int)], None),
    'class_folders?': ANY,
    'class_counts?': ([NUMBER], None),
    'thresholds?': ([NUMBER], None),
    'task?': (re.compile('single_label|multi_label'),),
    'precision?': (str, None),
    'image_size?': ([(int,)], None),
    'test_view?': {'height': (int,), 'width': (int,), 'resize': (int, None), 'max_value': (*NUMBER, None),
                   'backend?': (re.compile('opencv|pillow'),)},
    'history?': ([{'epoch': (int,), 'metrics': {str: NUMBER}}], None),
    'outcome?': ({'data?': ({f'{key}?': kinds for key, kinds in FINGERPRINT.items()}, None),
                  'train_cfg?': ({'max_epochs?': (int, None)}, None)}, None),
    'teachers?': ({str: (str, [(str,)])}, None),  # a list where the config names several
    'config?': (str, None),
    'config_hash?': (str, None),
    'inference_only?': (bool,),
}  # fmt: skip
CONTENT: dict = {
    'format': (int,),
    'sha256': (str,),
    'state_dict': TENSORS,
    'meta': META,
    'optimizer?': ANY,
    'param_schedulers?': [{str: NUMBER}],
    'gradients?': TENSORS,
    'ranks?': [{'gradients': TENSORS, 'statistics': TENSORS}],
    'ema_state_dict?': TENSORS,
    'hooks?': {str: ANY},
    'hooks_of_ranks?': [{str: ANY}],
    'hooks_unsaved?': {str: [(str,)]},
    'stop_training?': (bool,),
    'terms?': {str: {str: ANY}},
}
MOST_NESTED = 64  # tables in tables; a config's own have a dozen
MOST_VIEWS = 64  # times that the tensors of a file, which may share memory, may add up to its size
ELAPSED_FILE = 'elapsed.json'
PUBLISHED = 'mmlt'  # before the names of the texts in a .safetensors file


def _leaves(value: Any, met: set[int], path: str = '', depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The leaves of plain data: each table and list met once, as `plain` makes them, so that the walk ends."""
    if type(value) in (dict, list):
        if id(value) in met or depth > MOST_NESTED:
            raise TypeError(f'{path} is met twice or lies too deep for plain data')
        met.add(id(value))
    if type(value) is dict:
        if not all(type(key) in (str, int) for key in value):
            raise TypeError(f'{path} has a key that is neither a text nor a number')
        for key in sorted(value, key=str):
            yield from _leaves(value[key], met, f'{path}/{key}', depth + 1)
    elif type(value) is list:
        for place, item in enumerate(value):
            yield from _leaves(item, met, f'{path}/{place}', depth + 1)
    elif value is None or type(value) in (bool, int, float, str):
        yield path, value
    elif isinstance(value, torch.Tensor) and not path.startswith('/meta'):
        yield path, value
    else:  # a tuple, a set: `plain` leaves none
        raise TypeError(f'{type(value).__name__} at {path} is no plain data')


def content_sha256(content: dict, most_bytes: float = math.inf) -> str:
    """SHA-256 over every name, tensor and number in `content`, apart from the checksum itself.

    Args:
        content: plain data.
        most_bytes: that its tensors may have together: a view of a few bytes can claim any size.

    Raises:
        TypeError: something in it is no plain data, or its tensors are larger.
    """
    digest, seen = hashlib.sha256(), 0
    for path, value in _leaves({key: item for key, item in content.items() if key != 'sha256'}, set()):
        if isinstance(value, torch.Tensor):
            seen += value.numel() * value.element_size()
            if value.layout is not torch.strided or value.is_quantized or value.is_meta or seen > most_bytes:
                raise TypeError(f'the tensor at {path} is not dense, or larger than its file')
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


def published_texts(meta: dict, tensors: dict[str, torch.Tensor]) -> tuple[dict, dict[str, str]]:
    """What a published file holds beside its tensors, as `load_checkpoint` reads it.

    Args:
        meta: of the checkpoint, strict JSON.
        tensors: by name.

    Returns:
        The content, and the texts of the .safetensors file.
    """
    content = dict(format=FORMAT, state_dict=tensors, meta=parse_json(json.dumps(plain(meta), allow_nan=False)))
    content['sha256'] = content_sha256(content)
    texts = dict(meta=json.dumps(content['meta']), sha256=content['sha256'], version=str(FORMAT))
    return content, {'format': 'pt', **{f'{PUBLISHED}.{key}': text for key, text in texts.items()}}


def _read_published(path: Path) -> dict:
    """The content of a file that `tools/publish_model.py` wrote; its checksum is not looked at yet."""
    tensors, texts = read_safetensors(path)
    try:
        found = {key: texts[f'{PUBLISHED}.{key}'] for key in ('meta', 'sha256', 'version')}
        return dict(format=int(found['version']), sha256=found['sha256'], state_dict=tensors, meta=parse_json(found['meta']))
    except (KeyError, ValueError) as error:
        raise UserError(
            f'{path} holds tensors alone, not a model that tools/publish_model.py wrote: load_from takes it in a config.'
        ) from error


def _read_saved(path: Path) -> tuple[int, Any]:
    """Bytes of a file that `torch.save` wrote, and its content."""
    size = size_as_stored(path)
    try:
        return size, torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if not zipfile.is_zipfile(path):
            raise UserError(f'the checkpoint {path} is damaged or no checkpoint at all: use another one.') from error
        raise UserError(
            f'the checkpoint {path} holds more than plain data and is not loaded, since that could run code.'
        ) from error
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f'the checkpoint {path} is damaged ({type(error).__name__}): use another one.') from error


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint, or a published model, onto the CPU; nothing in it is executed.

    Raises:
        UserError: it is missing, damaged, holds more than plain data, or is no checkpoint of mmlt.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'there is no checkpoint {path}: check the path.')
    size, content = (path.stat().st_size, _read_published(path)) if path.suffix == SAFE else _read_saved(path)
    if not (isinstance(content, dict) and 'state_dict' in content and _is_format(content.get('format'))):
        raise UserError(f'{path} is not a checkpoint of mmlt: foreign weights go through tools/convert_weights.py.')
    sha256 = _sha256_or_none(content, MOST_VIEWS * size)
    if sha256 is None or type(content.get('sha256')) is not str or content['sha256'] != sha256:
        raise UserError(f'the checkpoint {path} is damaged (its checksum differs): use another one.')
    if wrong := problem(content, CONTENT, finite=False):
        raise UserError(f'the checkpoint {path} is damaged ({wrong}): use another one.')
    return content


def _is_format(value: Any) -> bool:
    return type(value) is int and value == FORMAT


def _sha256_or_none(content: dict, most_bytes: int) -> str | None:
    try:
        return content_sha256(content, most_bytes)
    except (TypeError, ValueError, RuntimeError):  # things no checkpoint of mmlt holds
        return None


def checkpoints_of(folder: str | Path) -> list[Path]:
    """The resumable checkpoints of a run, newest first."""
    found = []
    for path in Path(folder).glob('epoch_*.pth'):
        if match := re.fullmatch(r'epoch_(\d+)(?:_step_(\d+))?\.pth', path.name):
            found.append((int(match[1]), int(match[2] or 0), path))
    return [path for *_, path in sorted(found, reverse=True)]


def latest_checkpoint(
    folder: str | Path, check: Callable[[Path, dict], None] | None = None
) -> tuple[Path, dict] | None:
    """The newest readable checkpoint of a run and its content; an unreadable one is skipped with a warning.

    Args:
        folder: the run's folder.
        check: raises a UserError for a content that does not fit: it is skipped too.
    """
    for path in checkpoints_of(folder):
        try:
            content = load_checkpoint(path)
            if check:
                check(path, content)
            return path, content
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
        seconds = float(read_json(Path(folder) / ELAPSED_FILE)['seconds'])
        return seconds if 0 <= seconds < math.inf else 0.0
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return 0.0


def label_facts(model: torch.nn.Module, dataset: Any) -> dict[str, Any]:
    """For a checkpoint's `meta`: `task`, whether an image has one label or several (a detector's have none), and the
    `thresholds` chosen for several, see `ThresholdHook`.

    Args:
        model: that is trained.
        dataset: the training set.
    """
    tasks = {1: dict(task='single_label'), 2: dict(task='multi_label')}
    facts = tasks.get(getattr(getattr(dataset, 'labels', None), 'ndim', None), {})
    chosen = getattr(model, 'thresholds', None)
    return facts if chosen is None else dict(facts, thresholds=chosen.tolist())
