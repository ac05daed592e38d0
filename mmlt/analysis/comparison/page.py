"""A comparison as a page of plots that needs nothing but itself."""

from collections.abc import Sequence

import numpy as np

from mmlt.analysis.charts import Series
from mmlt.analysis.charts.calibration import prior_plot, priors_of, reliability_plot
from mmlt.analysis.charts.course import curves_plot
from mmlt.analysis.charts.forest import forest_plot, groups_plot
from mmlt.analysis.charts.frequency import frequency_plot
from mmlt.analysis.comparison.contestants import Contestant, Match
from mmlt.analysis.comparison.differences import OVER_IMAGES, OVER_SEEDS, Difference
from mmlt.analysis.comparison.texts import Compared, difference, ends, intervals_of, shown
from mmlt.analysis.pages import Html, columns, folded, join, note, page, section, table, tag
from mmlt.analysis.report.details import frequency_title, measure
from mmlt.analysis.rows import ABSENT, GROUPS, format_duration

MOST = 6  # contestants that a plot tells apart


def comparison_html(compared: Compared) -> str:
    """The page as text."""
    parts = []
    for match, found in compared:
        if len(compared) > 1:
            parts.append(tag('h2', match.recipe.title))
        parts += _sections(match, found)
    first = compared[0][0]
    labels = [one.label for one in first.contestants]
    title = ' and '.join(labels) if len(labels) < 3 else f'{len(labels)} configs compared'
    return page(title, *parts, subtitle=first.recipe.title if len(compared) == 1 else f'{len(compared)} recipes')


def _sections(match: Match, found: Sequence[Difference]) -> list[Html]:
    plotted = match.contestants[:MOST]
    left = len(match.contestants) - len(plotted)
    return [
        section('Figures', _figures(match)),
        section(f'Difference from {match.contestants[0].label}', _forests(match, found)) if found else Html(''),
        note(f'The plots below show the first {MOST}; {left} more are in the tables.') if left else Html(''),
        section(frequency_title(plotted[0].runs[0].record), _frequency(plotted)),
        section('Shot groups', _groups(plotted)),
        section('Calibration and test priors', columns(_reliability(plotted), _priors(plotted))),
        section('Learning curves', _curves(plotted)),
        Html('<h2>Details</h2>'),
        folded('All differences', _differences(found)) if found else Html(''),
        folded('Runs', _runs(match)),
    ]


def _figures(match: Match) -> Html:
    metrics = shown(match)
    headings = ['config', 'seeds', *(metric.name + (' (%)' if metric.unit == '%' else '') for metric in metrics)]
    lines = [[one.label, one.seeds.replace(' ', '\u00a0'), *map(one.figure, metrics)] for one in match.contestants]
    words = f'{"; ".join(["After the last epoch", *match.cautions, match.recipe.groups])}.'
    if any(len(one.runs) > 1 for one in match.contestants):
        words += ' Mean ± sample deviation over the seeds.'
    return join(table(headings, lines, range(2, len(headings)), label='figures'), note(words))


def _forests(match: Match, found: Sequence[Difference]) -> Html:
    wanted = [metric for metric in shown(match) if metric.unit == '%']
    rows = [one for one in found if one.metric in wanted]
    words = ' '.join(text for text, has in ((OVER_SEEDS, any(one.over_seeds for one in rows)),
                                            (OVER_IMAGES, any(one.over_images for one in rows))) if has)  # fmt: skip
    plots = []
    for one in match.contestants[1:]:
        own = [row for row in rows if row.contestant == one.label]
        if own:
            names = [row.metric.name for row in own]
            plots.append(join(tag('h3', one.label), forest_plot(names, [(r.value, r.over_seeds, r.over_images) for r in own])))
    return join(columns(*plots) if len(plots) > 1 else join(*plots), note(words) if words else None)


def _frequency(contestants: Sequence[Contestant]) -> Html | None:
    first = contestants[0].runs[0]
    key = 'recall' if first.per_class('recall') is not None else 'AP'
    same = [one for one in contestants if all(run.classes == first.classes for run in one.runs)]
    series = [Series(one.label, own) for one in same if (own := one.per_class(key)) is not None]
    what = measure(first.record) if key == 'recall' else 'average precision'
    words = 'Means over the seeds.' if any(len(one.runs) > 1 for one in same) else None
    return frequency_plot(first.classes, first.counts, series, first.groups, what, caption=words) if series else None


def _groups(contestants: Sequence[Contestant]) -> Html | None:
    first = contestants[0].runs[0]
    kind = 'mAP' if first.metric('mAP') is not None else 'accuracy'
    names = [name for name in GROUPS if first.metric(f'{kind}/{name}') is not None]
    if not names:
        return None
    sizes = {name: len(ids) for name, ids in first.groups.items()}
    whole = 'mAP' if kind == 'mAP' else 'accuracy/top1'
    keys = {f'{name} ({sizes[name]})' if name in sizes else name: f'{kind}/{name}' for name in names}
    keys |= {'all' if kind == 'mAP' else 'top-1': whole}
    return groups_plot([one.label for one in contestants], list(keys),
                       [[one.values(key) for key in keys.values()] for one in contestants], kind)  # fmt: skip


def _reliability(contestants: Sequence[Contestant]) -> Html | None:
    found = [
        (one.label if len(one.runs) == 1 else f'{one.label}, seed {one.runs[0].record["seed"]}', bins)
        for one in contestants
        if one.runs[0].evaluation and (bins := one.runs[0].evaluation.get('reliability'))
    ]
    return reliability_plot(found) if found else None


def _priors(contestants: Sequence[Contestant]) -> Html | None:
    found = []
    for one in contestants:
        if all(run.evaluation for run in one.runs):
            own = [dict(priors_of(run.evaluation['metrics'])) for run in one.runs]
            found.append((one.label, {key: np.mean([each.get(key, np.nan) for each in own]) for key in own[0]}))
    names = list(found[0][1]) if found else []
    if len(names) < 2:
        return None
    return prior_plot([Series(label, np.array([own.get(key, np.nan) for key in names])) for label, own in found], names)


def _curves(contestants: Sequence[Contestant]) -> Html | None:
    return curves_plot([(one.label, [run.scalars for run in one.runs]) for one in contestants])


def _differences(found: Sequence[Difference]) -> Html:
    intervals = intervals_of(found)
    lines = [[one.contestant, one.metric.name, difference(one), *ends(one, intervals)] for one in found]
    headings = ['config', 'figure', 'difference', *intervals]
    return table(headings, lines, range(2, len(headings)), tall=len(lines) > 30, label='all differences')


def _runs(match: Match) -> Html:
    lines = []
    for one in match.contestants:
        for run in one.runs:
            record = run.record
            time = ABSENT if record['wall_seconds'] is None else format_duration(record['wall_seconds'])
            lines.append([str(run.path), one.label, str(record['seed']), record['precision'], record['device'], time,
                          tag('code', record['config_hash'][:12])])  # fmt: skip
    return table(['run', 'config', 'seed', 'precision', 'device', 'time', 'config hash'], lines, label='runs')
