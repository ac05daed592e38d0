"""The figures of a run in words: tiles at the top, and the whole table."""

from collections.abc import Sequence
from typing import NamedTuple

from mmlt.analysis.methods import earlier_epoch, epoch_in_words
from mmlt.analysis.pages import Html, folded, join, note, table, tag, tiles
from mmlt.analysis.rows import ABSENT, GROUPS, IOU_TYPES, PRECISIONS
from mmlt.analysis.run_files import RunFiles, apart

NOTE = {
    'test': 'The best epoch was chosen on the test set, so its figures are optimistic; the last epoch was not chosen.',
    'holdout': 'The best epoch was chosen on a hold-out of the training set; the test set had no say in it.',
}


class Metric(NamedTuple):
    """A figure: its key in the files, its name, its unit, the digits shown, and whether more is better."""

    key: str
    name: str
    unit: str = '%'
    digits: int = 2
    higher: bool = True

    def show(self, value: float | None, unit: bool = False) -> str:
        """The figure in words."""
        return ABSENT if value is None else f'{value:.{self.digits}f}' + (f' {self.unit}' if unit and self.unit == '%' else '')


def _macro(key: str, name: str) -> list[Metric]:
    return [
        Metric(f'{key}/macro', f'{name}, mean over classes'),
        *(Metric(f'{key}/{group}', f'{name}, {group}-shot') for group in GROUPS),
    ]


SINGLE = [
    Metric('accuracy/top1', 'top-1 accuracy'),
    Metric('accuracy/top5', 'top-5 accuracy'),
    Metric('accuracy/mean_class', 'mean class accuracy'),
    Metric('accuracy/harmonic_mean', 'harmonic mean of class accuracies'),
    Metric('accuracy/geometric_mean', 'geometric mean of class accuracies'),
    *(Metric(f'accuracy/{group}', f'{group}-shot accuracy') for group in GROUPS),
    *_macro('precision', 'precision'),
    Metric('recall/macro', 'recall, mean over classes'),  # by group these are the group accuracies
    *_macro('f1', 'F1'),
    Metric('calibration/ece', 'expected calibration error (0 to 1)', '', 4, False),
    Metric('calibration/classwise_ece', 'class-wise calibration error (0 to 1)', '', 4, False),
    Metric('calibration/mce', 'maximum calibration error (0 to 1)', '', 4, False),
    Metric('calibration/brier', 'Brier score (0 to 2)', '', 4, False),
    Metric('nll', 'negative log-likelihood (nats)', '', 4, False),
]
SEVERAL = [
    Metric(f'{key}/{group}' if group else key, f'{name}, {group}-shot' if group else name)
    for key, name in (('mAP', 'mean average precision'), ('AUROC', 'area under the ROC curve'), ('F1', 'macro F1'))
    for group in ('', *GROUPS)
]
BOXES = [Metric(f'{kind}/{name}', f'{word} {name}') for kind, word in IOU_TYPES.items() for name in (*PRECISIONS, 'AP75')]
# In a table of its own that the reader opens.
FURTHER = ('precision/', 'recall/', 'f1/', 'calibration/classwise', 'calibration/mce', 'calibration/brier')
HIDDEN = ('prior/', 'recall/', 'experts/weights')  # said elsewhere on the page, or twice


def known_metrics(run: RunFiles) -> list[Metric]:
    """The figures that a run has: those with a name in their order, then what else a metric gave, under its own name."""
    own = {**run.record['last']['metrics'], **(run.evaluation or {}).get('metrics', {})}
    named = [metric for metric in (*SINGLE, *SEVERAL, *BOXES) if own.get(metric.key) is not None]
    keys = {metric.key for metric in named}
    others = [key for key, value in own.items() if key not in keys and value is not None and not key.startswith(HIDDEN)]
    return [*named, *(Metric(key, key, '', 4) for key in others)]


