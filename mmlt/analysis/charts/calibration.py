"""Whether probabilities mean what they say, and what a model is worth under other test priors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmlt.analysis.charts import Series
from mmlt.analysis.charts.course import SIZE
from mmlt.analysis.pages import Html, Plot, axis_end, figure, legend, single
from mmlt.analysis.pages.plot import Scale


def reliability_plot(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> Html:
    """Accuracy against confidence, bin by bin; grey bars show how many images each bin holds.

    Args:
        runs: name and `reliability` of evaluation.json (`edges`, `confidence`, `accuracy`, `images`), the run itself first.
    """
    plot = Plot(*SIZE, (0, 1), (0, 1), margins=(44, 44, 30, 46))
    first = runs[0][1]
    share = 100 * np.asarray(first['images']) / max(sum(first['images']), 1)
    scale = Scale(0, axis_end(share), plot.bottom, plot.top)
    edges = np.asarray(first['edges'])
    plot.outline(edges, share, scale)
    plot.y_axis('accuracy')
    plot.y_axis('images (%)', scale=scale)
    plot.x_axis('confidence: probability of the predicted class')
    plot.add(f'<path class="cut" d="M{plot.left} {plot.bottom}L{plot.right} {plot.top}"/>')
    for number in range(len(runs), 0, -1):
        name, bins = runs[number - 1]
        x, y = (np.array([np.nan if v is None else v for v in bins[key]]) for key in ('confidence', 'accuracy'))
        held = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        tips = [
            f'{name}: {bins["images"][b]:,} images of confidence {x[b]:.3f} are right in {100 * y[b]:.1f} %' for b in held
        ]
        plot.line(x[held], y[held], number)
        for b, tip in zip(held, tips, strict=True):  # the more images, the larger
            size = 1.6 + 4.4 * (bins['images'][b] / sum(bins['images'])) ** 0.5
            plot.points([x[b]], [y[b]], number, size, [tip], hollow=number > 1)
    key = legend([*enumerate((name for name, _ in runs), start=1), (0, 'share of the images (right axis)')])
    words = 'On the dashed diagonal a probability is what it says; below it the model is too sure.'
    return figure(single(plot, 'reliability diagram'), words, key)


def priors_of(metrics: Mapping[str, float | None]) -> list[tuple[str, float]]:
    """Accuracy under each test prior, from long-tailed as the training set, over uniform, to long-tailed the other way.

    Args:
        metrics: with `prior/forward_50`, ..., `prior/uniform`, `prior/backward_2`, ...
    """
    found = []
    for key, value in metrics.items():
        kind, _, ratio = key.removeprefix('prior/').partition('_')
        if key.startswith('prior/') and value is not None and (ratio.isdecimal() or kind == 'uniform'):
            place = {'forward': -1, 'uniform': 0, 'backward': 1}.get(kind)
            if place is not None:
                found.append((place * int(ratio or 1), f'{kind} {ratio}'.strip(), value))
    return [(name, value) for _, name, value in sorted(found)]


def prior_plot(runs: Sequence[Series], names: Sequence[str]) -> Html:
    """Accuracy under test priors.

    Args:
        runs: values (P,) in percent.
        names: of the P priors, see `priors_of`.
    """
    values = np.concatenate([one.values for one in runs])
    low = max(0.0, 10 * np.floor(np.nanmin(values) / 10 - 0.5))
    high = min(100.0, 10 * np.ceil(np.nanmax(values) / 10 + 0.2))
    plot = Plot(*SIZE, (-0.3, len(names) - 0.7), (low, high))
    plot.y_axis('accuracy (%)')
    plot.x_axis('← forward\u2003\u2003ratio of the test prior\u2003\u2003backward →', ticks=[])
    for place, name in enumerate(names):
        plot.label(plot.x(place), plot.bottom + 17, name.rpartition(' ')[2].replace('uniform', '1'), cls='soft')
    for number in range(len(runs), 0, -1):
        one = runs[number - 1]
        tips = [f'{one.name}, {name}: {value:.2f} %' for name, value in zip(names, one.values, strict=True)]
        plot.line(range(len(names)), one.values, number)
        plot.points(range(len(names)), one.values, number, 3.4, tips, hollow=number > 1)
    words = (
        'Forward: the test classes are as long-tailed as in training; backward: the rarest in training come most often. '
        'Exact, from the accuracy of each class.'
    )
    key = legend(list(enumerate((one.name for one in runs), start=1)))
    return figure(single(plot, 'accuracy under test priors'), words, key)
