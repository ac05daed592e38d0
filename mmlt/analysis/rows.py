"""Runs sorted into the tables and lines that they stand in: one table a recipe, seeds taken together."""

import json
import posixpath
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mmlt.analysis.methods import earlier_epoch, epochs_of

ABSENT = '-'
GROUPS = ('many', 'medium', 'few')
# What a detector is evaluated on, in words, and the average precisions shown of it: all classes, rare, common, frequent.
IOU_TYPES = {'bbox': 'box', 'segm': 'mask'}
PRECISIONS = ('AP', 'AP50', 'APr', 'APc', 'APf')
MEASURES = {'one label': 'accuracy', 'several labels': 'mAP, AUROC and F1', 'detection': 'average precision (AP)'}
PERCENT = ('accuracy/', 'bbox/', 'segm/', 'mAP', 'AUROC', 'F1')  # how metrics in percent begin
EARLIER = 'where a line names an earlier epoch, its figures are optimistic if that was chosen by these images'
Record = Mapping[str, Any]


class EvaluatedSet(NamedTuple):
    """The images that a run's figures are of; none where its record, an older one, does not say."""

    num_images: int = 0
    indices_sha256: str = ''
    content_sha256: str = ''

    @classmethod
    def of(cls, record: Record) -> 'EvaluatedSet':
        """Those of a record, by whatever name and in whatever folder."""
        said = record.get('test_data') or {}
        return cls(*(said.get(key) or default for key, default in cls._field_defaults.items()))


class Recipe(NamedTuple):
    """What two runs must share to stand in one table: data, epochs, how groups are cut, how best is chosen, on what images.

    `evaluated_set` is None where all runs that else agree have the same one, see `recipes_of`.
    """

    dataset: str
    profile: str | None
    imbalance_ratio: float | None
    protocol: str | None
    num_images: int
    indices_sha256: str | None
    content_sha256: str | None
    epochs: int | None
    convention: str | None
    group_sizes: tuple[int, int, int]
    selected_on: str | None
    selected_by: str | None
    iou_types: tuple[str, ...]
    several_labels: bool
    evaluated_on: str
    evaluated_set: EvaluatedSet | None

    @classmethod
    def of(cls, record: Record) -> 'Recipe':
        """The recipe of a run, from its results; one that goes on from a stored run stands beside that run."""
        data, groups, first = record['data'], record['shot_groups'], record
        while first.get('first'):
            first = first['first']
        chosen = record['best'] if record['best']['selected_on'] else first['best']
        return cls(
            *(data[key] for key in cls._fields[:7]),
            epochs=epochs_of(first),
            convention=groups.get('convention'),
            group_sizes=tuple(groups.get(name, 0) for name in GROUPS),
            selected_on=chosen['selected_on'],
            selected_by=chosen.get('selected_by', 'accuracy/top1') if chosen['selected_on'] else None,
            iou_types=tuple(kind for kind in IOU_TYPES if f'{kind}/AP' in record['last']['metrics']),
            several_labels='mAP' in record['last']['metrics'],
            evaluated_on=record.get('evaluated_on', 'test'),
            evaluated_set=EvaluatedSet.of(record),
        )

    @property
    def title(self) -> str:
        """The data and the epochs in words."""
        parts = [self.dataset]
        if self.profile:
            parts.append(f'{self.profile} profile')
        if self.imbalance_ratio is not None:
            parts.append(f'imbalance ratio {self.imbalance_ratio:g}')
        if self.protocol:
            parts.append(f'protocol {self.protocol}')
        parts.append(f'{self.num_images:,} training images')
        if self.indices_sha256:
            parts.append(f'subset {self.indices_sha256[:8]}')
        parts += [f'{self.epochs} epochs'] if self.epochs is not None else []
        return ', '.join(parts + ([f'evaluated on a {self.evaluated}'] if self.evaluated else []))

    @property
    def evaluated(self) -> str | None:
        """What the figures are of, in words; None for the test set where there is only one."""
        what, found = 'holdout' if self.evaluated_on == 'holdout' else 'test set', self.evaluated_set
        if found is None:
            return f'{what} of the training set' if what == 'holdout' else None
        if not found.num_images:
            return f'{what} that is not recorded'
        return f'{what} of {found.num_images:,} images ({(found.content_sha256 or found.indices_sha256)[:8]})'

    @property
    def unchosen(self) -> 'Recipe':
        """What runs share whose last epochs are compared: how a best one was chosen does not matter then."""
        return self._replace(selected_on=None, selected_by=None)

    @property
    def groups(self) -> str:
        """The shot groups in words."""
        if self.convention is None:
            return 'no shot groups'
        sizes = ', '.join(f'{size} {name}' for name, size in zip(GROUPS, self.group_sizes, strict=True))
        return f'shot groups ({self.convention}): {sizes} classes'

    @property
    def best(self) -> tuple[str, str, int] | None:
        """Heading, metric and digits of the best epoch's column; None where none was chosen."""
        if self.selected_by is None:
            return None
        name = 'top-1' if self.selected_by == 'accuracy/top1' else self.selected_by
        return f'best {name}', self.selected_by, 2 if self.selected_by.startswith(PERCENT) else 4

    @property
    def measures(self) -> str:
        """What the figures in percent are."""
        return MEASURES['detection' if self.iou_types else 'several labels' if self.several_labels else 'one label']

    @property
    def columns(self) -> list[tuple[str, str, int]]:
        """Heading, metric and digits of each column of figures; a group with no class has none."""
        if self.iou_types:
            return [(f'{IOU_TYPES[kind]} {name}', f'{kind}/{name}', 2) for kind in self.iou_types for name in PRECISIONS]
        sizes = [(name, size) for name, size in zip(GROUPS, self.group_sizes, strict=True) if size]
        if self.several_labels:
            groups = [(f'{name} ({size})', f'mAP/{name}', 2) for name, size in sizes]
            return [('mAP', 'mAP', 2), *groups, ('AUROC', 'AUROC', 2), ('F1', 'F1', 2)]
        return [
            ('top-1', 'accuracy/top1', 2),
            *((f'{name} ({size})', f'accuracy/{name}', 2) for name, size in sizes),
            ('mean class', 'accuracy/mean_class', 2),
            ('ECE', 'calibration/ece', 4),
        ]


