"""The random numbers: what they are made from, and whether they look random."""

import numpy as np
import pytest
import torch
from scipy import stats

from mmlt.draw import Draw

KEYS = torch.arange(4096) + 7 * 2**32  # an epoch's first images
MASK = 2**64 - 1
P_VALUE = 1e-3


def splitmix64(state: int) -> int:
    """The output of the published generator after `state` was reached."""
    word = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def word_by_hand(seed: int, key: int, positions: tuple[int, ...], stream: int, column: int) -> int:
    step = 0x9E3779B97F4A7C15
    path = 0
    for position in positions:
        path = splitmix64((path + step * (position + 1)) & MASK)
    state = splitmix64((splitmix64((key + step) & MASK) + splitmix64(seed & MASK)) & MASK)
    return splitmix64((state + splitmix64(path ^ splitmix64(stream + 1)) + column * step) & MASK)


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Pearson's correlation in units of its deviation for independent numbers."""
    first, second = first.flatten().double().numpy(), second.flatten().double().numpy()
    return abs(np.corrcoef(first, second)[0, 1]) * np.sqrt(len(first))


def test_splitmix64_known_outputs():
    # The generator's published outputs from seed 1234567.
    state, words = 1234567, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        words.append(splitmix64(state))
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize('seed', [0, 1, -1, 2**40 + 3, 2**64 - 5])
def test_words_equal_python_integers(seed):
    keys = [0, 1, 2, 2**32, 5 * 2**32 + 17, 2**62]
    draw = Draw(seed, torch.tensor(keys))
    for positions, placed in (((), draw), ((0,), draw.at(0)), ((3, 1), draw.at(3).at(1))):
        for stream in (0, 1, 9):
            expected = [[word_by_hand(seed, key, positions, stream, column) for column in range(3)] for key in keys]
            assert (placed.words(3, stream).numpy().view(np.uint64) == np.array(expected, dtype=np.uint64)).all()


def test_pinned_numbers():
    draw = Draw(3, torch.tensor([0, 5 * 2**32 + 17])).at(1)
    assert (draw.uniform(2, stream=0) * 2**24).tolist() == [[8418669, 7213755], [2433525, 9948230]]
    assert draw.integers(-4, 5, 4, stream=2).tolist() == [[-2, -2, -1, 3], [4, 2, -3, -3]]


def test_first_columns_do_not_depend_on_their_number():
    draw = Draw(0, KEYS)
    assert torch.equal(draw.uniform(5, stream=1)[:, :2], draw.uniform(2, stream=1))


def test_split_of_the_batch_changes_nothing():
    whole = Draw(11, KEYS).at(2)
    order = torch.randperm(len(KEYS), generator=torch.Generator().manual_seed(0))
    parts = [Draw(11, KEYS[part]).at(2) for part in order.split(1000)]
    assert torch.equal(torch.cat([part.uniform(3, 4) for part in parts]), whole.uniform(3, 4)[order])
    assert torch.equal(torch.cat([part.integers(0, 9, 3, 4) for part in parts]), whole.integers(0, 9, 3, 4)[order])


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
def test_gpu_draws_alike():
    there, here = Draw(11, KEYS.cuda()).at(2), Draw(11, KEYS).at(2)
    assert torch.equal(there.words(3, 4).cpu(), here.words(3, 4))
    assert torch.equal(there.uniform(3, 4).cpu(), here.uniform(3, 4))
    assert torch.equal(there.integers(-5, 9, 3, 4).cpu(), here.integers(-5, 9, 3, 4))


def test_uniform_is_uniform():
    numbers = Draw(0, KEYS).uniform(32, stream=0)
    assert numbers.dtype == torch.float32 and numbers.min() >= 0 and numbers.max() < 1
    assert stats.chisquare(torch.histc(numbers, 256, 0, 1).numpy()).pvalue > P_VALUE
    assert stats.kstest(numbers.flatten().numpy(), 'uniform').pvalue > P_VALUE
    # Each column and each sample alone, too.
    assert min(stats.kstest(column.numpy(), 'uniform').pvalue for column in numbers.T) > P_VALUE
    assert min(stats.kstest(row.numpy(), 'uniform').pvalue for row in numbers[:50]) > P_VALUE


@pytest.mark.parametrize('low, high', [(0, 2), (0, 9), (-7, 25), (0, 1000)])
def test_integers_are_uniform(low, high):
    numbers = Draw(5, KEYS).integers(low, high, 32, stream=3)
    assert numbers.dtype == torch.int64 and numbers.min() >= low and numbers.max() < high
    assert stats.chisquare(torch.bincount((numbers - low).flatten(), minlength=high - low)).pvalue > P_VALUE


def test_integers_reach_the_widest_range():
    numbers = Draw(0, KEYS).integers(0, 2**31, 8, stream=0)
    assert numbers.min() >= 0 and numbers.max() < 2**31
    assert stats.kstest(numbers.flatten().numpy() / 2**31, 'uniform').pvalue > P_VALUE


def test_neighbours_are_independent():
    draw = Draw(0, KEYS).at(0)
    numbers = draw.uniform(8, stream=0)
    others = {
        'column': numbers.roll(1, 1),
        'key': numbers.roll(1, 0),
        'stream': draw.uniform(8, stream=1),
        'position': Draw(0, KEYS).at(1).uniform(8, stream=0),
        'seed': Draw(1, KEYS).at(0).uniform(8, stream=0),
        'epoch': Draw(0, KEYS + 2**32).at(0).uniform(8, stream=0),
    }
    # Each: no linear relation, none between distances from the middle, and no equal numbers.
    for name, other in others.items():
        assert correlation(numbers, other) < 4, name
        assert correlation((numbers - 0.5).abs(), (other - 0.5).abs()) < 4, name
        assert (numbers == other).float().mean() < 1e-3, name
        table = np.histogram2d(numbers.flatten().numpy(), other.flatten().numpy(), bins=8, range=[[0, 1], [0, 1]])[0]
        assert stats.chisquare(table.ravel()).pvalue > P_VALUE, name


def test_every_bit_of_key_and_seed_turns_half_of_the_word():
    keys = torch.arange(512)
    words = Draw(0, keys).words(1, stream=0)

    def turned(other: torch.Tensor) -> float:
        bits = np.unpackbits((words ^ other).numpy().view(np.uint8))
        return float(bits.mean())

    # 512 words of 64 bits: the mean of independent bits deviates by 0.0028.
    for bit in range(63):
        assert abs(turned(Draw(0, keys ^ (1 << bit)).words(1, stream=0)) - 0.5) < 0.012, bit
        assert abs(turned(Draw(1 << bit, keys).words(1, stream=0)) - 0.5) < 0.012, bit
