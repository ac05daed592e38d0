"""The class prior and what is derived from it: log prior, effective-number weights, shot groups.

Everything here starts from `class_counts`, the number of training images of each class, and is computed in float64.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

ClassCounts = Sequence[int] | np.ndarray | Tensor


def count_array(class_counts: ClassCounts) -> np.ndarray:
    """Class counts as a float64 array of shape (C,).

    Args:
        class_counts: (C,) images of each class, finite and at least 0; a list, an array or a tensor on any device.

    Raises:
        ValueError: not one-dimensional, no class, a negative or non-finite count, or no image at all.
    """
    raw = class_counts.detach().cpu().numpy() if isinstance(class_counts, Tensor) else class_counts
    counts = np.asarray(raw, dtype=np.float64)
    if counts.ndim != 1 or counts.size == 0:
        raise ValueError(f'class_counts must have one entry a class, got the shape {counts.shape}.')
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError('class_counts must be finite and at least 0.')
    if not counts.any():
        raise ValueError('class_counts are all 0: there is no training image.')
    return counts


def effective_number_weights(class_counts: ClassCounts, beta: float = 0.9999) -> Tensor:
    """Class weights from the effective number of images, normalised so that they sum to the number of classes.

    `e_c = (1 - beta) / (1 - beta ** n_c)` and `w_c = C * e_c / sum(e)`. `beta=0` gives all ones; `beta=1` is the limit,
    the inverse frequency `e_c = 1 / n_c`.

    Args:
        class_counts: (C,) training images of each class, each more than 0.
        beta: in [0, 1].

    Returns:
        (C,) float64, on the device of `class_counts` if that is a tensor, else on the CPU.

    Raises:
        ValueError: `beta` outside [0, 1], or a class without an image (its weight would be infinite).

    Source: Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, eq. 4 and section 4.
    """
    if not 0 <= beta <= 1:
        raise ValueError(f'beta must be in [0, 1], got {beta}.')
    counts = count_array(class_counts)
    if (counts == 0).any():
        empty = np.flatnonzero(counts == 0).tolist()
        raise ValueError(f'classes {empty} have no training image, so they have no effective-number weight.')
    if beta == 1:
        inverse = 1 / counts
    elif beta == 0:
        inverse = np.ones_like(counts)
    else:
        # 1 - beta ** n through expm1: nothing cancels when beta is close to 1.
        inverse = (1 - beta) / -np.expm1(counts * np.log1p(beta - 1))
    weights = torch.from_numpy(len(counts) * inverse / inverse.sum())
    return weights.to(class_counts.device) if isinstance(class_counts, Tensor) else weights


def _by_count(
    many: Callable[[np.ndarray], np.ndarray], few: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    return lambda counts: np.where(many(counts), 0, np.where(few(counts), 2, 1))


def _by_index_of_100(counts: np.ndarray) -> np.ndarray:
    if len(counts) != 100:
        raise ValueError(f"the convention 'mislas' is defined for 100 classes only, got {len(counts)}.")
    return np.digitize(np.arange(100), [36, 71])


def _by_thirds(counts: np.ndarray) -> np.ndarray:
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind='stable')] = np.arange(len(counts))
    return np.digitize(rank, [len(counts) // 3, 2 * len(counts) // 3])


# For each convention the rule in words, as reports print it, and the rule: counts (C,) to 0 many, 1 medium, 2 few.
_RULES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    'standard': (
        'many > 100, medium 20 to 100, few < 20 training images (decoupling, RIDE, SADE, PaCo)',
        _by_count(lambda n: n > 100, lambda n: n < 20),
    ),
    'ncl': (
        'many >= 100, medium 21 to 99, few <= 20 training images (NCL)',
        _by_count(lambda n: n >= 100, lambda n: n <= 20),
    ),
    'glmc': (
        'many > 100, medium 21 to 100, few <= 20 training images (GLMC)',
        _by_count(lambda n: n > 100, lambda n: n <= 20),
    ),
    'breadcrumb': (
        'many >= 100, medium 21 to 99, few <= 20 training images (Breadcrumbs)',
        _by_count(lambda n: n >= 100, lambda n: n <= 20),
    ),
    'lvis': (
        'many > 100, medium 11 to 100, few <= 10 training images (LVIS: frequent, common, rare)',
        _by_count(lambda n: n > 100, lambda n: n <= 10),
    ),
    'mislas': ('classes 0 to 35, 36 to 70 and 71 to 99 by index; 100 classes only (MiSLAS)', _by_index_of_100),
    'prior-lt': (
        'thirds of the classes, ordered by falling count, equal counts by index (Prior-LT)',
        _by_thirds,
    ),
}
CONVENTIONS: dict[str, str] = {name: description for name, (description, _) in _RULES.items()}
GROUPS = ('many', 'medium', 'few')


def shot_groups(class_counts: ClassCounts, convention: str = 'standard') -> dict[str, np.ndarray]:
    """Classes of each shot group.

    Args:
        class_counts: (C,) TRAINING images of each class; 0 is allowed.
        convention: a name in `CONVENTIONS`, which gives the rule of each in words.

    Returns:
        `many`, `medium` and `few`, each an int64 array of class ids in rising order, empty where a group has no class.

    Raises:
        ValueError: an unknown convention, or `mislas` with other than 100 classes.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f'no shot-group convention is called {convention!r}; there are {", ".join(CONVENTIONS)}.')
    group = _RULES[convention][1](count_array(class_counts))
    return {name: np.flatnonzero(group == place).astype(np.int64) for place, name in enumerate(GROUPS)}


class ClassPrior:
    """How often each class occurs in the training set.

    Args:
        class_counts: (C,) training images of each class, at least 0, not all 0.

    Attributes:
        class_counts: (C,) float64 tensor on the CPU.

    Raises:
        ValueError: see `count_array`.
    """

    def __init__(self, class_counts: ClassCounts) -> None:
        self.class_counts = torch.from_numpy(count_array(class_counts).copy())

    def __repr__(self) -> str:
        return (
            f'ClassPrior({self.num_classes} classes, {self.num_images:g} images, '
            f'imbalance ratio {self.imbalance_ratio:g})'
        )

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.class_counts)

    @property
    def num_images(self) -> float:
        """Number of training images."""
        return float(self.class_counts.sum())

    @property
    def imbalance_ratio(self) -> float:
        """Images of the largest class over those of the smallest that has any."""
        return float(self.class_counts.max() / self.class_counts[self.class_counts > 0].min())

    @cached_property
    def prior(self) -> Tensor:
        """(C,) float64, share of each class, sums to 1."""
        return self.class_counts / self.class_counts.sum()

    @cached_property
    def log_prior(self) -> Tensor:
        """(C,) float64, natural logarithm of `prior`; -inf for a class without an image."""
        return self.prior.log()

    def effective_number_weights(self, beta: float = 0.9999) -> Tensor:
        """(C,) float64; see `mmlt.priors.effective_number_weights`."""
        return effective_number_weights(self.class_counts, beta)

    def shot_groups(self, convention: str = 'standard') -> dict[str, np.ndarray]:
        """Classes of each group; see `mmlt.priors.shot_groups`."""
        return shot_groups(self.class_counts, convention)
