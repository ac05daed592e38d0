"""Parts of one's own data: split by class, with what belongs together kept together; a hold-out to choose and tune on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmlt.arguments import number
from mmlt.errors import UserError, brief

TRAIN, HOLDOUT = 'train', 'holdout'
PARTS = (TRAIN, HOLDOUT)


@dataclass(frozen=True)
class Holdout:
    """A part of a training set that is never trained on.

    Args:
        part: `train`: all but the part set aside; `holdout`: that part.
        fraction: of the images of each class that is set aside, in (0, 1); at least one image of each class that has two.
        seed: of the choice.

    Raises:
        UserError: an argument of the wrong kind or out of its range.
    """

    part: str = TRAIN
    fraction: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise UserError(f'holdout: part must be one of {", ".join(PARTS)}, not {brief(repr(self.part))}.')
        number('holdout', 'fraction', self.fraction, above=0, most=0.9)
        number('holdout', 'seed', self.seed, least=0, most=2**32 - 1, whole=True)

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> 'Holdout':
        """From the entry of a config.

        Raises:
            UserError: see `Holdout`, or a key that it has not.
        """
        if not isinstance(cfg, Mapping) or (strange := sorted(set(cfg) - set(cls.__dataclass_fields__))):
            said = f'has no {brief(str(strange[0]))}' if isinstance(cfg, Mapping) else f'is not {brief(repr(cfg))}'
            raise UserError(f"holdout {said}: it is dict(part='train' or 'holdout', fraction=0.1, seed=0).")
        return cls(**cfg)

    def places(self, labels: np.ndarray, groups: np.ndarray | None, num_classes: int) -> np.ndarray:
        """(M,) int64 places of the part's images, rising.

        Raises:
            UserError: nothing would be set aside.
        """
        parts = split_places(labels, (1 - self.fraction, self.fraction), groups, self.seed)
        if not all(map(len, parts)):
            raise UserError(
                f'of {len(labels)} images of {num_classes} classes none can be set aside: collect more, or leave holdout out.'
            )
        return parts[PARTS.index(self.part)]

    def told(self, images: int, before: int, group_name: str | None) -> str:
        """What it is, in words."""
        kept = f', images of one {group_name} together' if group_name else ''
        which = 'the part set aside' if self.part == HOLDOUT else 'without the part set aside'
        return f'{images:,} of {before:,} images: {which} ({self.fraction:g} of each class, seed {self.seed}{kept})'

    def record(self) -> dict:
        """Plain values for the results."""
        return asdict(self)


def split_places(
    labels: np.ndarray, fractions: Sequence[float], groups: np.ndarray | None = None, seed: int = 0
) -> list[np.ndarray]:
    """Part images so that each class is parted alike, and images of a group stay together.

    Of a class, every part gets its fraction, to the nearest image or group, and at least one where the class has enough; the
    first part keeps one of each class in any case. Of images with several labels or in groups, the rarest class is served
    first, and each image or group goes to the part that wants it most (iterative stratification).

    Args:
        labels: (N,) int64, or (N, K) with 1 for each class that an image shows.
        fractions: of the parts, above 0, adding up to 1.
        groups: (N,) numbers or texts, equal for images that belong together; None for each by itself.
        seed: of the order within a class; the same seed gives the same parts.

    Returns:
        A part's places, (M,) int64, rising, for each fraction.

    Raises:
        UserError: fractions that are none.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011, algorithm 1.
    """
    labels, fractions = np.asarray(labels), [float(share) for share in fractions]
    if len(fractions) < 2 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f'fractions must be two or more numbers above 0 that add up to 1, not {fractions}.')
    rng = np.random.Generator(np.random.PCG64(seed))
    if groups is None and labels.ndim == 1:
        part_of = _by_class(labels, fractions, rng)
    else:
        part_of = _by_want(labels, fractions, groups, rng)
    return [np.flatnonzero(part_of == part) for part in range(len(fractions))]


def _by_class(labels: np.ndarray, fractions: list[float], rng: np.random.Generator) -> np.ndarray:
    part_of = np.zeros(len(labels), dtype=np.int64)
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind='stable')]
    for places in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        part_of[places] = np.repeat(np.arange(len(fractions)), _shares(len(places), fractions))
    return part_of


def _shares(count: int, fractions: list[float]) -> list[int]:
    """Whole numbers that add up to `count`: the largest remainders are rounded up, then each part that can has one."""
    exact = [count * share for share in fractions]
    shares = [int(share + 1e-9) for share in exact]
    rest = sorted(range(len(fractions)), key=lambda part: (shares[part] - exact[part], part))
    for part in rest[: count - sum(shares)]:
        shares[part] += 1
    for part in range(min(len(fractions), count)):
        if not shares[part]:
            shares[max(range(len(fractions)), key=lambda one: shares[one])] -= 1
            shares[part] += 1
    return shares


def _by_want(
    labels: np.ndarray, fractions: list[float], groups: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    unit_of = np.arange(len(labels)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    image, shown = np.nonzero(labels) if labels.ndim == 2 else (np.arange(len(labels)), labels)
    num_classes = labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1
    num_units, sizes = int(unit_of.max()) + 1, np.bincount(unit_of)
    pairs, counts = np.unique(unit_of[image] * num_classes + shown, return_counts=True)
    units, classes = np.divmod(pairs, num_classes)
    own: list[list[tuple[int, int]]] = [[] for _ in range(num_units)]
    members: list[list[tuple[int, int]]] = [[] for _ in range(num_classes)]
    for unit, k, count in zip(units.tolist(), classes.tolist(), counts.tolist(), strict=True):
        own[unit].append((k, count))
        members[k].append((unit, count))
    total = np.bincount(classes, weights=counts, minlength=num_classes)
    wants = [(total * share).tolist() for share in fractions]
    for k in range(num_classes):  # the first part wants what is left when each other one has at least one
        for part in range(1, len(fractions)):
            least = min(counts for _, counts in members[k]) if part < len(members[k]) else 0
            wants[0][k] -= max(0.0, least - wants[part][k])
            wants[part][k] = max(wants[part][k], least)
    room = [len(labels) * share for share in fractions]
    has = [[False] * num_classes for _ in fractions]
    random = rng.permutation(num_units)
    part_of_unit = np.full(num_units, -1, dtype=np.int64)

    unplaced = [len(units) for units in members]

    def place(unit: int, part: int) -> None:
        if any(unplaced[k] == 1 and not has[0][k] for k, _ in own[unit]):
            part = 0  # its last chance to have this class
        part_of_unit[unit] = part
        room[part] -= sizes[unit]
        for k, count in own[unit]:
            unplaced[k] -= 1
            wants[part][k] -= count
            has[part][k] = True

    for k in np.argsort(total, kind='stable').tolist():
        for unit, _ in sorted(members[k], key=lambda one: (-one[1], random[one[0]])):
            if part_of_unit[unit] < 0:
                keys = [(wants[part][k], not has[part][k], room[part], -part) for part in range(len(fractions))]
                place(unit, max(range(len(fractions)), key=keys.__getitem__))
    for unit in np.flatnonzero(part_of_unit < 0)[np.argsort(random[part_of_unit < 0])]:  # images that show nothing
        place(unit, max(range(len(fractions)), key=lambda part: room[part]))
    return part_of_unit[unit_of]
