"""The per-class plot: its smoothing, its input checks and that it draws at every size."""

import io

import numpy as np
import pytest
from PIL import Image

from mmlt.analysis.charts import smoothed
from mmlt.analysis.plots import per_class_png, plot_per_class
from mmlt.errors import UserError
from mmlt.priors import shot_groups


def exponential(num_classes, most, least):
    return [int(most * (least / most) ** (i / max(num_classes - 1, 1))) for i in range(num_classes)]


def test_smoothing_stays_inside_a_group_and_leaves_out_nan():
    values = np.array([0.0, 10, 20, 30, 1000, np.nan, 2000, np.nan])
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    assert smoothed(values, groups, 3)[:7].tolist() == [5, 10, 20, 25, 1000, 1500, 2000]
    assert np.isnan(smoothed(values, groups, 3)[7])


@pytest.mark.parametrize('num_classes', [1, 10, 100, 1000])
def test_draws_at_every_size(tmp_path, num_classes):
    counts = exponential(num_classes, 500, 5)
    runs = {
        f'_ce $x$ {n}': (counts, [None, *np.linspace(90, 10, num_classes - 1)] if num_classes > 1 else [50.0])
        for n in range(3)
    }
    path = plot_per_class(tmp_path / 'plot.png', runs, shot_groups(counts))
    with Image.open(path) as image:
        assert image.format == 'PNG' and image.width == 1296
        colours = {colour for _, colour in image.convert('RGB').getcolors(1 << 24)}
    assert (0xDF, 0xE2, 0xE6) in colours  # the bars
    assert num_classes == 1 or (0x00, 0x72, 0xB2) in colours or (0x00, 0x9E, 0x73) in colours  # a run


def test_order_of_the_classes_does_not_matter():
    counts, accuracy = list(range(200, 0, -4)), list(np.linspace(80, 5, 50))
    shuffled = np.random.default_rng(0).permutation(50)
    other = [counts[i] for i in shuffled], [accuracy[i] for i in shuffled]
    first = per_class_png({'run': (counts, accuracy)}, shot_groups(counts))
    second = per_class_png({'run': other}, shot_groups(other[0]))
    assert np.array_equal(Image.open(io.BytesIO(first)), Image.open(io.BytesIO(second)))


def test_runs_must_fit_together():
    with pytest.raises(UserError, match="'b' has other classes"):
        per_class_png({'a': ([5, 3], [1, 2]), 'b': ([5, 4], [1, 2])})
    with pytest.raises(UserError, match="'a' has other classes"):
        per_class_png({'a': ([5, 3], [1, 2, 3])})
    with pytest.raises(UserError, match='1 to 6 runs, got 0'):
        per_class_png({})
