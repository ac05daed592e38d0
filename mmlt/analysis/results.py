"""`results.json` and `per_class.csv`: what a run leaves for tables, reports and people."""

import csv
import io
import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmlt.errors import UserError
from mmlt.files import atomic_write

SCHEMA = 1
RESULTS_FILE = 'results.json'
PER_CLASS_FILE = 'per_class.csv'
PER_CLASS_COLUMNS = ('class', 'name', 'train_images', 'group', 'test_images', 'accuracy')

PACKAGES = ('mmengine', 'numpy', 'torch', 'torchvision')  # whose versions a record names

NUMBER = (int, float)
EVALUATION = {'epoch': (int, None), 'selected_on': (str, None), 'metrics': {str: NUMBER}}
# A dict names required keys; {str: kinds} is a mapping of any keys; a tuple lists the kinds allowed, None for null.
RECORD: dict = {
    'schema': (int,),
    'config': (str,),
    'config_hash': (str,),
    'overrides': (dict,),
    'seed': (int, None),
    'precision': (str,),
    'finished': (bool,),
    'wall_seconds': (*NUMBER, None),
    'images_per_s': (*NUMBER, None),
    'device': (str,),
    'versions': {str: (str,)},
    'data': {
        'dataset': (str,),
        'profile': (str, None),
        'imbalance_ratio': (*NUMBER, None),
        'protocol': (str, None),
        'num_images': (int,),
        'indices_sha256': (str, None),
        'content_sha256': (str, None),
    },
    # Empty after an evaluation by other metrics than ShotGroupMetric.
    'shot_groups': {'convention': (str,), 'many': (int,), 'medium': (int,), 'few': (int,)},
    'last': EVALUATION,
    'best': EVALUATION,
    'evaluated_epochs': (list,),
    'prerequisites': {str: {'run': (str,), 'checkpoint_sha256': (str,)}},
}
SELECTED_ON = ('test', 'holdout', None)


def evaluation(
    epoch: int | None, metrics: Mapping[str, float], selected_on: str | None = None, selected_by: str | None = None
) -> dict[str, Any]:
    """One of a record's evaluations, `last` or `best`.

    Args:
        epoch: after which it was made, from 1; None where nobody knows.
        metrics: by name, accuracies in percent.
        selected_on: `test` or `holdout`, by which this epoch was chosen; None for one that was not chosen.
        selected_by: the metric by which it was chosen; records without it were chosen by `accuracy/top1`.
    """
    chosen = {} if selected_by is None else dict(selected_by=selected_by)
    return dict(epoch=epoch, selected_on=selected_on, metrics=dict(metrics), **chosen)


def make_record(
    *,
    config: str,
    config_hash: str,
    overrides: Mapping[str, Any],
    seed: int | None,
    precision: str,
    device: str,
    world_size: int,
    seconds: float,
    images: int,
    data: Mapping[str, Any],
    epochs: int | None,
    finished: bool,
    shot_groups: Mapping[str, Any],
    last: Mapping[str, Any],
    best: Mapping[str, Any],
    evaluated_epochs: Sequence[int],
    prerequisites: Mapping[str, Mapping[str, str]],
    checkpoint: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """The record of a run, or of an evaluation.

    Args:
        config: name of the config.
        config_hash: of the run's outcome; empty where it is not known.
        overrides: of the config, by name.
        seed: the training seed.
        precision: `fp32` or `bf16`.
        device: in words.
        world_size: number of ranks.
        seconds: that the run, or the evaluation, took.
        images: trained on, or evaluated, in these seconds.
        data: fingerprint of the training data.
        epochs: that were trained.
        finished: whether the run is.
        shot_groups: `convention`, and the number of classes in each group; empty where there are none.
        last: the evaluation after the last epoch, see `evaluation`.
        best: the evaluation of the best epoch.
        evaluated_epochs: from 1.
        prerequisites: `run` and `checkpoint_sha256` by role.
        checkpoint: `file`, `sha256`.
        more: what this kind of record has besides.

    Returns:
        What `write_results` takes.
    """
    return dict(
        schema=SCHEMA,
        config=config,
        config_hash=config_hash,
        overrides={name: str(value) for name, value in overrides.items()},
        seed=seed,
        precision=precision,
        finished=finished,
        wall_seconds=round(seconds, 1),
        images_per_s=round(images / seconds, 1),
        device=device,
        world_size=world_size,
        versions={**{name: version(name) for name in PACKAGES}, 'python': platform.python_version()},
        data=dict(data),
        epochs=epochs,
        shot_groups=dict(shot_groups),
        last=dict(last),
        best=dict(best),
        evaluated_epochs=list(evaluated_epochs),
        prerequisites=dict(prerequisites),
        checkpoint=dict(checkpoint),
        **more,
    )


def write_results(folder: str | Path, record: Mapping[str, Any]) -> Path:
    """Write `results.json` into a run's folder: strict JSON, sorted keys, whole or not at all.

    Args:
        folder: the run's folder.
        record: the keys of `RECORD`, accuracies in percent; further keys are kept.

    Returns:
        The file's path.

    Raises:
        UserError: a key is missing, or a value has the wrong kind or is not finite.
    """
    path = Path(folder) / RESULTS_FILE
    validate(record, path)
    return atomic_write(path, json_text(record))


def read_results(path: str | Path) -> dict[str, Any]:
    """Read a `results.json`.

    Args:
        path: the file, or the run's folder.

    Raises:
        UserError: there is no such file, it is not strict JSON, or it does not fit the schema.
    """
    path = Path(path)
    path = path / RESULTS_FILE if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding='utf-8'), parse_constant=_refuse_constant)
    except OSError as error:
        raise UserError(
            f'there are no results at {path} ({error.strerror}): finish the run first, or name its folder.'
        ) from error
    except ValueError as error:
        raise UserError(f'{path} is not valid JSON ({error}): restore it, or evaluate the run again.') from error
    validate(record, path)
    return record


