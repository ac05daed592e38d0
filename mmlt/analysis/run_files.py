"""What lies in a run's folder, or beside the results of an evaluation, read for a page: the record, and what else is there."""

import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.analysis.evaluation_files import file_names, read_evaluation, read_images
from mmlt.analysis.results import BY_LABEL_FILE, PER_CLASS_FILE, RESULTS_FILE, read_per_class_csv, read_results
from mmlt.analysis.rows import GROUPS, EvaluatedSet
from mmlt.errors import UserError, brief
from mmlt.files import SCALARS_FILE

BY_LABEL = {'class', 'name', 'train_images', 'group', 'test_images', 'AP'}  # columns of every by_label.csv


@dataclass
class RunFiles:
    """A run as its folder tells it.

    Args:
        folder: of the run.
        record: its results.json.
        rows: of per_class.csv; empty where there is none.
        by_label: of by_label.csv, for images with several labels; empty where there is none.
        evaluation: of evaluation.json; None where there is none.
        images: of evaluation_images.npz, by name; empty where there is none.
        scalars: of scalars.jsonl, a dict a line.
        before: the runs that this one builds on, by role: teachers, first stages.
        troubles: sentences about files that are there and cannot be used.
        file: name of the record's file.
    """

    folder: Path
    record: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    by_label: list[dict[str, Any]] = field(default_factory=list)
    evaluation: dict[str, Any] | None = None
    images: dict[str, np.ndarray] = field(default_factory=dict)
    scalars: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, 'RunFiles'] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    file: str = RESULTS_FILE

    @property
    def title(self) -> str:
        """Config and seed, or of several models how many."""
        several, seed = self.record.get('ensemble'), self.record['seed']
        mean, seed = f', mean of {len(several)} models' if several else '', '' if seed is None else f', seed {seed}'
        return f'{self.record["config"]}{mean}{seed}'

    @property
    def path(self) -> Path:
        """Where the record lies: the folder of a run, the file of an evaluation beside it."""
        return self.folder if self.file == RESULTS_FILE else self.folder / self.file

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty where they are not known."""
        if self.evaluation:
            return self.evaluation['classes']
        return [row['name'] or str(row['class']) for row in self.rows or self.by_label]

    @property
    def counts(self) -> np.ndarray:
        """Training images of each class, int64 (K,)."""
        rows = self.rows or self.by_label
        own = self.evaluation['class_counts'] if self.evaluation else [row['train_images'] for row in rows]
        return np.asarray(own, dtype=np.int64)

    @property
    def groups(self) -> dict[str, list[int]]:
        """Classes of each shot group, those with none left out."""
        if self.evaluation:
            groups = self.evaluation['shot_groups'] or {}
            found = {name: list(groups.get(name, ())) for name in GROUPS}
        else:
            rows = self.rows or self.by_label
            found = {name: [row['class'] for row in rows if row['group'] == name] for name in GROUPS}
        return {name: ids for name, ids in found.items() if ids}

    def per_class(self, key: str) -> np.ndarray | None:
        """A measure of each class, float64 (K,), NaN where there is none; None where the run did not leave it."""
        values = (self.evaluation or {}).get('per_class', {}).get(key)
        if values is None and key == 'recall' and self.rows:
            values = [row['accuracy'] for row in self.rows]
        if values is None and self.by_label and key in self.by_label[0]:
            values = [row[key] for row in self.by_label]
        return None if values is None else np.array([np.nan if value is None else value for value in values], dtype=float)

    def metric(self, key: str) -> float | None:
        """A figure of the last epoch."""
        found = (self.evaluation or {}).get('metrics', {}).get(key)
        return self.record['last']['metrics'].get(key) if found is None else found

    def interval(self, key: str) -> tuple[float, float] | None:
        """The confidence interval of a figure."""
        found = ((self.evaluation or {}).get('intervals') or {}).get('metrics', {}).get(key)
        return None if not found or None in found else (found[0], found[1])


def read_run(folder: str | Path, before: bool = True) -> RunFiles:
    """Read a run's folder, or an evaluation.

    Args:
        folder: of the run, or its results.json; or another results file (`results_NAME.json`), which has its own full
            evaluation beside it and takes no figure from the run's.
        before: whether to read the runs that it builds on as well, where they are still there.

    Raises:
        UserError: there is no valid results.json. Another file that cannot be used is a sentence in `troubles`.
    """
    folder = Path(folder)
    record = read_results(folder)
    path = folder / RESULTS_FILE if folder.is_dir() else folder
    folder = path.parent
    run = RunFiles(folder, record, file=path.name)
    if path.name == RESULTS_FILE:
        run.rows = _or_trouble(run, read_per_class_csv, folder / PER_CLASS_FILE) or []
        run.by_label = _or_trouble(run, read_by_label_csv, folder / BY_LABEL_FILE) or []
        run.scalars = read_scalars(folder / SCALARS_FILE)
    full, images = file_names(path)
    run.evaluation = _or_trouble(run, read_evaluation, full)
    if run.evaluation:
        run.images = _or_trouble(run, lambda path: read_images(path, run.evaluation), images) or {}
    if before:
        for role, needed in sorted(record['prerequisites'].items()):
            if found := _earlier(folder, needed):
                run.before[role] = found
    return run


def read_by_label_csv(path: str | Path) -> list[dict[str, Any]]:
    """A by_label.csv: names and groups are texts, everything else numbers, None where a field is empty.

    Raises:
        UserError: it is not one.
    """
    try:
        with open(path, encoding='utf-8', newline='') as file:
            rows = [{key: _field(key, text) for key, text in row.items()} for row in csv.DictReader(file, strict=True)]
        if [row['class'] for row in rows] != list(range(len(rows))) or not rows or not BY_LABEL <= rows[0].keys():
            raise ValueError('not a line for each class')
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f'{path} is no file of figures by class ({brief(str(error))}): evaluate the run again.') from error
    return rows


def _field(key: str, text: str) -> str | int | float | None:
    if key in ('name', 'group'):
        return text
    return int(text) if key in ('class', 'train_images', 'test_images') else float(text) if text else None


def read_scalars(path: Path) -> list[dict[str, Any]]:
    """The lines of a scalars.jsonl that are whole; none where there is no file."""
    found = []
    if path.is_file():
        for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
            with suppress(ValueError, RecursionError):  # a line that a kill left half-written
                scalars = json.loads(line)
                if isinstance(scalars, dict) and type(scalars.get('step')) is int and type(scalars.get('epoch')) is int:
                    found.append(scalars)
    return found


def of_same_classes(run: RunFiles, others: Sequence[RunFiles]) -> list[RunFiles]:
    """Those of the others that have the run's classes, in their order."""
    return [other for other in others if other.classes == run.classes]


def apart(run: RunFiles, other: RunFiles) -> str | None:
    """Why another run's figures are of something else than this run's, in words for a heading; None where they compare."""
    if other.classes != run.classes:
        number = len(other.classes)
        return f'{number} {"other " if number == len(run.classes) else ""}class{"es" if number != 1 else ""}'
    ours, theirs = (EvaluatedSet.of(one.record) for one in (run, other))
    split = [one.record.get('evaluated_on', 'test') for one in (run, other)]
    known = ours.num_images and theirs.num_images  # an older record does not say
    return 'other test images' if split[0] != split[1] or known and ours != theirs else None


def _or_trouble(run: RunFiles, read: Any, path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return read(path)
    except UserError as error:
        run.troubles.append(str(error))
        return None


def _earlier(folder: Path, needed: dict[str, str]) -> RunFiles | None:
    """A prerequisite's run, if it is where it was and still has the checkpoint that was used."""
    path = Path(needed['run'])
    places = [path] if path.is_absolute() else [path, *(parent / path for parent in folder.resolve().parents)]
    for place in places:
        with suppress(UserError, OSError):
            found = read_run(place, before=False)
            if found.record.get('checkpoint', {}).get('sha256') == needed['checkpoint_sha256']:
                return found
    return None
