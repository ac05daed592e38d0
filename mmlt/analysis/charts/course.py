"""Learning curves: what a run wrote into its scalars.jsonl."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmlt.analysis.pages import Html, Plot, axis_end, figure, legend, responsive, single
from mmlt.analysis.rows import GROUPS, IOU_TYPES

MOST = 400  # points of a curve; longer ones are means over neighbours
SIZE = (440, 300)
ACCURACIES = [('accuracy/top1', 'top-1'), *((f'accuracy/{name}', f'{name}-shot') for name in GROUPS)]
PRECISIONS = [('mAP', 'all classes'), *((f'mAP/{name}', f'{name}-shot') for name in GROUPS)]
BOXES = {'AP': 'all classes', 'APf': 'frequent', 'APc': 'common', 'APr': 'rare'}


def training_loss(lines: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The losses by epoch.

    Args:
        lines: of scalars.jsonl.

    Returns:
        When each was written, in epochs with fractions (n,), and each loss by name (n,), the total first.
    """
    losses = [line for line in lines if 'lr' in line and 'loss' in line]
    last_steps = {}
    for line in losses:
        last_steps[line['epoch']] = max(line['step'], last_steps.get(line['epoch'], 0))
    steps_an_epoch = max(1.0, np.median(np.diff([0, *sorted(last_steps.values())]))) if last_steps else 1.0
    names = ['loss', *(name for name in losses[-1] if name.startswith('loss_'))] if losses else []
    found = {name: np.array([float(line.get(name, np.nan)) for line in losses]) for name in names}
    if len(names) == 2:  # the total and its only part
        del found[names[1]]
    return np.array([line['step'] for line in losses]) / steps_an_epoch, found


def evaluations(lines: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The epochs that were evaluated, and each metric there (those that were never evaluated are left out)."""
    found = {line['epoch']: line for line in lines if 'lr' not in line and any(key in line for key in keys)}
    epochs = sorted(found)
    values = {key: np.array([float(found[epoch].get(key, np.nan)) for epoch in epochs]) for key in keys}
    return np.array(epochs), {key: each for key, each in values.items() if np.isfinite(each).any()}


def loss_plot(lines: Sequence[Mapping[str, Any]]) -> Html | None:
    """The training loss and its parts over the epochs; None where nothing was written."""
    epochs, losses = training_loss(lines)
    if len(epochs) < 2:
        return None
    shown = dict(list(losses.items())[:6])
    whole = np.concatenate([each[np.isfinite(each)] for each in shown.values()])
    top = axis_end(np.quantile(whole, 0.995)[None]) if len(whole) else 1.0
    plot = Plot(*SIZE, (0, max(epochs[-1], 1)), (0, top))
    plot.y_axis('training loss')
    plot.x_axis('epoch')
    for number, each in enumerate(shown.values(), start=1):
        plot.line(thinned(epochs), np.minimum(thinned(each), top), number)
    names = ['total' if name == 'loss' else name.removeprefix('loss_') for name in shown]
    key = legend(list(enumerate(names, start=1))) if len(shown) > 1 else None
    return figure(single(plot, 'training loss by epoch'), legend=key)


def metric_plot(lines: Sequence[Mapping[str, Any]], best: int | None = None) -> Html | None:
    """Accuracies, or average precisions, at the epochs that were evaluated; None for fewer than two of these.

    Args:
        lines: of scalars.jsonl.
        best: the epoch that counts as best, marked.
    """
    kinds = {'accuracy': ACCURACIES, 'average precision': PRECISIONS}
    for kind, word in reversed(IOU_TYPES.items()):
        kinds[f'{word} AP'] = [(f'{kind}/{key}', name) for key, name in BOXES.items()]
    curves = {title: evaluations(lines, [key for key, _ in wanted]) for title, wanted in kinds.items()}
    title = next((title for title, (epochs, _) in curves.items() if len(epochs) > 1), None)
    if title is None:
        return None
    wanted, (epochs, found) = kinds[title], curves[title]
    plot = Plot(*SIZE, (0, epochs[-1]), (0, 100))
    plot.y_axis(f'{title}, evaluated images (%)')
    plot.x_axis('epoch')
    entries = []
    for number, (key, name) in enumerate(wanted, start=1):
        if key in found:
            entries.append((number, name))
            plot.line(epochs, found[key], number)
            if len(epochs) <= 40:
                tips = [f'epoch {epoch}: {name} {value:.2f} %' for epoch, value in zip(epochs, found[key], strict=True)]
                plot.points(epochs, found[key], number, 2.6, tips)
    if best is not None and 0 < best < epochs[-1]:
        plot.cut(best)
        plot.label(plot.x(best) - 5, plot.bottom - 8, f'best: {best}', 'end', cls='soft')
    return figure(single(plot, f'{title} by epoch'), legend=legend(entries))


def thinned(values: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most `most` values: means over blocks of neighbours."""
    if len(values) <= most:
        return values
    parts = np.array_split(values, most)
    return np.array([part.mean() for part in parts])


def curves_plot(runs: Sequence[tuple[str, Sequence[Sequence[Mapping[str, Any]]]]]) -> Html | None:
    """Several contestants' main metric at the epochs that were evaluated, the mean over their runs.

    Args:
        runs: name of each contestant and the lines of each of its runs.

    Returns:
        None where fewer than two epochs were evaluated.
    """
    keys = {'top-1 accuracy': 'accuracy/top1', 'mAP': 'mAP', 'mask AP': 'segm/AP', 'box AP': 'bbox/AP'}
    found = {title: [(name, _mean_curve(each, key)) for name, each in runs] for title, key in keys.items()}
    ends = {title: max((epochs[-1] for _, (epochs, _) in curves if len(epochs) > 1), default=0)
            for title, curves in found.items()}  # fmt: skip
    title = next((title for title, end in ends.items() if end), None)
    if title is None:
        return None
    curves, last = found[title], ends[title]

    def draw(width: int) -> Plot:
        plot = Plot(width, 340 if width > 500 else 270, (0, last), (0, 100))
        plot.y_axis(f'{title}, evaluated images (%)')
        plot.x_axis('epoch')
        for number, (name, (epochs, values)) in enumerate(curves, start=1):
            plot.line(epochs, values, number)
            if len(epochs) <= 40:
                tips = [f'{name}, epoch {epoch}: {value:.2f} %' for epoch, value in zip(epochs, values, strict=True)]
                plot.points(epochs, values, number, 2.6, tips)
        return plot

    return figure(responsive(draw, f'{title} by epoch'), legend=legend([(n, name) for n, (name, _) in enumerate(curves, 1)]))


def _mean_curve(runs: Sequence[Sequence[Mapping[str, Any]]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """The epochs that every run evaluated, and the mean there."""
    found = [dict(zip(epochs.tolist(), own[key], strict=True)) if own else {}
             for epochs, own in (evaluations(lines, [key]) for lines in runs)]  # fmt: skip
    shared = sorted(set.intersection(*(set(one) for one in found)))
    return np.array(shared), np.array([np.mean([one[epoch] for one in found]) for epoch in shared])
