"""A comparison as text: for the terminal, Markdown, CSV and LaTeX."""

import csv
import io
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmlt.analysis.comparison.contestants import Match
from mmlt.analysis.comparison.differences import OVER_IMAGES, OVER_SEEDS, Difference
from mmlt.analysis.report.metrics import Metric
from mmlt.analysis.rows import ABSENT, GROUPS, IOU_TYPES

if TYPE_CHECKING:
    from rich.table import Table

# What a table that must fit a page or a terminal shows; CSV has everything.
SHORT = {
    'accuracy/top1': 'top-1', 'accuracy/mean_class': 'mean class', **{f'accuracy/{name}': name for name in GROUPS},
    'calibration/ece': 'ECE', 'nll': 'NLL', 'mAP': 'mAP', **{f'mAP/{name}': f'mAP {name}' for name in GROUPS},
    'AUROC': 'AUROC', 'F1': 'F1',
    **{f'{kind}/{key}': f'{word} {key}' for kind, word in IOU_TYPES.items() for key in ('AP', 'APr', 'APc', 'APf')},
}  # fmt: skip
LATEX = {letter: rf'\{letter}' for letter in '&%$#_{}'} | {
    '\\': r'\textbackslash{}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '±': r'$\pm$',
    '<': r'\textless{}', '>': r'\textgreater{}',
}  # fmt: skip
Compared = Sequence[tuple[Match, Sequence[Difference]]]


def shown(match: Match) -> list[Metric]:
    """The metrics of a short table."""
    found = [metric for metric in match.metrics if metric.key in SHORT]
    both = [[one.values(f'accuracy/{name}') for one in match.contestants] for name in ('top1', 'mean_class')]
    pairs = [pair for one in zip(*both, strict=True) for pair in zip(*one, strict=False)]
    alike = pairs and all(abs(top - mean) < 0.005 for top, mean in pairs)  # of a balanced test set they are one figure
    return [metric for metric in found if not (alike and metric.key == 'accuracy/mean_class')]


def interval(metric: Metric, ends: tuple[float, float] | None) -> str:
    """`-0.12 to +1.40`."""
    return ABSENT if ends is None else f'{ends[0]:+.{metric.digits}f} to {ends[1]:+.{metric.digits}f}'


def intervals_of(rows: Sequence[Difference]) -> dict[str, str]:
    """Headings of the intervals that at least one difference has, and where a difference holds them."""
    kinds = {'95 % over seeds': 'over_seeds', '95 % over test images': 'over_images'}
    return {heading: name for heading, name in kinds.items() if any(getattr(one, name) for one in rows)}


def ends(one: Difference, intervals: dict[str, str]) -> list[str]:
    """A difference's intervals in words; see `intervals_of`."""
    return [interval(one.metric, getattr(one, name)) for name in intervals.values()]


def difference(one: Difference) -> str:
    """`+1.40`."""
    return f'{one.value:+.{one.metric.digits}f}'


def for_terminal(compared: Compared) -> list['Table']:
    """Rich tables: of each match the figures, and under them the differences from its first contestant."""
    from rich.table import Table
    from rich.text import Text

    tables = []
    for match, found in compared:
        metrics = shown(match)
        table = Table(title=Text(match.recipe.title), caption=Text(_caption(match)))
        table.add_column('config', overflow='fold', min_width=max(len(one.label) for one in match.contestants))
        table.add_column('seeds')
        for metric in metrics:
            table.add_column(SHORT[metric.key], justify='right')
        for one in match.contestants:
            table.add_row(Text(one.label), one.seeds, *map(one.figure, metrics))
        tables.append(table)
        rows = [one for one in found if one.metric in metrics]
        if rows:
            table = Table(title=Text(f'difference from {match.contestants[0].label}'), caption=Text(_explained(rows)))
            intervals = intervals_of(rows)
            for heading in ('config', 'figure', 'difference', *intervals):
                table.add_column(heading, justify='left' if heading in ('config', 'figure') else 'right')
            before = None
            for one in rows:
                if before not in (None, one.contestant):
                    table.add_section()
                style = {True: 'green', False: 'red', None: ''}[one.better]
                table.add_row(Text(one.contestant if one.contestant != before else ''), SHORT[one.metric.key],
                              Text(difference(one), style), *ends(one, intervals))  # fmt: skip
                before = one.contestant
            tables.append(table)
    return tables