def json_text(record: Mapping[str, Any]) -> str:
    """Strict, stable JSON: sorted keys, indent 2, a newline at the end."""
    return json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + '\n'


def validate(record: Any, where: str | Path) -> None:
    """Check a record against the schema.

    Args:
        record: what shall be, or was, in the file.
        where: named in the error.

    Raises:
        UserError: with the path of the first key that is wrong.
    """
    if isinstance(record, Mapping) and 'schema' in record and record['schema'] != SCHEMA:
        raise UserError(
            f'{where} has schema {record["schema"]!r}, but this version of mmlt reads schema {SCHEMA}: use '
            'the version of mmlt that wrote it.'
        )
    problem = _problem(record, RECORD, '') or _problem_of_content(record)
    if problem:
        raise UserError(f'{where} does not hold valid results: {problem}; write it again with mmlt.')


def write_per_class_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write the last epoch's accuracy of each class, one line a class.

    Args:
        path: the file.
        rows: dicts with the keys of `PER_CLASS_COLUMNS`, as ``ShotGroupMetric.details['per_class']`` holds them;
            accuracy in percent, None (an empty field) for a class that the test set does not hold.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, PER_CLASS_COLUMNS, lineterminator='\n', extrasaction='ignore')
    writer.writeheader()
    for row in rows:
        accuracy = row['accuracy']
        writer.writerow({**row, 'accuracy': '' if accuracy is None else round(accuracy, 6)})
    return atomic_write(path, text.getvalue())


def read_per_class_csv(path: str | Path) -> list[dict[str, Any]]:
    """Read what :func:`write_per_class_csv` wrote.

    Raises:
        UserError: there is no such file, or it is not one of these.
    """
    try:
        with open(path, encoding='utf-8', newline='') as file:
            return [
                {
                    'class': int(row['class']),
                    'name': row['name'],
                    'train_images': int(row['train_images']),
                    'group': row['group'],
                    'test_images': int(row['test_images']),
                    'accuracy': float(row['accuracy']) if row['accuracy'] else None,
                }
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise UserError(f'there is no per-class file at {path} ({error.strerror}): finish the run first.') from error
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(
            f'{path} is not a per-class file with the columns {", ".join(PER_CLASS_COLUMNS)}: evaluate the run again.'
        ) from error


def _problem(value: Any, kinds: Any, path: str) -> str | None:
    """What is wrong with a value, in words, or None."""
    if isinstance(kinds, dict):
        if not isinstance(value, Mapping):
            return f'{path or "the whole"} must be an object, not {value!r}'
        if path == 'shot_groups' and not value:
            return None
        for key in value if str in kinds else kinds:
            inner = f'{path}.{key}' if path else str(key)
            if not isinstance(key, str):
                return f'the key {inner} must be a text'
            if key not in value:
                return f'{inner} is missing'
            problem = _problem(value[key], kinds[str] if str in kinds else kinds[key], inner)
            if problem:
                return problem
        return None
    allowed = tuple(kind for kind in kinds if kind is not None)
    if (value is None and None in kinds) or (isinstance(value, allowed) and (bool in kinds or type(value) is not bool)):
        return f'{path} is {value}' if isinstance(value, float) and not math.isfinite(value) else None
    return f'{path} must be {" or ".join("null" if kind is None else kind.__name__ for kind in kinds)}, not {value!r}'


def _problem_of_content(record: Mapping[str, Any]) -> str | None:
    for name in ('last', 'best'):
        if record[name]['selected_on'] not in SELECTED_ON:
            return f'{name}.selected_on must be test, holdout or null, not {record[name]["selected_on"]!r}'
    if any(type(epoch) is not int for epoch in record['evaluated_epochs']):
        return 'evaluated_epochs must hold whole numbers'
    try:
        json_text(record)
    except (TypeError, ValueError) as error:
        return f'a value cannot stand in strict JSON ({error})'
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a number that JSON knows')
