"""AutoAugment and RandAugment as a whole, against Pillow one image at a time, and what they draw."""

import numpy as np
import pytest
import torch
from scipy import stats

from mmlt.datasets.transforms import AutoAugment, ColorJitter, Draw, RandAugment
from mmlt.datasets.transforms.operations import NAMES
from mmlt.errors import UserError

# The policy once more, as one line a pair: operation, probability, level.
POLICY = """
invert .1 7, contrast .2 6
rotate .7 2, translateX .3 9
sharpness .8 1, sharpness .9 3
shearY .5 8, translateY .7 9
autocontrast .5 8, equalize .9 2
shearY .2 7, posterize .3 7
color .4 3, brightness .6 7
sharpness .3 9, brightness .7 9
equalize .6 5, equalize .5 1
contrast .6 7, sharpness .6 5
color .7 7, translateX .5 8
equalize .3 7, autocontrast .4 8
translateY .4 3, sharpness .2 6
brightness .9 6, color .2 8
solarize .5 2, invert .0 3
equalize .2 0, autocontrast .6 0
equalize .2 8, equalize .6 4
color .9 9, equalize .6 6
autocontrast .8 4, solarize .2 8
brightness .1 3, color .7 0
solarize .4 5, autocontrast .9 3
translateY .9 9, translateY .7 9
autocontrast .9 2, solarize .8 3
equalize .8 8, invert .1 3
translateY .7 9, autocontrast .9 1
"""
PAIRS = [
    [(name, float(probability), int(level)) for name, probability, level in map(str.split, line.split(','))]
    for line in POLICY.strip().splitlines()
]
RANGES = {
    'shearX': (0, 0.3), 'shearY': (0, 0.3), 'translateX': (0, 150 / 331), 'translateY': (0, 150 / 331),
    'rotate': (0, 30), 'color': (0, 0.9), 'contrast': (0, 0.9), 'brightness': (0, 0.9), 'sharpness': (0, 0.9),
    'solarize': (256, 0), 'posterize': (8, 4), 'autocontrast': (0, 0), 'equalize': (0, 0), 'invert': (0, 0),
    'identity': (0, 0),
}  # fmt: skip
ENHANCERS = ('color', 'contrast', 'brightness', 'sharpness')
DIRECTED = ('shearX', 'shearY', 'translateX', 'translateY', *ENHANCERS)


def magnitude(name, level, highest, negative):
    strength = np.linspace(*RANGES[name], highest + 1)[level]
    return (1 if name in ENHANCERS else 0) + (-strength if negative else strength)


def as_pillow(image):
    return image.permute(1, 2, 0).contiguous().numpy()


def test_auto_augment_equals_pillow_image_by_image(images, in_pillow):
    draw = Draw(3, torch.arange(len(images)) + 2**33).at(2)
    before = images.clone()
    result = AutoAugment()(images, draw)
    assert result.is_contiguous() and torch.equal(images, before)
    pairs = draw.integers(0, 25, 1, stream=0)[:, 0].tolist()
    assert len(set(pairs)) > 20
    chances, coins = draw.uniform(2, stream=1).tolist(), draw.uniform(2, stream=2).tolist()
    for place, pair in enumerate(pairs):
        expected = as_pillow(images[place])
        for (name, probability, level), chance, coin in zip(PAIRS[pair], chances[place], coins[place], strict=True):
            if chance < probability:
                expected = in_pillow(expected, name, magnitude(name, level, 9, name in DIRECTED and coin < 0.5))
        np.testing.assert_array_equal(as_pillow(result[place]), expected)


def test_auto_augment_draws_every_half_as_often_as_it_says():
    count = 200_000
    draw = Draw(0, torch.arange(count))
    kinds, magnitudes = AutoAugment().choose(draw, torch.device('cpu'))
    pairs = draw.integers(0, 25, 1, stream=0).squeeze(1)
    assert stats.chisquare(torch.bincount(pairs, minlength=25)).pvalue > 1e-3
    for pair, halves in enumerate(PAIRS):
        of_pair = pairs == pair
        for half, (name, probability, level) in enumerate(halves):
            chosen = kinds[of_pair, half] == NAMES.index(name)
            none = kinds[of_pair, half] == NAMES.index('identity')
            assert (chosen | none).all()
            deviation = np.sqrt(probability * (1 - probability) / int(of_pair.sum()))
            assert abs(chosen.double().mean() - probability) <= 4 * deviation
            seen = magnitudes[of_pair, half][chosen].numpy()
            signs = (False, True) if name in DIRECTED else (False,)
            for negative in signs:
                share = np.isclose(seen, magnitude(name, level, 9, negative), rtol=0, atol=0.5 * (name == 'posterize'))
                if len(seen) and (len(signs) == 1 or level == 0):
                    assert share.all()
                elif len(seen):
                    assert abs(share.mean() - 0.5) < 2.5 / np.sqrt(len(seen))
        # The halves are drawn apart from each other: both are applied as often as the product says.
        first, second = halves[0][1], halves[1][1]
        both = (kinds[of_pair] != NAMES.index('identity')).all(1).double().mean()
        assert abs(both - first * second) < 2.5 / np.sqrt(int(of_pair.sum()))


