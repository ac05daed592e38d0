"""`results.json` and `per_class.csv`: what a run leaves for tables, reports and people."""

import csv
import io
import json
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmlt.errors import UserError, quoted
from mmlt.files import atomic_write
from mmlt.schema import ANY, FINGERPRINT, NUMBER, WHOLE, problem, read_json

SCHEMA = 1
RESULTS_FILE = 'results.json'
PER_CLASS_FILE = 'per_class.csv'
BY_LABEL_FILE = 'by_label.csv'
PER_CLASS_COLUMNS = ('class', 'name', 'train_images', 'group', 'test_images', 'accuracy')

PACKAGES = ('mmengine', 'numpy', 'torch', 'torchvision')  # whose versions a record names

EVALUATION = {'epoch': (int, None), 'selected_on': (str, None), 'metrics': {str: NUMBER}}
# Files are named and found by these: letters, digits and a few signs, no folder above the one they belong to.
CONFIG = re.compile(r'(?#a path below configs)(?!.*(^|/)\.\.?(/|$))[^/\x00-\x1f]+(/[^/\x00-\x1f]+)*')
WORD = re.compile(r'(?#a word)[A-Za-z0-9_]+')
CORRECTION = {
    'adjust': (WORD,),
    'value?': (*NUMBER, [NUMBER], None),
    'found_on?': (str, None),
    'test_prior?': (str, None),
}
# What `mmlt.schema.problem` reads.
RECORD: dict = {
    'schema': (int,),
    'config': (CONFIG,),
    'config_hash': (str,),
    'overrides': {str: ANY},
    'seed': (int, None),
    'precision': (WORD,),
    'finished': (bool,),
    'wall_seconds': (*NUMBER, None),
    'images_per_s': (*NUMBER, None),
    'device': (str,),
    'versions': {str: (str,)},
    'data': FINGERPRINT,
    'shot_groups': {'convention': (str,), 'many': (int,), 'medium': (int,), 'few': (int,)},
    'last': EVALUATION,
    'best': EVALUATION,
    'evaluated_epochs': [(int,)],
    'prerequisites': {str: {'run': (str,), 'checkpoint_sha256': (str,)}},
    'epochs?': (int, None),
    'world_size?': (int,),
    'checkpoint?': {'file': (str,), 'sha256': (str,)},
    'adjustment?': (CORRECTION, None),
    'aggregation?': ({'found_on': (str,)}, None),
    'test_data?': FINGERPRINT,
    'ensemble?': [{'file': (str,), 'sha256': (str,), 'epoch': (int, None)}],
    'evaluated_on?': (str,),
    'holdout?': {'last': {str: NUMBER}, 'best': {str: NUMBER}},
    'tuned?': {str: {'value': (*NUMBER, [NUMBER]), 'found_on': (str,)}},
    'metrics?': {str: NUMBER},
    'note?': (str, None),
}
_WITHOUT_GROUPS = {key: kinds for key, kinds in RECORD.items() if key != 'shot_groups'}
SELECTED_ON = ('test', 'holdout', None)


def evaluation(
    epoch: int | None, metrics: Mapping[str, float], selected_on: str | None = None, selected_by: str | None = None
) -> dict[str, Any]:
    """One of a record's evaluations, `last` or `best`.

    Args:
        epoch: after which it was made, from 1; None where unknown.
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
        record = read_json(path)
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
    schema = record.get('schema') if isinstance(record, Mapping) else None
    if type(schema) is int and schema != SCHEMA:
        raise UserError(
            f'{where} has schema {quoted(schema)}, but this version of mmlt reads schema {SCHEMA}: use '
            'the version of mmlt that wrote it.'
        )
    # No shot groups: an evaluation by other metrics than ShotGroupMetric.
    kinds = RECORD if not isinstance(record, Mapping) or record.get('shot_groups') != {} else _WITHOUT_GROUPS
    if wrong := problem(record, kinds) or _problem_of_content(record):
        raise UserError(f'{where} does not hold valid results: {wrong}; write it again with mmlt.')


def check_data_entry(data: Any, where: str) -> None:
    """Check what a run's record will say of its data, before the run.

    Args:
        data: what shall be the record's `data`.
        where: it comes from, for the error.

    Raises:
        UserError: with the first key that is wrong.
    """
    wrong = problem(data, RECORD['data'], 'data')
    if not wrong:
        try:
            json_text(data).encode()
        except (TypeError, ValueError, RecursionError) as error:
            wrong = f'it cannot stand in a results file ({error})'
    if wrong:
        raise UserError(f'{where} is not what results.json can hold: {wrong}.')


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



def write_by_label_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write the last epoch's metrics of each class of images with several labels, one line a class.

    Args:
        path: the file.
        rows: dicts of the same keys, as ``MultiLabelMetric.details['by_label']`` holds them; None is an empty field.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    for row in rows:
        writer.writerow({key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()})
    return atomic_write(path, text.getvalue())


def read_per_class_csv(path: str | Path) -> list[dict[str, Any]]:
    """Read what :func:`write_per_class_csv` wrote.

    Raises:
        UserError: there is no such file, or it is not one of these.
    """
    try:
        with open(path, encoding='utf-8', newline='') as file:
            rows = [_per_class_row(row) for row in csv.DictReader(file, strict=True)]
    except OSError as error:
        raise UserError(f'there is no per-class file at {path} ({error.strerror}): finish the run first.') from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f'{path} is not a per-class file with the columns {", ".join(PER_CLASS_COLUMNS)}: evaluate the run again.'
        ) from error
    if [row['class'] for row in rows] != list(range(len(rows))) or not rows:
        raise UserError(f'{path} does not hold one line for each class from 0: evaluate the run again.')
    return rows


def _per_class_row(row: Mapping[str, str]) -> dict[str, Any]:
    found = {
        'class': int(row['class']),
        'name': row['name'],
        'train_images': int(row['train_images']),
        'group': row['group'],
        'test_images': int(row['test_images']),
        'accuracy': float(row['accuracy']) if row['accuracy'] else None,
    }
    counts = found['train_images'], found['test_images']
    if row.keys() != set(PER_CLASS_COLUMNS) or not all(0 <= count < WHOLE for count in counts):
        raise ValueError('a column too many, or a count that is none')
    if None in row.values() or not 0 <= (found['accuracy'] or 0.0) <= 100:
        raise ValueError('a field too few, or an accuracy that is none')
    return found


def _problem_of_content(record: Mapping[str, Any]) -> str | None:
    for name in ('last', 'best'):
        if record[name]['selected_on'] not in SELECTED_ON:
            return f'{name}.selected_on must be test, holdout or null, not {record[name]["selected_on"]!r}'
    correction = record.get('adjustment')
    if correction and correction['adjust'] not in ('prior', 'ncm') and type(correction.get('value')) not in NUMBER:
        return f'adjustment.value of {correction["adjust"]} must be a number'
    try:
        json_text(record)
    except (TypeError, ValueError, RecursionError) as error:
        return f'a value cannot stand in strict JSON ({error})'
    return None