def _caption(match: Match) -> str:
    percent = any(metric.unit == '%' for metric in shown(match))
    several = any(len(one.runs) > 1 for one in match.contestants)
    parts = ['last epoch' + (', percent' if percent else ''), *match.cautions]
    parts += ['mean ± sample deviation over seeds'] if several else []
    return '; '.join([*parts, match.recipe.groups])


def _explained(rows: Sequence[Difference]) -> str:
    words = [OVER_SEEDS] if any(one.over_seeds for one in rows) else []
    words += [OVER_IMAGES] if any(one.over_images for one in rows) else []
    return ' '.join(words) or (
        'No intervals: they need two seeds or more of each config, or the predictions of the same test images.'
    )


def markdown(compared: Compared) -> str:
    """Tables in Markdown."""
    parts = []
    for match, found in compared:
        metrics = shown(match)
        lines = [['config', 'seeds', *(SHORT[metric.key] for metric in metrics)], ['---', '---', *['---:'] * len(metrics)]]
        lines += [[one.label, one.seeds, *map(one.figure, metrics)] for one in match.contestants]
        parts.append(f'**{match.recipe.title}**; {_caption(match)}.\n\n{_piped(lines)}')
        rows = [one for one in found if one.metric in metrics]
        if rows:
            intervals = intervals_of(rows)
            lines = [['config', 'figure', 'difference', *intervals], ['---', '---', '---:', *['---:'] * len(intervals)]]
            lines += [[one.contestant, SHORT[one.metric.key], difference(one), *ends(one, intervals)] for one in rows]
            parts.append(f'Difference from {match.contestants[0].label}. {_explained(rows)}\n\n{_piped(lines)}')
    return '\n\n'.join(parts) + '\n'


def _piped(lines: Sequence[Sequence[str]]) -> str:
    return '\n'.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in lines)


def comma_separated(compared: Compared) -> str:
    """Every figure of every contestant, a line each, at full precision; no value is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow([
        'recipe', 'config', 'seeds', 'metric', 'runs', 'mean', 'deviation', 'against', 'difference',
        'seeds_low', 'seeds_high', 'images_low', 'images_high',
    ])  # fmt: skip
    for match, found in compared:
        of = {(one.contestant, one.metric.key): one for one in found}
        for one in match.contestants:
            for metric in match.metrics:
                if values := one.values(metric.key):
                    apart = of.get((one.label, metric.key))
                    more = [''] * 5
                    if apart:
                        more = [apart.value, *(apart.over_seeds or ('', '')), *(apart.over_images or ('', ''))]
                    deviation = statistics.stdev(values) if len(values) > 1 else ''
                    writer.writerow([
                        match.recipe.title, one.label, one.seeds, metric.key, len(values), statistics.fmean(values), deviation,
                        match.contestants[0].label if apart else '', *more,
                    ])  # fmt: skip
    return text.getvalue()


def latex(compared: Compared) -> str:
    """Tables for LaTeX's booktabs; the best mean of a column is bold."""
    parts = []
    for match, _ in compared:
        metrics = shown(match)
        best = {}
        for metric in metrics:
            means = {n: statistics.fmean(own) for n, one in enumerate(match.contestants) if (own := one.values(metric.key))}
            if len(means) > 1:
                best[metric.key] = (max if metric.higher else min)(means, key=means.get)
        lines = []
        for n, one in enumerate(match.contestants):
            cells = [_escaped(one.figure(metric)) for metric in metrics]
            cells = [rf'\textbf{{{cell}}}' if best.get(metric.key) == n else cell
                     for cell, metric in zip(cells, metrics, strict=True)]  # fmt: skip
            lines.append(' & '.join([_escaped(one.label), *cells]) + r' \\')
        headings = ' & '.join(['method', *(_escaped(SHORT[metric.key]) for metric in metrics)])
        parts.append('\n'.join([
            f'% {match.recipe.title}; {_caption(match)}',
            rf'\begin{{tabular}}{{l{"r" * len(metrics)}}}', r'\toprule', headings + r' \\', r'\midrule', *lines,
            r'\bottomrule', r'\end{tabular}',
        ]))  # fmt: skip
    return '\n\n'.join(parts) + '\n'


def _escaped(text: str) -> str:
    return ''.join(LATEX.get(letter, letter) for letter in text)