def headline(run: RunFiles, keys: Sequence[tuple[str, str]]) -> Html:
    """The most important figures as tiles, each with its interval and the figure of the first run that this one builds on and
    compares with.

    Args:
        run: the run.
        keys: of the metrics and short names for the tiles.
    """
    names = {metric.key: metric for metric in known_metrics(run)}
    role, before = next(((role, one) for role, one in run.before.items() if not apart(run, one)), (None, None))
    sizes = {name: len(ids) for name, ids in run.groups.items()}
    entries = []
    for key, short in keys:
        if metric := names.get(key):
            lines = []
            if interval := run.interval(key):
                lines.append(f'{metric.show(interval[0])} to {metric.show(interval[1])}')
            if before and (other := before.metric(key)) is not None:
                lines.append(_difference(metric, run.metric(key), other, in_words(role)))
            if size := sizes.get(key.rpartition('/')[2]):
                lines.append(f'{size} class{"es" if size > 1 else ""}')
            entries.append((short, metric.show(run.metric(key)), metric.unit, lines))
    level = ((run.evaluation or {}).get('intervals') or {}).get('level')
    words = epoch_in_words(run.record)
    if level and any(run.interval(key) for key, _ in keys):
        times = run.evaluation['intervals'].get('resamples')
        words += f' The second line is the {100 * level:.0f} % interval' + (
            f' over {times:,} bootstrap resamples of the test images.' if times else '.'
        )
    return join(tiles(entries), note(words)) if entries else Html('')


def _difference(metric: Metric, own: float, other: float, role: str) -> Html:
    better = (own > other) == metric.higher
    sign = tag('span', f'{own - other:+.{metric.digits}f}', cls='good' if better else 'bad', style='display:inline')
    return Html(f'{tag("i", role, style="font-style:normal")} {metric.show(other)} ({sign})')


def metrics_table(run: RunFiles) -> Html:
    """Every figure: last epoch, its interval, best epoch, and the runs that this one builds on."""
    record, best = run.record, run.record['best']
    chosen = best['selected_on'] is not None
    intervals = ((run.evaluation or {}).get('intervals') or {}).get('level')
    others = list(run.before.items())[:3]
    which = f'epoch {record["last"]["epoch"]}' if earlier_epoch(record) else _epoch('last', record['last'])
    headings = ['metric', which]
    headings += [f'{100 * intervals:.0f} % interval'] if intervals else []
    headings += [_epoch('best', best)] if chosen else []
    headings += [in_words(role) + (f' ({why})' if (why := apart(run, one)) else '') for role, one in others]
    lines: dict[bool, list] = {True: [], False: []}
    for metric in known_metrics(run):
        name = f'{metric.name} (%)' if metric.unit == '%' else metric.name
        line = [name, metric.show(run.metric(metric.key))]
        if intervals:
            interval = run.interval(metric.key)
            line.append(f'{metric.show(interval[0])} to {metric.show(interval[1])}' if interval else ABSENT)
        if chosen:
            line.append(metric.show(best['metrics'].get(metric.key)))
        lines[metric.key.startswith(FURTHER)].append([*line, *(metric.show(other.metric(metric.key)) for _, other in others)])
    words = NOTE.get(best['selected_on'])
    right = range(1, len(headings))
    more = table(headings, lines[True], right, label='further metrics') if lines[True] else None
    return join(
        table(headings, lines[False], right, label='metrics'),
        note(words) if words else None,
        folded('Precision, recall, F1 and further measures of calibration', more),
    )


def _epoch(which: str, part: dict) -> str:
    by = part.get('selected_by', 'accuracy/top1')
    if part['epoch'] is None:
        return which
    return f'{which} (epoch {part["epoch"]}{"" if by == "accuracy/top1" else f", by {by}"})'


def in_words(role: str) -> str:
    """The role of an earlier run for readers: `teacher`, `teacher 2`."""
    name, _, place = role.partition('.')
    return f'{name} {int(place) + 1}' if place.isdecimal() else name.replace('_', ' ')
