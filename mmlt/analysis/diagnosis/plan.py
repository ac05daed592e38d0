"""Which images a first run trains and is evaluated on, and why the others are left out."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from mmlt.analysis.diagnosis.duplicates import SURE, alikeness
from mmlt.analysis.diagnosis.findings import Diagnosis
from mmlt.analysis.diagnosis.similar import Pairs, groups_of
from mmlt.analysis.diagnosis.words import many, some
from mmlt.datasets.holdout import split_places
from mmlt.datasets.labels import count_labels
from mmlt.errors import UserError

TRAIN, VAL, TEST = USED = ('train', 'val', 'test')
FRACTION = 0.2  # of each class that is held out where no split is given
MOST_ALIKE = 0.05  # share of the training images up to which look-alikes of evaluated images are left out
LARGE = 0.1  # share of all images from which a group of look-alikes is no copy of one scene


@dataclass
class Plan:
    """The images of a first run.

    Args:
        split: (N,) `train`, `val`, `test`, or empty for an image that is left out.
        classes: places, among the classes of the data, of those that are trained on.
        reasons: place -> why the image is left out, in words.
        made: whether the split was made here.
        group: (N,) numbers, equal for images that belong on one side; None where each is by itself.
        notes: what was decided, in sentences.
    """

    split: np.ndarray
    classes: np.ndarray
    reasons: dict[int, str]
    made: bool
    group: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def places(self, split: str) -> np.ndarray:
        """Places of the images of a split."""
        return np.flatnonzero(self.split == split)

    @property
    def evaluated(self) -> str:
        """The split that the epochs are compared on."""
        return VAL if (self.split == VAL).any() else TEST

    def class_counts(self, diagnosis: Diagnosis) -> np.ndarray:
        """Training images of each class that is trained on."""
        labels = diagnosis.table.labels[self.places(TRAIN)]
        return np.array(count_labels(labels, len(diagnosis.table.classes)))[self.classes]


def make_plan(diagnosis: Diagnosis) -> Plan:
    """Take the given split, or make one; leave out what cannot be used or stands on both sides.

    Of equal pictures in two splits the one in the evaluated split stays, so that results compare with others'. Equal pictures
    whose labels differ are left out, but for the majority where there is one.

    Raises:
        UserError: fewer than two classes, or no image to evaluate on, are left.
    """
    given = diagnosis.table.splits
    made = given is None or TRAIN not in given or not ({VAL, TEST} & set(given.tolist()))
    split = np.where(np.isin(given, USED), given, '').astype('U8') if not made else np.full(len(diagnosis.table), TRAIN, 'U8')
    plan = Plan(split, np.arange(len(diagnosis.table.classes)), {}, made)
    if made and given is not None:
        plan.notes.append(f'The data name {some(diagnosis.splits)}, which is no split to train and evaluate on: one is made.')
    for place in np.flatnonzero(split == '').tolist():
        plan.reasons[place] = f'is in {given[place]!r}, which is neither train, val nor test'
    for place in diagnosis.broken.tolist():
        _leave_out(plan, place, diagnosis.scan.problems[place])
    for group in diagnosis.exact_groups:
        _once(diagnosis, plan, [place for place in group.tolist() if plan.split[place]])
    _restore(diagnosis, plan)
    if not made:
        _without_alike(diagnosis, plan)
    words = _belonging(diagnosis, plan)
    if made:
        _split(diagnosis, plan, words)
    _known_classes(diagnosis, plan)
    for name, what in ((TRAIN, 'train on'), (plan.evaluated, 'evaluate on')):
        if not len(plan.places(name)):
            raise UserError(f'of {diagnosis.table.source} no image is left to {what}: collect more, see the diagnosis.')
    return plan


def _leave_out(plan: Plan, place: int, why: str) -> None:
    plan.split[place] = ''
    plan.reasons.setdefault(place, why)


def _once(diagnosis: Diagnosis, plan: Plan, group: list[int]) -> None:
    """Of equal pictures keep one, in the split that is evaluated last."""
    if len(group) < 2:
        return
    labels = {place: diagnosis.table.labels[place].tobytes() for place in group}
    path = diagnosis.table.paths
    last = max((plan.split[place] for place in group), key=USED.index)
    kept = [place for place in group if plan.split[place] == last]
    for place in group:
        if place not in kept:
            also = '' if labels[place] == labels[kept[0]] else f' (labelled {diagnosis.label_text(kept[0])})'
            _leave_out(plan, place, f'is the same picture as {path[kept[0]]} in {last}{also}')
    (label, votes), *others = Counter(labels[place] for place in kept).most_common()
    agreed = not others or votes > others[0][1]
    first = next(place for place in kept if labels[place] == label)
    for place in kept:
        other = next((one for one in kept if labels[one] != labels[place]), None)
        if other is not None and (not agreed or labels[place] != label):
            _leave_out(plan, place, f'is the same picture as {path[other]}, which is labelled {diagnosis.label_text(other)}')
        elif place != first and last == TRAIN:
            _leave_out(plan, place, f'is a copy of {path[first]}')


def _restore(diagnosis: Diagnosis, plan: Plan) -> None:
    """Give a class its first image back where copies were all that it had to train on."""
    if diagnosis.several:
        return
    labels = diagnosis.table.labels
    trained = set(labels[plan.split == TRAIN].tolist())
    for place in sorted(plan.reasons):
        was_training = plan.made or diagnosis.table.splits[place] == TRAIN
        if was_training and diagnosis.scan.usable[place] and int(labels[place]) not in trained:
            trained.add(int(labels[place]))
            plan.split[place] = TRAIN
            name = diagnosis.table.classes[labels[place]]
            plan.notes.append(f'{diagnosis.table.paths[place]} stays, as the only training image of {name}, though it '
                              f'{plan.reasons.pop(place)}.')  # fmt: skip


def _belonging(diagnosis: Diagnosis, plan: Plan) -> str:
    """Number what belongs on one side, look-alikes and the groups that the data name, and say what it is; empty for nothing."""
    places, table = np.flatnonzero(plan.split != ''), diagnosis.table
    alike = diagnosis.duplicates.near_group
    largest = int(np.bincount(alike).max(initial=0))
    if largest > max(LARGE * len(table), 1 / LARGE):
        plan.notes.append(f'{largest:,} images look alike in one chain, so look-alikes are not kept together.')
        alike = diagnosis.duplicates.exact
    words = 'look-alikes' if (np.bincount(alike[places]) > 1).any() else ''
    if table.groups is not None:
        first = np.unique(table.groups, return_index=True)[1][np.unique(table.groups, return_inverse=True)[1].reshape(-1)]
        both = Pairs(np.r_[np.arange(len(table)), np.arange(len(table))], np.r_[alike, first], np.zeros(2 * len(table), int))
        alike = groups_of(both, len(table))
        words = f'images of one {table.group_name}' + (f' and {words}' if words else '')
    plan.group = alike if words else None
    return words


def _split(diagnosis: Diagnosis, plan: Plan, words: str) -> None:
    """Hold a part out, what belongs together on one side each."""
    places = plan.places(TRAIN)
    grouped = None if plan.group is None else plan.group[places]
    train, held = split_places(diagnosis.table.labels[places], (1 - FRACTION, FRACTION), grouped, seed=0)
    plan.split[places[held]] = VAL
    plan.notes.append(f'{many(len(held), "image")} of {len(places):,} are held out: a fifth of each class, drawn with seed 0'
                      f'{f", {words} together" if words else ""}.')  # fmt: skip


def _without_alike(diagnosis: Diagnosis, plan: Plan) -> None:
    """Leave out training images that are copies, by the look of them, of evaluated ones, where these are few."""
    near, split = diagnosis.duplicates.near, plan.split
    across = (split[near.first] != split[near.second]) & (split[near.first] != '') & (split[near.second] != '')
    rows = np.flatnonzero(across)
    pairs = near.take(rows[alikeness(diagnosis.scan.pictures, near.take(rows)) >= SURE])
    found: dict[int, int] = {}
    for one, other in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        early, late = sorted((one, other), key=lambda place: USED.index(split[place]))
        found.setdefault(early, late)
    trained = sum(split[place] == TRAIN for place in found)
    if trained > MOST_ALIKE * (split == TRAIN).sum():
        plan.notes.append(f'{many(trained, "training image")} look like evaluated ones, too many to leave out: the given split '
                          'lets results look better than they are.')  # fmt: skip
        return
    left = Counter() if diagnosis.several else Counter(diagnosis.table.labels[split == TRAIN].tolist())
    for early, late in found.items():
        label = None if diagnosis.several else int(diagnosis.table.labels[early])
        if split[early] == TRAIN and label is not None:
            if left[label] <= 1:
                continue
            left[label] -= 1
        _leave_out(plan, early, f'looks like {diagnosis.table.paths[late]} in {split[late]}')


def _known_classes(diagnosis: Diagnosis, plan: Plan) -> None:
    """Classes without a training image cannot be learnt: they and their images are left out."""
    labels, classes = diagnosis.table.labels, diagnosis.table.classes
    counts = np.array(count_labels(labels[plan.split == TRAIN], len(classes)))
    plan.classes = np.flatnonzero(counts)
    if len(plan.classes) < (1 if diagnosis.several else 2):
        raise UserError(f'{diagnosis.table.source} has training images of {many(len(plan.classes), "class", "classes")} alone: '
                        'there is nothing to tell apart.')  # fmt: skip
    if len(plan.classes) == len(classes):
        return
    lost = some([classes[k] for k in np.flatnonzero(counts == 0)])
    plan.notes.append(f'Left out, as no training image shows them: {lost}.')
    if not diagnosis.several:
        for place in np.flatnonzero((counts[labels] == 0) & (plan.split != '')).tolist():
            _leave_out(plan, place, f'is of {classes[labels[place]]}, which no training image shows')

