"""Tables of results, for the terminal and for READMEs: one table a recipe, seeds taken together."""

import json
import posixpath
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mmlt.analysis.experts_table import experts_table
from mmlt.analysis.methods import epochs_of, method_of
from mmlt.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

NOTHING_STORED = 'No finished run is stored yet.'
ABSENT = '-'
GROUPS = ('many', 'medium', 'few')
SELECTION = {'test': 'chosen on the test set', 'holdout': 'chosen on a holdout of the training set'}
Record = Mapping[str, Any]


class Recipe(NamedTuple):
    """What two runs must share to stand in one table: data, epochs, how groups are cut, how best is chosen."""

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

    @classmethod
    def of(cls, record: Record) -> 'Recipe':
        """The recipe of a run, from its results; one that goes on from a stored run stands beside that run."""
        data, groups, first = record['data'], record['shot_groups'], record
        while first.get('first'):
            first = first['first']
        return cls(
            *(data[key] for key in cls._fields[:7]),
            epochs=epochs_of(first),
            convention=groups.get('convention'),
            group_sizes=tuple(groups.get(name, 0) for name in GROUPS),
            selected_on=record['best']['selected_on'] or first['best']['selected_on'],
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
        return ', '.join(parts + ([f'{self.epochs} epochs'] if self.epochs is not None else []))

    @property
    def groups(self) -> str:
        """The shot groups in words."""
        if self.convention is None:
            return 'no shot groups'
        sizes = ', '.join(f'{size} {name}' for name, size in zip(GROUPS, self.group_sizes, strict=True))
        return f'shot groups ({self.convention}): {sizes} classes'

    @property
    def columns(self) -> list[tuple[str, str, int]]:
        """Heading, metric and digits of each column of figures; a group with no class has none."""
        sizes = zip(GROUPS, self.group_sizes, strict=True)
        return [
            ('top-1', 'accuracy/top1', 2),
            *((f'{name} ({size})', f'accuracy/{name}', 2) for name, size in sizes if size),
            ('mean class', 'accuracy/mean_class', 2),
            ('ECE', 'calibration/ece', 4),
        ]


class Row(NamedTuple):
    """The runs of one line: the same config, overrides, precision, device and torch, one for each seed."""

    config: str
    records: list[Record]

    @property
    def label(self) -> str:
        """The config, with its overrides if any."""
        overrides = self.records[0]['overrides']
        return self.config + ''.join(f' {name}={overrides[name]}' for name in sorted(overrides))

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


def rows_by_recipe(records: Iterable[Record]) -> dict[Recipe, list[Row]]:
    """Sort runs into tables and lines, in an order that does not depend on the order given.

    Runs of one config that share a seed are no sample over seeds: each gets a line of its own.
    """
    lines: dict[Recipe, dict[tuple, list[Record]]] = {}
    for record in records:
        key = (
            record['config'],
            json.dumps(record['overrides'], sort_keys=True),
            json.dumps(record.get('adjustment'), sort_keys=True),
            bool(record.get('aggregation')),  # whose weights differ from seed to seed
            record['precision'],
            record['device'],
            record.get('world_size', 1),
            record['versions'].get('torch', ABSENT),
        )
        lines.setdefault(Recipe.of(record), {}).setdefault(key, []).append(record)
    tables: dict[Recipe, list[Row]] = {}
    for recipe in sorted(lines, key=lambda recipe: [(value is None, value or 0) for value in recipe]):
        tables[recipe] = []
        for key in sorted(lines[recipe]):
            runs = sorted(lines[recipe][key], key=lambda record: (record['seed'] is None, record['seed'] or 0))
            distinct = len({record['seed'] for record in runs}) == len(runs)
            tables[recipe] += [Row(key[0], runs)] if distinct else [Row(key[0], [run]) for run in runs]
    return tables


def comparison_table(results: Sequence[Record]) -> 'Table':
    """A table of runs of one recipe, for the terminal.

    Args:
        results: records as :func:`mmlt.analysis.results.read_results` gives them, at least one.

    Returns:
        Last-epoch figures, and the best epoch's top-1 in brackets; seeds of a config are taken together.

    Raises:
        UserError: there is no result, or the results have different recipes (see :func:`comparison_tables`).
    """
    tables = comparison_tables(results)
    if len(tables) != 1:
        raise UserError(
            f'{len(results)} results of {len(tables)} recipes cannot stand in one table: compare runs with the same '
            'data, epochs and shot groups.'
        )
    return tables[0]


def comparison_tables(results: Sequence[Record]) -> list['Table']:
    """One table a recipe; see :func:`comparison_table`."""
    return [_comparison(recipe, rows) for recipe, rows in rows_by_recipe(results).items()]


def _comparison(recipe: Recipe, rows: Sequence[Row]) -> 'Table':
    from rich.table import Table
    from rich.text import Text

    best = f'; best: {SELECTION[recipe.selected_on]}' if recipe.selected_on else ''
    table = Table(
        title=Text(recipe.title), caption=Text(f'accuracy in percent after the last epoch{best}; {recipe.groups}')
    )
    table.add_column('config', overflow='fold', min_width=max(len(row.config) for row in rows))
    table.add_column('seeds')
    columns = [column for column in recipe.columns if column[1] != 'accuracy/mean_class']  # a line must fit 80 columns
    for heading, _, _ in columns:
        table.add_column(Text(heading.replace('top-1', 'overall')), justify='right')
    if recipe.selected_on:
        table.add_column('best', justify='right')
    for row in rows:
        figures = [row.figure(key, digits) for _, key, digits in columns]
        if recipe.selected_on:
            figures.append(row.figure('accuracy/top1', 2, 'best'))
        table.add_row(*map(Text, (row.label, ', '.join(str(record['seed']) for record in row.records), *figures)))
    return table


def render_table(
    results_by_config: Mapping[str, Sequence[Record]], folder: str = '.', names: Mapping[str, str] | None = None
) -> str:
    """Markdown tables, one a recipe, of all results given.

    Args:
        results_by_config: path below `configs` without `.py` -> its results.
        folder: folder, from the repository's root, of the file that the text shall stand in; the configs are linked
            relative to it.
        names: method's folder -> its name, in the order of the rows (`mmlt.analysis.methods.names_in`); methods that are
            not there come last, called by their folder.

    Returns:
        Text without a newline at its end; one sentence if there is no result. In a method's own folder, runs of several
        experts have a second table.
    """
    records = [{**record, 'config': config} for config, records in results_by_config.items() for record in records]
    if not records:
        return NOTHING_STORED
    parts = []
    for recipe, rows in rows_by_recipe(records).items():
        parts.append(_markdown(recipe, rows, folder, names or {}))
        experts = experts_table(recipe, rows, folder) if folder != '.' else None
        parts += [experts] if experts else []
    parts.append(
        'Accuracies in percent, ECE as a fraction (15 bins), after the last epoch unless the heading says '
        'best; mean ± sample standard deviation over the seeds, a single run where there is one. '
        'Time is the wall-clock time of one run, evaluation included, without the run it goes on from.'
    )
    return '\n\n'.join(parts)


def _markdown(recipe: Recipe, rows: Sequence[Row], folder: str, names: Mapping[str, str]) -> str:
    places = {name: place for place, name in enumerate(names)}
    rows = sorted(rows, key=lambda row: places.get(row.config.split('/')[0], len(places)))
    best = f'best top-1, {SELECTION[recipe.selected_on]}' if recipe.selected_on else None
    headings = ['method', 'config', 'seeds', *(heading for heading, _, _ in recipe.columns)]
    headings += [best] if best else []
    headings += ['precision', 'time', 'device', 'torch']
    lines = [headings, ['---'] * 3 + ['---:'] * (len(headings) - 7) + ['---'] * 4]
    for row in rows:
        first = row.records[0]
        target = posixpath.relpath(f'configs/{row.config}.py', folder)
        figures = [row.figure(key, digits) for _, key, digits in recipe.columns]
        figures += [row.figure('accuracy/top1', 2, 'best')] if best else []
        lines.append(
            [
                method_of(first, names),
                f'[{row.label}]({target})',
                row.seeds(folder),
                *figures,
                first['precision'],
                row.duration,
                row.device,
                first['versions'].get('torch', ABSENT),
            ]
        )
    table = '\n'.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in lines)
    return f'**{recipe.title}**; {recipe.groups}.\n\n{table}'


def format_duration(seconds: float) -> str:
    """A time in words: `42 s`, `12 min 05 s`, `3 h 02 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f'{seconds} s'
    if seconds < 3600:
        return f'{seconds // 60} min {seconds % 60:02d} s'
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min'


def unsourced_figures(text: str) -> list[str]:
    """Lines of Markdown tables that give an accuracy without a stored result or a source behind it.

    A table made by :func:`render_table` stands between markers; any other table that speaks of accuracy must have a
    column `source`.

    Args:
        text: the Markdown outside the markers.
    """
    found, header = [], ''
    for line in text.splitlines():
        if not line.lstrip().startswith('|'):
            header = ''
            continue
        header = header or line.lower()
        of_accuracy = re.search(r'top-?1|accuracy|\b(many|medium|few)\b|mean class|\bece\b', header)
        if of_accuracy and 'source' not in header and re.search(r'(?<![\d.])\d{1,2}\.\d+(?![\d.])', line):
            found.append(line.strip())
    return found
