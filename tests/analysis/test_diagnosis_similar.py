"""Hashes and the search for look-alikes, beside slow references."""

import numpy as np
import pytest
from PIL import Image
from planted_photos import tiles
from scipy.fft import dctn

from mmlt.analysis.diagnosis import similar
from mmlt.analysis.diagnosis.findings import gini, together
from mmlt.analysis.diagnosis.hashes import BITS, SIDE, WINDOWS, count_bits, hashes, is_flat, likeness
from mmlt.analysis.diagnosis.similar import Pairs, groups_of, similar_pairs


@pytest.fixture(scope='module')
def pictures():
    """Grey pictures of photographs, some of them again: brighter, noisy, cut."""
    grey = [Image.fromarray(tile).convert('L') for tile in tiles()]
    rng = np.random.default_rng(0)
    made = [np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BOX)) for one in grey]
    made += [np.clip(one * 1.1 + rng.normal(3, 4, one.shape), 0, 255).astype(np.uint8) for one in made[::5]]
    made += [np.asarray(one.crop((1, 0, 47, 46)).resize((SIDE, SIDE), Image.Resampling.BOX)) for one in grey[::7]]
    return np.array([*made, made[0], np.full_like(made[0], 90)])


def windowed(picture, window):
    """The window scaled to 32 x 32, each pixel the mean of what it covers, by counting 64ths of pixels."""
    (top, bottom), (left, right) = WINDOWS[window]
    fine = np.kron(picture.astype(np.float64), np.ones((25, 25)))  # 800 x 800: 4 and 8 % are whole numbers
    edges = [round(edge * 800) for edge in (top, bottom, left, right)]
    cut = fine[edges[0] : edges[1], edges[2] : edges[3]]
    rows = np.linspace(0, len(cut), 33)
    columns = np.linspace(0, cut.shape[1], 33)
    total = np.zeros((len(cut) + 1, cut.shape[1] + 1))
    total[1:, 1:] = cut.cumsum(0).cumsum(1)

    def up_to(values, places):  # the integral at places between pixels
        low = np.minimum(places.astype(int), len(values) - 2)
        return values[low] + (places - low)[:, None] * (values[low + 1] - values[low])

    integral = up_to(up_to(total, rows).T, columns).T
    return np.diff(np.diff(integral, axis=0), axis=1) / np.outer(np.diff(rows), np.diff(columns))


def slow_hash(picture, window):
    """64 signs by SciPy's transform, and how far the least of them is from 0."""
    spectrum = dctn(windowed(picture, window), norm='ortho')
    order = sorted(((u, v) for u in range(12) for v in range(12)), key=lambda uv: (sum(uv), uv))[1 : BITS + 1]
    values = np.array([spectrum[uv] for uv in order])
    return values > 0, np.abs(values)


def bits_of(value):
    return np.unpackbits(np.array([value]).view(np.uint8)).astype(bool)


@pytest.mark.parametrize('window', [0, 3, 17])
def test_a_hash_is_the_signs_of_the_transform(pictures, window):
    found = hashes(pictures[:40], window)
    for picture, value in zip(pictures[:40:5], found[::5], strict=True):
        signs, sizes = slow_hash(picture, window)
        sure = sizes > 0.05
        assert sure.sum() > 55 and np.array_equal(bits_of(value)[sure], signs[sure])


def test_bits_are_counted():
    values = np.random.default_rng(0).integers(0, 2**63, 100, dtype=np.uint64)
    assert count_bits(values).tolist() == [bin(value).count('1') for value in values.tolist()]


def test_likeness_is_the_correlation(pictures):
    first, second = pictures[:8], pictures[1:9]
    for window, size in ((0, 16), (0, 32), (8, 16)):
        for one, other, found in zip(first, second, likeness(first, second, window, size), strict=True):
            parts = [np.asarray(windowed(p, w)).reshape(size, 32 // size, size, 32 // size).mean((1, 3)).ravel()
                     for p, w in ((one, window), (other, 0))]  # fmt: skip
            assert found == pytest.approx(np.corrcoef(*parts)[0, 1], abs=2e-3)


def test_the_search_finds_what_comparing_all_finds(pictures, monkeypatch):
    monkeypatch.setattr(similar, 'AT_ONCE', 50)  # in many portions
    monkeypatch.setattr(similar, 'LIKENESS', 0.8)  # so that there is something to find by chance
    found = similar_pairs(pictures)
    views = [hashes(pictures, window) for window in range(len(WINDOWS))]
    usable = np.flatnonzero(~is_flat(pictures))
    mean, spread = pictures.mean((1, 2)), pictures.std((1, 2))
    slow = set()
    for a in usable:
        for b in usable:
            if a == b or abs(mean[a] - mean[b]) > similar.LIGHT or not 1 / 1.28 <= spread[a] / spread[b] <= 1.28:
                continue
            for window in range(len(WINDOWS)):
                near = bin(int(views[window][a]) ^ int(views[0][b])).count('1') <= similar.DISTANCE
                if near and likeness(pictures[[a]], pictures[[b]], window)[0] >= 0.8:
                    slow.add((min(a, b), max(a, b)))
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    first = {}  # of those with equal hashes the first stands for all
    stands = [first.setdefault(value, place) for place, value in enumerate(views[0].tolist())]
    assert (0, len(pictures) - 2) in pairs and len(pairs) == len(found) > 20
    assert pairs == {(a, b) for a, b in slow if stands[a] == a and stands[b] in (a, b)}


def test_many_pictures_of_one_hash_are_a_star():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (1, SIDE, SIDE), dtype=np.uint8)
    many = np.clip(one + rng.integers(-1, 2, (400, SIDE, SIDE)), 0, 255).astype(np.uint8)
    many[1:] = np.where(rng.random((399, 1, 1)) < 0.9, one, many[1:])
    found = similar_pairs(many)
    assert len(found) < 4 * 400 and set(groups_of(found, 400).tolist()) == {0}


def test_nothing_and_one():
    for count in (0, 1, 2):  # of one grey: nothing to tell them by
        assert len(similar_pairs(np.zeros((count, SIDE, SIDE), np.uint8))) == 0


def test_groups():
    pairs = Pairs(np.array([1, 4]), np.array([4, 6]), np.array([0, 0]))
    assert groups_of(pairs, 8).tolist() == [0, 1, 2, 3, 1, 5, 1, 7]
    assert [group.tolist() for group in together(groups_of(pairs, 8))] == [[1, 4, 6]]


@pytest.mark.parametrize('counts', [[5], [3, 3, 3], [1, 2, 3, 10], [0, 0, 9], [500, 5, 40, 1]])
def test_gini_is_the_mean_difference(counts):
    counts = np.array(counts, dtype=float)
    mean_difference = np.abs(counts[:, None] - counts[None]).mean()
    assert gini(counts) == pytest.approx(mean_difference / (2 * counts.mean()), abs=1e-12)
