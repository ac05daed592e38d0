"""What a visualizer is given of an evaluation besides its few figures: all the others, and two pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.visualization import Visualizer

SIDE = 200  # so many rows a confusion matrix is drawn with at most; larger ones are drawn as blocks of classes


def draw_evaluation(visualizer: Visualizer, record: Mapping[str, Any], step: int, known: Mapping[str, float]) -> None:
    """Hand an evaluation's figures and pictures to a visualizer.

    Args:
        visualizer: MMEngine's, whatever its backends.
        record: the content of an `evaluation.json`.
        step: of training.
        known: figures that the visualizer has already.
    """
    more = {name: value for name, value in record['metrics'].items() if name not in known}
    if more:
        visualizer.add_scalars(more, step=step)
    if record['task'] == 'single_label':
        visualizer.add_image('confusion_matrix', confusion_picture(record), step)
    visualizer.add_image('accuracy_by_frequency', frequency_picture(record), step)


def by_frequency(record: Mapping[str, Any]) -> np.ndarray:
    """(K,) class ids, the one with the most training images first."""
    return np.argsort(-np.asarray(record['class_counts'], dtype=np.float64), kind='stable')


def confusion_table(record: Mapping[str, Any], side: int = SIDE) -> np.ndarray:
    """Percent of the images of each class (row) predicted as each class (column), both by falling training images.

    Args:
        record: the content of an `evaluation.json`.
        side: rows at most; neighbouring classes share one where there are more.

    Returns:
        (rows, rows) float64; NaN in the row of a class without a test image.
    """
    order, cells = by_frequency(record), record['confusion']
    rows = min(side, len(order))
    block = np.empty(len(order), dtype=np.int64)
    block[order] = np.arange(len(order)) * rows // len(order)
    table = np.zeros((rows, rows))
    true, predicted = (block[np.asarray(cells[name], dtype=np.int64)] for name in ('true', 'predicted'))
    np.add.at(table, (true, predicted), cells['images'])
    with np.errstate(invalid='ignore'):
        return 100 * table / table.sum(axis=1, keepdims=True)


def confusion_picture(record: Mapping[str, Any]) -> np.ndarray:
    """The confusion matrix as an RGB image, uint8 (H, W, 3)."""
    figure = _figure(6.4, 5.4)
    axes = figure.add_subplot()
    shown = axes.imshow(confusion_table(record), cmap='viridis', vmin=0, vmax=100, interpolation='nearest')
    axes.set(xlabel='predicted class, by falling training images', ylabel='true class')
    figure.colorbar(shown, label="% of the true class's images")
    return _pixels(figure)


def frequency_picture(record: Mapping[str, Any]) -> np.ndarray:
    """Each class's accuracy (of several labels its average precision) over its training images, RGB uint8 (H, W, 3)."""
    order = by_frequency(record)
    name, label = ('recall', 'accuracy') if record['task'] == 'single_label' else ('AP', 'average precision')
    values = np.array([np.nan if value is None else value for value in record['per_class'][name]], dtype=np.float64)
    figure = _figure(7.2, 4)
    axes = figure.add_subplot()
    counts = axes.twinx()
    counts.fill_between(np.arange(len(order)), np.asarray(record['class_counts'])[order], step='mid', color='#DFE2E6')
    counts.set(yscale='log', ylabel='training images')
    axes.plot(values[order], 'o' if len(order) > 20 else 'o-', color='#0072B2', markersize=max(1.5, 5 - len(order) / 100))
    axes.set(xlabel='classes by falling training images', ylabel=f'{label}, %', ylim=(-2, 102))
    axes.set_zorder(counts.get_zorder() + 1)
    axes.patch.set_visible(False)
    return _pixels(figure)


def _figure(width: float, height: float) -> Any:
    # The object interface leaves the caller's backend and open figures alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def _pixels(figure: Any) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
