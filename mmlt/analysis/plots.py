"""Per-class accuracy over class frequency, as a picture."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.analysis.charts import segments, smoothed
from mmlt.errors import UserError
from mmlt.files import atomic_write

# Okabe and Ito's palette, told apart by colour-blind readers; marker and line style tell the runs apart in grey too.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00')
MARKERS = ('o', 's', '^', 'D', 'v', 'P')
LINES = ('-', '--', '-.', ':', '-', '--')
BARS = '#DFE2E6'
MUTED = '#5F6670'
FEW_CLASSES = 20  # up to here every class has its own marker and nothing is smoothed
MANY_CLASSES = 300  # from here on the single classes would hide the lines

Runs = Mapping[str, tuple[Sequence[int], Sequence[float | None]]]


def plot_per_class(
    path: str | Path, runs: Runs, shot_groups: Mapping[str, Any] | None = None, measure: str = 'accuracy'
) -> Path:
    """Write a PNG of each class's accuracy, classes sorted by how many training images they have.

    Grey bars at the back show the training images on a log axis. With many classes a line is a running mean over
    neighbours in the same shot group, and the classes themselves are faint points.

    Args:
        path: the PNG file.
        runs: label -> (class counts (K,), the measure of each class (K,) in percent, None or NaN where there is none); at most
            six, all trained with the same class counts.
        shot_groups: group name -> class ids, marked where given; from :func:`mmlt.priors.shot_groups`.
        measure: what the runs give of a class, in words.

    Raises:
        UserError: there is no run, there are too many, or their classes differ.
    """
    return atomic_write(path, per_class_png(runs, shot_groups, measure))


def per_class_png(runs: Runs, shot_groups: Mapping[str, Any] | None = None, measure: str = 'accuracy') -> bytes:
    """The picture of :func:`plot_per_class` as the content of a PNG file; arguments as there."""
    # The object interface leaves the caller's backend and open figures alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts, accuracies = _checked(runs)
    order = np.argsort(-counts, kind='stable')
    group_of = _group_numbers(len(counts), shot_groups)[order]

    figure = Figure(figsize=(9, 4.4), dpi=144, layout='constrained')
    FigureCanvasAgg(figure)
    frequency = figure.add_subplot()
    accuracy = frequency.twinx()
    _style(frequency, accuracy, measure)
    bars = _draw_frequency(frequency, counts[order])
    for number, (label, values) in enumerate(accuracies.items()):
        _draw_run(accuracy, number, label, values[order], group_of, raw=len(accuracies) <= 3)
    _draw_groups(accuracy, group_of, shot_groups)
    accuracy.set_xlim(-0.6, len(counts) - 0.4)
    # Above the picture: no corner of it is free for every run.
    handles, labels = accuracy.get_legend_handles_labels()
    columns = max(1, min(4, 135 // (max(map(len, labels)) + 4)))
    figure.legend(
        [*handles, bars],
        [*labels, ' training images'],
        loc='outside upper left',
        ncols=columns,
        frameon=False,
        fontsize=9,
    )

    content = io.BytesIO()
    figure.savefig(content, format='png', metadata={'Software': 'mmlt'})  # by which tools/compare.py knows its own
    return content.getvalue()


def _checked(runs: Runs) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if not 1 <= len(runs) <= len(COLOURS):
        raise UserError(f'a per-class plot shows 1 to {len(COLOURS)} runs, got {len(runs)}: name fewer of them.')
    counts = np.asarray(next(iter(runs.values()))[0], dtype=np.int64)
    accuracies = {}
    for label, (own_counts, values) in runs.items():
        values = np.array([np.nan if value is None else float(value) for value in values])
        if not np.array_equal(own_counts, counts) or len(values) != len(counts):
            raise UserError(
                f'the run {label!r} has other classes or class counts than the first run: plot runs '
                'that were trained on the same data.'
            )
        accuracies[label] = values
    return counts, accuracies


def _group_numbers(num_classes: int, shot_groups: Mapping[str, Any] | None) -> np.ndarray:
    numbers = np.full(num_classes, -1)
    for number, ids in enumerate((shot_groups or {}).values()):
        numbers[np.asarray(ids, dtype=np.int64)] = number
    return numbers


def _style(frequency: Any, accuracy: Any, measure: str) -> None:
    # Accuracy is the picture's subject: it takes the left axis and lies above the bars.
    accuracy.yaxis.tick_left()
    accuracy.yaxis.set_label_position('left')
    frequency.yaxis.tick_right()
    frequency.yaxis.set_label_position('right')
    accuracy.set_ylim(0, 100)
    accuracy.set_ylabel(f'{measure} of the class (%)')
    accuracy.grid(axis='y', color='#B8BEC6', linewidth=0.5, alpha=0.6)
    frequency.set_xlabel('rank of the class, from the most to the fewest training images')
    frequency.set_ylabel('training images', color=MUTED)
    frequency.tick_params(axis='y', which='both', colors=MUTED)
    for axes in (frequency, accuracy):
        axes.spines['top'].set_visible(False)


def _draw_frequency(axes: Any, counts: np.ndarray) -> Any:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    heights = np.maximum(counts, 0.5)
    if len(counts) <= FEW_CLASSES:
        bars = axes.bar(np.arange(len(counts)), heights, width=0.8, color=BARS)
    else:
        bars = axes.stairs(heights, np.arange(len(counts) + 1) - 0.5, baseline=0.5, fill=True, color=BARS)
    axes.set_yscale('log')
    axes.set_ylim(0.5, max(counts.max(), 1) * 1.6)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.yaxis.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(nbins=11, integer=True, min_n_ticks=1))
    return bars


def _draw_run(axes: Any, number: int, label: str, values: np.ndarray, group_of: np.ndarray, raw: bool) -> None:
    place, colour = np.arange(len(values)), COLOURS[number]
    few_classes = len(values) <= FEW_CLASSES
    lines = values if few_classes else smoothed(values, group_of, max(7, 2 * (len(values) // 30) + 1))
    if raw and not few_classes and len(values) <= MANY_CLASSES:
        axes.scatter(place, values, s=9, color=colour, marker=MARKERS[number], alpha=0.35, linewidths=0)
    overall = f' (mean {np.nanmean(values):.1f} %)' if not np.isnan(values).all() else ''
    text = f' {label}{overall}'.replace('$', r'\$')  # matplotlib drops labels that begin with _ and reads $ as TeX
    style = {'color': colour, 'linestyle': LINES[number], 'linewidth': 2, 'zorder': 3}
    if few_classes:
        style |= {'marker': MARKERS[number], 'markersize': 5}
    for start, stop in [(0, len(values))] if few_classes else segments(group_of):
        axes.plot(place[start:stop], lines[start:stop], label=text if start == 0 else None, **style)


def _draw_groups(axes: Any, group_of: np.ndarray, shot_groups: Mapping[str, Any] | None) -> None:
    names = list(shot_groups or {})
    parts = segments(group_of)
    for start, stop in parts:
        if start:
            axes.axvline(start - 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        # Groups cut by index, not by count, interleave here: then only the borders are drawn.
        if names and group_of[start] >= 0 and len(parts) <= len(names):
            text = f'{names[group_of[start]]} ({stop - start})'
            axes.text(
                (start + stop - 1) / 2,
                1.01,
                text,
                transform=axes.get_xaxis_transform(),
                ha='center',
                va='bottom',
                fontsize=9,
                color=MUTED,
            )
