"""The report of a detector."""

import numpy as np

from mmlt.analysis.pages import Html, note, section, table
from mmlt.analysis.report.details import frequency_title, measure
from mmlt.analysis.report.metrics import headline, metrics_table
from mmlt.analysis.report.pictures import TestPictures
from mmlt.analysis.report.single_label import curves, frequency
from mmlt.analysis.rows import IOU_TYPES
from mmlt.analysis.run_files import RunFiles

SHORT = {'AP': 'AP', 'AP50': 'AP50', 'APf': 'AP, frequent', 'APc': 'AP, common', 'APr': 'AP, rare'}
WORST = 12


def sections(run: RunFiles, pictures: TestPictures) -> list[Html]:
    """The page's parts, the most wanted first; there are no pictures: a run keeps no detections of single images."""
    kinds = [kind for kind in IOU_TYPES if f'{kind}/AP' in run.record['last']['metrics']]
    keys = [(f'{kind}/{key}', f'{IOU_TYPES[kind]} {name}') for kind in kinds for key, name in SHORT.items()]
    return [
        headline(run, keys),
        section(frequency_title(run.record), frequency(run)),
        section('Metrics', metrics_table(run), note(
            'Average precisions by the rules of LVIS: over all classes, at an overlap of 50 % (AP50), and over frequent (f), '
            'common (c) and rare (r) classes by their training images.'
        )),
        section('Classes with the lowest average precision', _worst(run)),
        section('Learning curves', curves(run)),
    ]  # fmt: skip


def _worst(run: RunFiles) -> Html | None:
    values = run.per_class('recall')
    if values is None:
        return None
    lines = [
        [run.classes[c], run.rows[c]['group'], f'{run.counts[c]:,}', f'{run.rows[c]["test_images"]:,}', f'{values[c]:.1f}']
        for c in np.lexsort((-run.counts, values))[: np.isfinite(values).sum()][:WORST].tolist()
    ]
    headings = ['class', 'group', 'training images', 'test images', f'{measure(run.record)} (%)']
    return table(headings, lines, (2, 3, 4), label='lowest average precisions')
