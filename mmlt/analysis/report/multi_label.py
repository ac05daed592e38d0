"""The report of a run on images with several labels each."""

import numpy as np

from mmlt.analysis.charts import Series
from mmlt.analysis.charts.frequency import frequency_plot
from mmlt.analysis.charts.precision_recall import precision_recall_plot
from mmlt.analysis.pages import Html, columns, figure, join, note, section, tag, thumbnails
from mmlt.analysis.report.metrics import headline, metrics_table
from mmlt.analysis.report.pictures import TestPictures
from mmlt.analysis.report.single_label import OF_ONE, comparable, curves
from mmlt.analysis.rows import GROUPS
from mmlt.analysis.run_files import RunFiles

TILES = [
    ('mAP', 'mAP'), *((f'mAP/{group}', f'mAP, {group}-shot') for group in GROUPS),
    ('AUROC', 'AUROC'), ('F1', 'macro F1'),
]  # fmt: skip
MEASURES = {'AP': 'average precision', 'AUROC': 'area under the ROC curve', 'F1': 'F1'}
WORST = 6


def sections(run: RunFiles, pictures: TestPictures) -> list[Html]:
    """The page's parts, the most wanted first."""
    curve = precision_recall_plot(run.images['probabilities'], run.images['target'], run.groups) if run.images else None
    return [
        headline(run, TILES),
        section('Average precision against class frequency', frequency(run, 'AP')),
        section('Metrics', metrics_table(run)),
        section('Precision against recall', curve, _labels(run)),
        section('Classes with the lowest average precision', worst_classes(run, pictures)),
        section('AUROC and F1 by class', *(frequency(run, key) for key in ('AUROC', 'F1'))),
        section('Learning curves', curves(run)),
    ]


def frequency(run: RunFiles, key: str) -> Html | None:
    """The plot of a measure of each class over its training images."""
    series = [Series(name, own) for name, one in comparable(run) if (own := one.per_class(key)) is not None]
    return frequency_plot(run.classes, run.counts, series, run.groups, MEASURES[key]) if series else None


def _labels(run: RunFiles) -> Html | None:
    """How many classes an image shows, and from when on one is predicted."""
    if not run.images:
        return None
    shown = run.images['target'] > 0
    words = (
        f'{len(shown):,} test images show {shown.sum() / max(len(shown), 1):.2f} classes each on average; '
        f'{(shown.sum(axis=1) == 0).sum():,} show none. '
    )
    cuts = run.per_class('threshold')
    if cuts is not None and np.isfinite(cuts).any():
        low, high = np.nanmin(cuts), np.nanmax(cuts)
        words += 'For F1 a class is predicted from a probability of ' + (
            f'{low:.2f} on.' if np.isclose(low, high) else f'its own on, {low:.2f} to {high:.2f}.'
        )
    return note(words)


def worst_classes(run: RunFiles, pictures: TestPictures) -> Html | None:
    """The classes with the lowest average precision: what shows them and is missed, what does not and is taken for it."""
    precision = run.per_class('AP')
    if precision is None or not run.images:
        return None
    group_of = {c: name for name, ids in run.groups.items() for c in ids}
    parts = [pictures.note]
    for c in [c for c in np.argsort(precision, kind='stable').tolist() if precision[c] < 100][:WORST]:
        probability, shown = run.images['probabilities'][:, c].astype(np.float32), run.images['target'][:, c] > 0
        order = np.argsort(-probability, kind='stable')
        missed, taken = order[::-1][shown[order[::-1]]][:OF_ONE], order[~shown[order]][:OF_ONE]
        words = f'{group_of.get(c, "")}{"-shot, " if c in group_of else ""}shown by {run.counts[c]:,} training images and '
        words += f'{shown.sum():,} test images.'
        parts += [
            tag('h3', f'{run.classes[c]}: AP {precision[c]:.1f} %'),
            note(words),
            columns(*(
                _grid(title, [_thumbnail(run, pictures, place, c, probability[place]) for place in places])
                for title, places in (('Shown, and least probable', missed), ('Not shown, and most probable', taken))
            )),
        ]  # fmt: skip
    return join(*parts) if len(parts) > 1 else None


def _thumbnail(run: RunFiles, pictures: TestPictures, place: int, label: int, probability: float):  # noqa: ANN202
    others = [run.classes[c] for c in np.flatnonzero(run.images['target'][place])]
    text = ', '.join(others[:4]) + (', ...' if len(others) > 4 else '') or 'no class'
    return pictures.thumbnail(place, f'{100 * probability:.1f} %', text, alt=f'test image {place}: {text}')


def _grid(title: str, found: list) -> Html | None:
    shown = [one for one in found if one is not None]
    return figure(thumbnails(shown, small=True), legend=tag('p', title, cls='note')) if shown else None
