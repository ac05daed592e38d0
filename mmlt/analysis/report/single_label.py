"""The report of a run on images with one label each."""

import numpy as np

from mmlt.analysis.charts import Series
from mmlt.analysis.charts.calibration import prior_plot, priors_of, reliability_plot
from mmlt.analysis.charts.confusion import confusion_plot
from mmlt.analysis.charts.course import loss_plot, metric_plot
from mmlt.analysis.charts.frequency import frequency_plot
from mmlt.analysis.pages import Html, columns, join, note, section, table, tag, thumbnails
from mmlt.analysis.report.details import frequency_title, measure
from mmlt.analysis.report.metrics import headline, in_words, metrics_table
from mmlt.analysis.report.pictures import TestPictures
from mmlt.analysis.rows import ABSENT, GROUPS
from mmlt.analysis.run_files import RunFiles, of_same_classes

TILES = [
    ('accuracy/top1', 'top-1 accuracy'), ('accuracy/mean_class', 'mean class'),
    *((f'accuracy/{group}', f'{group}-shot') for group in GROUPS),
    ('calibration/ece', 'calibration error'),
]  # fmt: skip
WORST, OF_ONE = 8, 5  # classes shown as the worst, and pictures of each
CONFIDENT = 24  # mistakes shown
PAIRS = 12


def sections(run: RunFiles, pictures: TestPictures) -> list[Html]:
    """The page's parts, the most wanted first."""
    evaluation = run.evaluation or {}
    return [
        headline(run, _tiles(run)),
        section(frequency_title(run.record), frequency(run)),
        section('Metrics', metrics_table(run)),
        section('Calibration and test priors', columns(_reliability(run), _priors(run))),
        section('Classes with the lowest accuracy', worst_classes(run, pictures)),
        section('Most confident mistakes', confident_mistakes(run, pictures)),
        section('Confusion', *(_confusion(run) if evaluation.get('confusion') else [])),
        section('Learning curves', curves(run)),
    ]


def _tiles(run: RunFiles) -> list[tuple[str, str]]:
    top, mean = (run.metric(key) for key, _ in TILES[:2])
    same = None not in (top, mean) and abs(top - mean) < 0.005  # of a balanced test set they are one figure
    return [tile for tile in TILES if not (same and tile[0] == 'accuracy/mean_class')]


def curves(run: RunFiles) -> Html | None:
    """The losses and metrics over the epochs."""
    best = run.record['best']['epoch'] if run.record['best']['selected_on'] else None
    found = [part for part in (loss_plot(run.scalars), metric_plot(run.scalars, best)) if part]
    return columns(*found) if found else None


def comparable(run: RunFiles) -> list[tuple[str, RunFiles]]:
    """The run and those it builds on that have the same classes, with their names in a plot."""
    name = run.record['config'].rpartition('/')[0] or run.record['config']
    same = of_same_classes(run, list(run.before.values()))
    return [(name, run), *((in_words(role), one) for role, one in run.before.items() if any(one is s for s in same))][:4]


def frequency(run: RunFiles) -> Html | None:
    """The plot of each class's accuracy, or a detector's average precision, over its training images."""
    series = [Series(name, one.per_class('recall')) for name, one in comparable(run) if one.per_class('recall') is not None]
    if not series:
        return None
    tests = run.per_class('test_images')
    if tests is None:
        tests = np.array([row['test_images'] for row in run.rows], dtype=float)
    what = measure(run.record)
    return frequency_plot(run.classes, run.counts, series, run.groups, what, tests if what == 'accuracy' else None)


def _reliability(run: RunFiles) -> Html | None:
    found = [(name, one.evaluation['reliability']) for name, one in comparable(run)
             if one.evaluation and one.evaluation.get('reliability')]  # fmt: skip
    return reliability_plot(found) if found and found[0][1] is (run.evaluation or {}).get('reliability') else None


def _priors(run: RunFiles) -> Html | None:
    found = [(name, dict(priors_of(one.evaluation['metrics']))) for name, one in comparable(run) if one.evaluation]
    names = list(found[0][1]) if found else []
    if len(names) < 2:
        return None
    return prior_plot([Series(name, np.array([own.get(key, np.nan) for key in names])) for name, own in found], names)


