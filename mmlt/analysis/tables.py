"""Tables of results, for the terminal and for READMEs: one table a recipe, seeds taken together."""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mmlt.analysis.evidence import SOURCES, published_columns
from mmlt.analysis.experts_table import experts_table
from mmlt.analysis.methods import method_of
from mmlt.analysis.rows import ABSENT, EARLIER, IOU_TYPES, MEASURES, Recipe, Record, Row, rows_by_recipe
from mmlt.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

NOTHING_STORED = 'No finished run is stored yet.'
UNITS = {
    MEASURES['one label']: 'accuracies in percent, ECE as a fraction (15 bins)',
    MEASURES['several labels']: 'mean average precision (mAP), AUROC and F1 in percent, means over classes',
    MEASURES['detection']: 'average precisions (AP) in percent by the rules of LVIS: of all, rare (r), common (c) and frequent '
    '(f) classes',
}
SUMMARY = ('accuracy/top1', 'accuracy/many', 'accuracy/medium', 'accuracy/few', 'mAP', 'mAP/many', 'mAP/medium', 'mAP/few')
SUMMARY += tuple(f'{kind}/{name}' for kind in IOU_TYPES for name in ('AP', 'APr', 'APc', 'APf'))
EPOCHS = re.compile(r'\d+e')  # in a config's name
SELECTION = {'test': 'chosen on the test set', 'holdout': 'chosen on a holdout of the training set'}


def comparison_table(results: Sequence[Record]) -> 'Table':
    """A table of runs of one recipe, for the terminal.

    Args:
        results: records as :func:`mmlt.analysis.results.read_results` gives them, at least one.

    Returns:
        Last-epoch figures, and the best epoch's by the metric that chose it; seeds of a config are taken together.

    Raises:
        UserError: there is no result, or the results have different recipes (see :func:`comparison_tables`).
    """
    tables = comparison_tables(results)
    if len(tables) != 1:
        raise UserError(
            f'{len(results)} results of {len(tables)} recipes cannot stand in one table: compare runs with the same '
            'data, epochs, shot groups and test images.'
        )
    return tables[0]


def comparison_tables(results: Sequence[Record]) -> list['Table']:
    """One table a recipe; see :func:`comparison_table`."""
    return [_comparison(recipe, rows) for recipe, rows in rows_by_recipe(results).items()]


def _comparison(recipe: Recipe, rows: Sequence[Row]) -> 'Table':
    from rich.table import Table
    from rich.text import Text

    best = f'; {recipe.best[0]}: {SELECTION[recipe.selected_on]}' if recipe.best else ''
    best += f'; {EARLIER}' if any(row.earlier for row in rows) else ''
    table = Table(
        title=Text(recipe.title), caption=Text(f'{recipe.measures} in percent after the last epoch{best}; {recipe.groups}')
    )
    table.add_column('config', overflow='fold', min_width=max(len(row.config) for row in rows))
    table.add_column('seeds')
    columns = [column for column in recipe.columns if column[1] != 'accuracy/mean_class']  # a line must fit 80 columns
    for heading, _, _ in columns:
        table.add_column(Text(heading.replace('top-1', 'overall')), justify='right')
    if recipe.best:
        table.add_column('best', justify='right')
    for row in rows:
        figures = [row.figure(key, digits) for _, key, digits in columns]
        if recipe.best:
            figures.append(row.figure(*recipe.best[1:], 'best'))
        table.add_row(*map(Text, (row.label, ', '.join(str(record['seed']) for record in row.records), *figures)))
    return table