class Row(NamedTuple):
    """The runs of one line: the same config, overrides, kind of checkpoint, precision, device and torch, one for each seed."""

    config: str
    records: list[Record]

    @property
    def label(self) -> str:
        """The config, with its overrides if any, and what was evaluated if that is no last checkpoint of one run."""
        return self.config + self.changes + self.evaluated

    @property
    def changes(self) -> str:
        """The overrides, with a space before each."""
        overrides = self.records[0]['overrides']
        return ''.join(f' {name}={overrides[name]}' for name in sorted(overrides))

    @property
    def evaluated(self) -> str:
        """What was evaluated: nothing of a last checkpoint, `, mean of 2 models`, `, after epoch 28 of 30`."""
        first, models = self.records[0], len(self.records[0].get('ensemble') or [])
        words = [f'mean of {models} models'] if models else []
        words += [f'after epoch {self.earlier} of {first["epochs"]}'] if self.earlier else []
        return ''.join(f', {word}' for word in words)

    @property
    def earlier(self) -> int | None:
        """The epoch after which it was evaluated, if that is not the last one."""
        return earlier_epoch(self.records[0])

    @property
    def device(self) -> str:
        """What one run used: the device, and how many if several."""
        ranks = self.records[0].get('world_size', 1)
        return self.records[0]['device'] if ranks == 1 else f'{ranks} x {self.records[0]["device"]}'

    def seeds(self, folder: str | None = None) -> str:
        """Number of runs and their seeds, each linked to its stored result as seen from `folder`."""
        seeds = []
        for record in self.records:
            path = record.get('stored_at') if folder is not None else None
            seeds.append(f'[{record["seed"]}]({posixpath.relpath(path, folder)})' if path else str(record['seed']))
        return f'{len(self.records)} ({", ".join(seeds)})'

    def figure(self, key: str, digits: int, which: str = 'last') -> str:
        """Mean, and sample deviation of two runs or more, of a metric of the `last` or `best` epoch."""
        values = [record[which]['metrics'].get(key) for record in self.records]
        if None in values:
            return ABSENT
        mean = f'{statistics.fmean(values):.{digits}f}'
        return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.{digits}f}'

    @property
    def duration(self) -> str:
        """Mean wall-clock time of a run."""
        seconds = [record['wall_seconds'] for record in self.records]
        return ABSENT if None in seconds else format_duration(statistics.fmean(seconds))


def recipes_of(records: Iterable[Record]) -> list[Recipe]:
    """The recipe of each run, among these.

    Runs that else agree, however their best epoch was chosen, are told apart by the images that they were evaluated on if
    these are known to differ; else a record that does not name them stands with those that do.
    """
    recipes = [Recipe.of(record) for record in records]
    sets: dict[Recipe, set[EvaluatedSet]] = {}
    for recipe in recipes:
        sets.setdefault(recipe.unchosen._replace(evaluated_set=None), set()).add(recipe.evaluated_set)
    several = {shared for shared, found in sets.items() if len(found - {EvaluatedSet()}) > 1}
    alike = [recipe._replace(evaluated_set=None) for recipe in recipes]
    return [own if one.unchosen in several else one for own, one in zip(recipes, alike, strict=True)]


def rows_by_recipe(records: Iterable[Record]) -> dict[Recipe, list[Row]]:
    """Sort runs into tables and lines, in an order that does not depend on the order given.

    Runs of one config that share a seed are no sample over seeds: each gets a line of its own.
    """
    records = list(records)
    lines: dict[Recipe, dict[tuple, list[Record]]] = {}
    for record, recipe in zip(records, recipes_of(records), strict=True):
        key = (
            record['config'],
            json.dumps(record['overrides'], sort_keys=True),
            json.dumps(record.get('adjustment'), sort_keys=True),
            bool(record.get('aggregation')),  # whose weights differ from seed to seed
            len(record.get('ensemble') or []),  # several models are no further seed of one
            earlier_epoch(record) or 0,
            record['precision'],
            record['device'],
            record.get('world_size', 1),
            record['versions'].get('torch', ABSENT),
        )
        lines.setdefault(recipe, {}).setdefault(key, []).append(record)
    tables: dict[Recipe, list[Row]] = {}
    for recipe in sorted(lines, key=lambda recipe: [(value is None, value or 0) for value in recipe]):
        tables[recipe] = []
        for key in sorted(lines[recipe]):
            runs = sorted(lines[recipe][key], key=lambda record: (record['seed'] is None, record['seed'] or 0))
            distinct = len({record['seed'] for record in runs}) == len(runs)
            tables[recipe] += [Row(key[0], runs)] if distinct else [Row(key[0], [run]) for run in runs]
    return tables


def format_duration(seconds: float) -> str:
    """A time in words: `42 s`, `12 min 05 s`, `3 h 02 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f'{seconds} s'
    if seconds < 3600:
        return f'{seconds // 60} min {seconds % 60:02d} s'
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min'
