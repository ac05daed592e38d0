"""Random numbers that are a pure function of what they are for, not of what was drawn before.

Each number is a hash of (seed, key of the sample, transform, stream, column), so that a run gives the same
augmentation on every device, with any number of ranks and workers, however the batch is split, and after a resume.
"""

import torch
from torch import Tensor

WORD = 2**64
GAMMA = 0x9E3779B97F4A7C15  # 2 ** 64 / golden ratio, the step of splitmix64
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
SHIFTS = (30, 27, 31)


def _mix(word: int) -> int:
    """The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014) on a word in [0, 2 ** 64)."""
    word = ((word ^ (word >> SHIFTS[0])) * MULTIPLIERS[0]) % WORD
    word = ((word ^ (word >> SHIFTS[1])) * MULTIPLIERS[1]) % WORD
    return word ^ (word >> SHIFTS[2])


def _signed(word: int) -> int:
    """The int64 with the same 64 bits as `word`."""
    word %= WORD
    return word - WORD if word >= WORD // 2 else word


def _shifted(words: Tensor, count: int) -> Tensor:
    """Logical right shift of int64 words: torch's own repeats the sign bit."""
    return (words >> count) & ((1 << (64 - count)) - 1)


def _mix_words(words: Tensor) -> Tensor:
    """`_mix` of each int64; products wrap round."""
    words = (words ^ _shifted(words, SHIFTS[0])) * _signed(MULTIPLIERS[0])
    words = (words ^ _shifted(words, SHIFTS[1])) * _signed(MULTIPLIERS[1])
    return words ^ _shifted(words, SHIFTS[2])


class Draw:
    """The random numbers of a batch.

    Args:
        seed: any integer (64 bits of it count).
        keys: int64 (B,), on the device of the images; a key names one visit of one image.
    """

    def __init__(self, seed: int, keys: Tensor) -> None:
        self.seed = seed
        self._path = 0
        # Mixed before and after the seed comes in: neither neighbouring keys nor neighbouring seeds are related.
        self._state = _mix_words(_mix_words(keys + _signed(GAMMA)) + _signed(_mix(seed % WORD)))

    def at(self, position: int) -> 'Draw':
        """The draw of the transform at `position` in its list: streams of their own, for the same images. It nests."""
        draw = Draw.__new__(Draw)
        draw.seed = self.seed
        draw._state = self._state
        draw._path = _mix((self._path + GAMMA * (position + 1)) % WORD)
        return draw

    def words(self, n: int, stream: int) -> Tensor:
        """Random 64-bit words, int64 (B, n). The first n columns do not depend on n."""
        start = _mix(self._path ^ _mix((stream + 1) % WORD))
        columns = torch.arange(n, device=self._state.device) * _signed(GAMMA) + _signed(start)
        return _mix_words(self._state[:, None] + columns)

    def uniform(self, n: int, stream: int) -> Tensor:
        """Numbers in [0, 1): float32 (B, n), multiples of 2 ** -24 and so exact on every device."""
        return _shifted(self.words(n, stream), 40).to(torch.float32) * 2.0**-24

    def integers(self, low: int, high: int, n: int, stream: int) -> Tensor:
        """Integers in [low, high), int64 (B, n); high - low is at most 2 ** 31."""
        return ((_shifted(self.words(n, stream), 32) * (high - low)) >> 32) + low