def test_auto_augment_refuses_an_unknown_policy():
    with pytest.raises(UserError, match="'svhn'.*cifar10"):
        AutoAugment('svhn')


@pytest.mark.parametrize('num_ops, strength', [(1, 30), (2, 10), (3, 0)])
def test_rand_augment_equals_pillow_image_by_image(tiles, in_pillow, num_ops, strength):
    choices = [name for name in NAMES if name != 'invert']
    assert len(choices) == 14
    draw = Draw(1, torch.arange(len(tiles))).at(0)
    result = RandAugment(num_ops, strength)(tiles, draw)
    kinds = draw.integers(0, 14, num_ops, stream=0).tolist()
    coins = draw.uniform(num_ops, stream=1).tolist()
    for place, image in enumerate(tiles):
        expected = as_pillow(image)
        for kind, coin in zip(kinds[place], coins[place], strict=True):
            name = choices[kind]
            negative = coin < 0.5 and name in (*DIRECTED, 'rotate')
            expected = in_pillow(expected, name, magnitude(name, strength, 30, negative))
        np.testing.assert_array_equal(as_pillow(result[place]), expected)


@pytest.mark.parametrize('arguments', [dict(num_ops=0), dict(num_ops=2.5), dict(magnitude=31), dict(magnitude=-1)])
def test_rand_augment_refuses(arguments):
    with pytest.raises(UserError, match='RandAugment: (num_ops|magnitude) must be'):
        RandAugment(**arguments)


def test_color_jitter_equals_pillow_image_by_image(tiles, in_pillow):
    jitter = ColorJitter(0.4, 0.3, 0.9, 0.2, probability=0.8)
    draw = Draw(5, torch.arange(len(tiles)))
    result = jitter(tiles, draw)
    kinds, magnitudes = jitter.choose(draw, torch.device('cpu'))
    for place, image in enumerate(tiles):
        expected = as_pillow(image)
        for kind, value in zip(kinds[place].tolist(), magnitudes[place].tolist(), strict=True):
            expected = in_pillow(expected, ('brightness', 'contrast', 'color', 'hue', 'identity')[kind], value)
        np.testing.assert_array_equal(as_pillow(result[place]), expected)


def test_color_jitter_draws():
    count = 24_000
    kinds, magnitudes = ColorJitter(0.4, 1.5, 0.2, 0.1, 0.8).choose(Draw(0, torch.arange(count)), torch.device('cpu'))
    left_alone = (kinds == 4).all(1)
    assert abs(left_alone.double().mean() - 0.2) < 0.01
    kinds, magnitudes = kinds[~left_alone], magnitudes[~left_alone]
    orders = (kinds * torch.tensor([64, 16, 4, 1])).sum(1)
    assert stats.chisquare(torch.bincount(orders)[orders.unique()]).pvalue > 1e-3 and len(orders.unique()) == 24
    for kind, (low, high) in enumerate([(0.6, 1.4), (0.0, 2.5), (0.8, 1.2), (-0.1, 0.1)]):
        values = magnitudes[kinds == kind].numpy()
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_color_jitter_of_no_strength_changes_nothing(tiles):
    draw = Draw(0, torch.arange(len(tiles)))
    assert torch.equal(ColorJitter(0, 0, 0, 0)(tiles, draw), tiles)
    assert torch.equal(ColorJitter(probability=0)(tiles, draw), tiles)


@pytest.mark.parametrize('arguments', [dict(brightness=-0.1), dict(hue=0.6), dict(probability=1.5)])
def test_color_jitter_refuses(arguments):
    with pytest.raises(UserError, match='give'):
        ColorJitter(**arguments)
