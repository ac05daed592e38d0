"""`evaluation.json` and `evaluation_images.npz`: the full evaluation that stands beside a `results.json`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.schema import NUMBER, problem, read_json

EVALUATION_FILE = 'evaluation.json'
IMAGES_FILE = 'evaluation_images.npz'
SCHEMA = 1

_NUMBERS = [(*NUMBER, None)]
_WHOLE = [(int,)]
# What `mmlt.schema.problem` reads; docs/evaluation.md says what each field means.
COMMON: dict = {
    'schema': (int,),
    'task': (str,),
    'split': (str,),
    'images': (int,),
    'classes': [(str,)],
    'class_counts': _WHOLE,
    'shot_groups': {'convention': (str,), 'many': _WHOLE, 'medium': _WHOLE, 'few': _WHOLE},
    'metrics': {str: NUMBER},
    'intervals': {'level': NUMBER, 'resamples': (int,), 'metrics': {str: [NUMBER]}},
    'tables?': {str: [(object,)]},
}
SINGLE_LABEL: dict = COMMON | {
    'per_class': {
        **dict.fromkeys(('recall', 'precision', 'f1'), _NUMBERS),
        **dict.fromkeys(('test_images', 'predicted_images'), _WHOLE),
    },
    'confusion': dict.fromkeys(('true', 'predicted', 'images'), _WHOLE),
    'group_confusion': {'groups': [(str,)], 'share': [[(*NUMBER, None)]]},
    'confused_pairs': [{'true': (int,), 'predicted': (int,), 'images': (int,), 'share': NUMBER}],
    'reliability': (dict.fromkeys(('edges', 'confidence', 'accuracy'), _NUMBERS) | {'images': _WHOLE}, None),
}
MULTI_LABEL: dict = COMMON | {
    'per_class': {**dict.fromkeys(('AP', 'AUROC', 'F1', 'threshold'), _NUMBERS), 'test_images': _WHOLE},
}
KINDS = {'single_label': SINGLE_LABEL, 'multi_label': MULTI_LABEL}


def file_names(results: str | Path) -> tuple[Path, Path]:
    """Where the full evaluation of a results file stands: beside `results.json` as `evaluation.json` and
    `evaluation_images.npz`, beside `results_NAME.json` or `NAME.json` with `_NAME` before the ending."""
    return beside(results, EVALUATION_FILE), beside(results, IMAGES_FILE)


def beside(results: str | Path, file: str) -> Path:
    """Where `file` of a results file stands: under this name beside `results.json`, see `file_names` for others."""
    results = Path(results)
    name = results.stem.removeprefix('results').removeprefix('_')
    return results.with_name(f'{Path(file).stem}{f"_{name}" if name else ""}{Path(file).suffix}')


def write_evaluation(results: str | Path, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[Path, Path]:
    """Write both files, each whole or not at all; equal content gives equal bytes.

    Args:
        results: path of the `results.json` that they belong to.
        record: see `mmlt.evaluation.record` and `mmlt.evaluation.multi_label_record`.
        arrays: of `evaluation_images.npz`.

    Raises:
        UserError: the record does not fit the schema.
    """
    path, images = file_names(results)
    _check(record, path)
    text = json.dumps(record, sort_keys=True, allow_nan=False, ensure_ascii=False, separators=(',', ':')) + '\n'
    atomic_write(images, lambda file: np.savez(file, **arrays))  # NumPy puts no time into it
    return atomic_write(path, text), images


def read_evaluation(path: str | Path) -> dict[str, Any]:
    """Read an `evaluation.json`.

    Args:
        path: the file, or the folder of a run.

    Raises:
        UserError: there is no such file, it is not strict JSON, or it does not fit the schema.
    """
    path = Path(path)
    path = path / EVALUATION_FILE if path.is_dir() else path
    try:
        record = read_json(path)
    except OSError as error:
        raise UserError(
            f'there is no full evaluation at {path} ({error.strerror}): evaluate the checkpoint by tools/test.py.'
        ) from error
    except ValueError as error:
        raise UserError(f'{path} is not valid JSON ({error}): evaluate the checkpoint again by tools/test.py.') from error
    _check(record, path)
    return record


def read_images(path: str | Path, record: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Read the `evaluation_images.npz` that belongs to an `evaluation.json`.

    Args:
        path: the file, or the folder of a run.
        record: the content of the `evaluation.json`.

    Raises:
        UserError: there is no such file, or its arrays are not those of the record's images and classes.
    """
    path = Path(path)
    path = path / IMAGES_FILE if path.is_dir() else path
    number, classes = record['images'], len(record['classes'])
    if record['task'] == 'single_label':
        wanted = dict(target=('i4', (number,)), top_classes=('i4', (number, 5)),
                      top_probabilities=('f4', (number, 5)), nll=('f4', (number,)))  # fmt: skip
    else:
        wanted = dict(target=('u1', (number, classes)), probabilities=('f2', (number, classes)))
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in wanted}
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f'{path} cannot be read ({error}): evaluate the checkpoint again by tools/test.py.') from error
    for name, (kind, shape) in wanted.items():
        if arrays[name].dtype != np.dtype(kind) or arrays[name].shape != shape:
            raise UserError(f'{name} in {path} is not of {number} images: evaluate the checkpoint again by tools/test.py.')
    return arrays


def _check(record: Any, where: Path) -> None:
    again = 'evaluate the checkpoint again by tools/test.py.'
    if not isinstance(record, Mapping) or record.get('schema') != SCHEMA or record.get('task') not in KINDS:
        raise UserError(f'{where} is no evaluation of schema {SCHEMA}: {again}')
    wrong = problem(record, KINDS[record['task']]) or _problem_of_lengths(record)
    if wrong:
        raise UserError(f'{where} does not hold a valid evaluation: {wrong}; {again}')


def _problem_of_lengths(record: Mapping[str, Any]) -> str | None:
    classes = len(record['classes'])
    columns = {'class_counts': record['class_counts'], **record['per_class']}
    for name, values in columns.items():
        if len(values) != classes:
            return f'{name} has {len(values)} entries for {classes} classes'
    places = [place for name in ('many', 'medium', 'few') for place in record['shot_groups'][name]]
    cells = record.get('confusion', {})
    places += [place for name in ('true', 'predicted') for place in cells.get(name, [])]
    if not all(0 <= place < classes for place in places):
        return f'it names a class outside 0 to {classes - 1}'
    if len({len(values) for values in cells.values()}) > 1:
        return "confusion's lists have different lengths"
    if any(len(pair) != 2 for pair in record['intervals']['metrics'].values()):
        return 'an interval has not two ends'
    return None