def worst_classes(run: RunFiles, pictures: TestPictures) -> Html | None:
    """The classes with the lowest accuracy: what they are taken for, and pictures of it."""
    recall, evaluation = run.per_class('recall'), run.evaluation
    if recall is None or not evaluation or not evaluation.get('confusion'):
        return None
    order = [c for c in np.lexsort((-run.counts, recall)).tolist() if recall[c] < 100][:WORST]  # NaN is never below
    if not order:
        return note('Every test image is predicted right.')
    group_of = {c: name for name, ids in run.groups.items() for c in ids}
    cells = {key: np.asarray(own) for key, own in evaluation['confusion'].items()}
    parts = []
    for c in order:
        own = cells['true'] == c
        tested = cells['images'][own].sum()
        wrong = own & (cells['predicted'] != c)
        taken = [
            f'{run.classes[p]} ({100 * n / tested:.0f} %)'
            for n, p in sorted(zip(cells['images'][wrong], cells['predicted'][wrong], strict=True), reverse=True)[:3]
        ]
        words = f'{group_of.get(c, "")}{"-shot, " if c in group_of else ""}{run.counts[c]:,} training images; '
        words += f'{cells["images"][wrong].sum():,} of {tested:,} test images are wrong, taken for {", ".join(taken)}.'
        shown = [_thumbnail(run, pictures, place, named=False) for place in _mistakes(run, c)[:OF_ONE]]
        parts.append(join(tag('h3', f'{run.classes[c]}: {recall[c]:.1f} %'), note(words), _grid(shown, small=True)))
    return join(pictures.note, columns(*parts))


def confident_mistakes(run: RunFiles, pictures: TestPictures) -> Html | None:
    """The wrong predictions with the highest probability, as pictures."""
    if not run.images or np.isnan(run.images['top_probabilities']).any():
        return None
    wrong = _mistakes(run)
    if not len(wrong):
        return note('Every test image is predicted right.')
    grid = _grid(_thumbnail(run, pictures, place, named=True) for place in wrong[:CONFIDENT])
    words = f'Of {len(wrong):,} mistakes those with the highest probability: what the image is, and what it was taken for.'
    return join(note(words), pictures.note, grid)


def _mistakes(run: RunFiles, label: int | None = None) -> np.ndarray:
    """Places of wrong predictions, of one class or of all, the surest first."""
    if not run.images:
        return np.empty(0, dtype=np.int64)
    wrong = run.images['top_classes'][:, 0] != run.images['target']
    if label is not None:
        wrong &= run.images['target'] == label
    places = np.flatnonzero(wrong)
    return places[np.argsort(-run.images['top_probabilities'][places, 0], kind='stable')]


def _thumbnail(run: RunFiles, pictures: TestPictures, place: int, named: bool):  # noqa: ANN202
    true, predicted = (run.classes[run.images[key][place].flat[0]] for key in ('target', 'top_classes'))
    probability = run.images['top_probabilities'][place, 0]
    sure = '' if np.isnan(probability) else f'{100 * probability:.0f}\u00a0%'
    lines = (true, f'→ {predicted}', sure) if named else (f'→ {predicted}', sure)
    return pictures.thumbnail(place, *lines, alt=f'test image {place}: {true}, predicted {predicted}')


def _grid(found, small: bool = False) -> Html | None:  # noqa: ANN001
    shown = [one for one in found if one is not None]
    return thumbnails(shown, small) if shown else None


def _confusion(run: RunFiles) -> list[Html | None]:
    evaluation = run.evaluation
    matrix = confusion_plot(run.classes, run.counts, evaluation['confusion'], run.groups)
    return [columns(matrix, join(_between_groups(run), _pairs(run)), uneven=True)]


def _pairs(run: RunFiles) -> Html | None:
    group_of = {c: name for name, ids in run.groups.items() for c in ids}

    def named(c: int) -> Html:
        return Html(f'{tag("span", run.classes[c])} {tag("span", group_of.get(c, ""), cls="soft")}')

    lines = [
        [named(pair['true']), named(pair['predicted']), f'{pair["images"]:,}',
         ABSENT if pair['share'] is None else f'{100 * pair["share"]:.0f} %']
        for pair in (run.evaluation.get('confused_pairs') or [])[:PAIRS]
    ]  # fmt: skip
    if not lines:
        return None
    headings = ['true class', 'predicted', 'images', 'of the class']
    return join(tag('h3', 'Most confused pairs'), table(headings, lines, (2, 3), label='most confused pairs'))


def _between_groups(run: RunFiles) -> Html | None:
    found = run.evaluation.get('group_confusion')
    if not found:
        return None
    shown = [place for place, name in enumerate(found['groups']) if name in run.groups]
    lines = [
        [found['groups'][row], *(ABSENT if found['share'][row][column] is None else f'{100 * found["share"][row][column]:.1f}'
                                 for column in shown)]
        for row in shown
    ]  # fmt: skip
    headings = ['true group', *(f'{found["groups"][place]} (%)' for place in shown)]
    words = 'Of the images of a group (row) the share that is predicted as some class of a group (column), right or wrong.'
    return join(
        tag('h3', 'From head to tail'), table(headings, lines, range(1, len(headings)), label='groups'), note(words)
    )