def render_table(
    results_by_config: Mapping[str, Sequence[Record]],
    folder: str = '.',
    names: Mapping[str, str] | None = None,
    published: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Markdown tables, one a recipe, of all results given.

    Args:
        results_by_config: path below `configs` without `.py` -> its results.
        folder: folder, from the repository's root, of the file that the text shall stand in; the configs are linked
            relative to it.
        names: method's folder -> its name, in the order of the rows (`mmlt.analysis.methods.names_in`); methods that are
            not there come last, called by their folder.
        published: config -> top-1 accuracies that others report for its recipe (`mmlt.analysis.evidence.read_published`).

    Returns:
        Text without a newline at its end; one sentence if there is no result. In a method's own folder, runs of several
        experts have a second table.
    """
    records = [{**record, 'config': config} for config, records in results_by_config.items() for record in records]
    if not records:
        return NOTHING_STORED
    parts = []
    for recipe, rows in rows_by_recipe(records).items():
        parts.append(_markdown(recipe, rows, folder, results_by_config, names or {}, published or {}))
        experts = experts_table(recipe, rows, folder) if folder != '.' else None
        parts += [experts] if experts else []
    earlier = f'; {EARLIER}' if any(row.earlier for rows in rows_by_recipe(records).values() for row in rows) else ''
    found = {recipe.measures for recipe in rows_by_recipe(records)}
    units = '; '.join(text for measures, text in UNITS.items() if measures in found)
    parts.append(
        f'{units[0].upper()}{units[1:]}{"; all" if len(found) > 1 else ","} after the last epoch unless the heading says '
        f'best{earlier}; mean ± sample standard deviation over the seeds, a single run where there is one. '
        'Time is the wall-clock time of one run, evaluation included, without the run it goes on from.'
    )
    return '\n\n'.join(parts)


def render_summary(
    results_by_config: Mapping[str, Sequence[Record]], folder: str = '.', names: Mapping[str, str] | None = None
) -> str:
    """The same tables at a glance: method, top-1, shot groups and seeds; arguments as :func:`render_table`. Runs on some of the
    classes, which are teachers, are left out."""
    records = [{**record, 'config': config} for config, records in results_by_config.items() for record in records]
    records = [record for record in records if not record['data'].get('kept_classes')]
    if not records:
        return NOTHING_STORED
    parts = []
    for recipe, rows in rows_by_recipe(records).items():
        columns = [column for column in recipe.columns if column[1] in SUMMARY]
        lines = [['method', *(heading for heading, _, _ in columns), 'seeds'], ['---', *['---:'] * (len(columns) + 1)]]
        for row in _in_order(rows, names or {}):
            target = posixpath.relpath(f'configs/{row.config}.py', folder)
            method = _method(row, rows, results_by_config, names or {}) + row.label.removeprefix(row.config)
            figures = [row.figure(key, digits) for _, key, digits in columns]
            lines.append([f'[{method}]({target})', *figures, str(len(row.records))])
        parts.append(f'**{recipe.title}**\n\n{_table(lines)}')
    return '\n\n'.join(parts)


def _in_order(rows: Sequence[Row], names: Mapping[str, str]) -> list[Row]:
    places = {name: place for place, name in enumerate(names)}
    return sorted(rows, key=lambda row: places.get(row.config.split('/')[0], len(places)))


def _method(row: Row, rows: Sequence[Row], configs: Iterable[str], names: Mapping[str, str]) -> str:
    """The method, and what its config's name has beyond the plain one: the method's own, else the shortest of the recipe.

    Args:
        row: the line.
        rows: all lines of its recipe.
        configs: of all recipes: a teacher of some classes has one of its own.
        names: see `render_table`.
    """
    folder, _, own = row.config.rpartition('/')
    words = own.split('_')
    files = (config.removeprefix(f'{folder}/').split('_') for config in configs if config.startswith(f'{folder}/'))
    plain = [file for file in files if set(file) < set(words) and set(words) - set(file) - set(EPOCHS.findall(own))]
    usual = min(plain or [one.config.rpartition('/')[2].split('_') for one in rows], key=len)
    variant = ' '.join(word for word in words if word not in usual and not EPOCHS.fullmatch(word))
    return f'{method_of(row.records[0], names)}{f", {variant}" if variant else ""}'


def _table(lines: Sequence[Sequence[str]]) -> str:
    return '\n'.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in lines)


def _markdown(
    recipe: Recipe,
    rows: Sequence[Row],
    folder: str,
    configs: Iterable[str],
    names: Mapping[str, str],
    published: Mapping[str, Sequence[float]],
) -> str:
    rows = _in_order(rows, names)
    best = f'{recipe.best[0]}, {SELECTION[recipe.selected_on]}' if recipe.best else None
    headings = ['method', 'config', 'seeds', *(heading for heading, _, _ in recipe.columns)]
    headings += [best] if best else []
    compared = any(row.config in published for row in rows)
    headings += [f'[published]({posixpath.relpath(SOURCES, folder)}) top-1', 'difference'] if compared else []
    headings += ['precision', 'time', 'device', 'torch']
    lines = [headings, ['---'] * 3 + ['---:'] * (len(headings) - 7) + ['---'] * 4]
    for row in rows:
        first = row.records[0]
        target = posixpath.relpath(f'configs/{row.config}.py', folder)
        figures = [row.figure(key, digits) for _, key, digits in recipe.columns]
        figures += [row.figure(*recipe.best[1:], 'best')] if recipe.best else []
        figures += published_columns(row, published) if compared else []
        lines.append(
            [
                _method(row, rows, configs, names),
                f'[{row.label}]({target})',
                row.seeds(folder),
                *figures,
                first['precision'],
                row.duration,
                row.device,
                first['versions'].get('torch', ABSENT),
            ]
        )
    return f'**{recipe.title}**; {recipe.groups}.\n\n{_table(lines)}'


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
