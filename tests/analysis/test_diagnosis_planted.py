"""Defects planted among photographs: what is found is what was planted, no more and no less."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from planted_photos import CLASSES, plant, tiles

from mmlt.analysis.diagnosis import look
from mmlt.analysis.diagnosis.file_check import KINDS
from mmlt.analysis.diagnosis.plan import make_plan
from mmlt.datasets.label_files import read_labels

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data'


def named(diagnosis, groups):
    return {frozenset(diagnosis.table.paths[int(place)] for place in group) for group in groups}


@pytest.fixture(scope='module')
def planted(tmp_path_factory):
    return plant(tmp_path_factory.mktemp('photos'))


@pytest.fixture(scope='module')
def diagnosis(planted):
    return look(read_labels(planted.root), workers=2)


def test_every_broken_file_and_no_other(planted, diagnosis):
    assert {diagnosis.table.paths[p]: KINDS[diagnosis.scan.kinds[p]] for p in diagnosis.broken} == planted.broken


def test_every_exact_duplicate_and_no_other(planted, diagnosis):
    assert named(diagnosis, diagnosis.exact_groups) == planted.exact
    assert named(diagnosis, diagnosis.contradictions) == planted.contradictory
    same_file = diagnosis.duplicates.same_file
    assert (same_file != np.arange(len(same_file))).sum() == 2  # the third is a JPEG saved as a PNG


def test_every_near_duplicate_and_no_other(planted, diagnosis):
    near = diagnosis.duplicates.near
    assert named(diagnosis, zip(near.first, near.second, strict=True)) == planted.near
    assert named(diagnosis, diagnosis.near_groups) == planted.near
    assert diagnosis.doubtful == []


def test_what_lies_in_two_splits(diagnosis):
    assert diagnosis.leaks == {('train', 'test'): {'exact': 2, 'near': 3}}


def test_counts_are_those_of_the_readable_files(planted, diagnosis):
    for row, split in zip(diagnosis.counts, diagnosis.splits, strict=True):
        files = [path for path in (planted.root / split).rglob('*.*')
                 if str(path.relative_to(planted.root)) not in planted.broken]  # fmt: skip
        assert dict(zip(CLASSES, row.tolist(), strict=True)) == Counter(path.parent.name for path in files)


def test_a_first_run_leaves_out_what_is_wrong(planted, diagnosis):
    plan = make_plan(diagnosis)
    paths = diagnosis.table.paths
    left_out = {paths[place] for place in plan.reasons}
    copies = {path for pair in planted.exact | planted.near for path in pair if path.startswith('train')}
    assert left_out == set(planted.broken) | copies
    assert not plan.made and plan.evaluated == 'test'
    assert {paths[p] for p in plan.places('test')} == {p for p in paths if p.startswith('test')} - set(planted.broken)
    wrong = next(place for place in plan.reasons if paths[place].endswith('wrong.jpg'))
    assert 'is the same picture as' in plan.reasons[wrong] and 'which is labelled' in plan.reasons[wrong]


def test_the_same_from_a_table_without_splits(planted, tmp_path):
    """Copies and what a column keeps together stay on one side of the split that is made."""
    rows = sorted(path.relative_to(planted.root) for path in planted.root.rglob('*.*'))
    with open(tmp_path / 'labels.csv', 'w', newline='') as stream:
        csv.writer(stream).writerows([['image', 'label', 'tree'], *((p, p.parent.name, f'{p.parent.name}{n // 3}')
                                                                    for n, p in enumerate(rows))])  # fmt: skip
    diagnosis = look(read_labels(tmp_path / 'labels.csv', planted.root, group_column='tree'), workers=1)
    assert {diagnosis.table.paths[p] for p in diagnosis.broken} == set(planted.broken)
    assert named(diagnosis, diagnosis.exact_groups) == planted.exact and diagnosis.leaks == {}
    plan = make_plan(diagnosis)
    assert plan.made and plan.evaluated == 'val' and 0.1 < len(plan.places('val')) / len(rows) < 0.3
    place_of = {path: place for place, path in enumerate(diagnosis.table.paths)}
    for pair in planted.near:
        assert len({plan.split[place_of[path]] for path in pair}) == 1
    used = np.flatnonzero(plan.split != '')
    for tree in set(diagnosis.table.groups[used].tolist()):
        assert len(set(plan.split[used][diagnosis.table.groups[used] == tree].tolist())) == 1
    for pair in planted.exact - planted.contradictory:
        assert sum(plan.split[place_of[path]] != '' for path in pair) == 1
    assert set(diagnosis.table.labels[plan.places('train')].tolist()) == set(range(4))


def test_several_labels(planted, tmp_path):
    rows = sorted(path.relative_to(planted.root) for path in planted.root.rglob('*.*'))
    table = [['image', *CLASSES, 'split']]
    for number, path in enumerate(rows):
        shown = [int(path.parent.name == name) for name in CLASSES[:-1]]
        table.append([path, *shown, number % 2, path.parts[0]])
    with open(tmp_path / 'labels.csv', 'w', newline='') as stream:
        csv.writer(stream).writerows(table)
    diagnosis = look(read_labels(tmp_path / 'labels.csv', planted.root, several=True, classes=CLASSES, split_column='split'),
                     workers=1)  # fmt: skip
    labels = np.array([row[1:5] for row in table[1:]])[diagnosis.scan.usable]
    train = np.array([row[5] for row in table[1:]])[diagnosis.scan.usable] == 'train'
    assert diagnosis.several and diagnosis.class_counts.tolist() == labels[train].sum(axis=0).tolist()
    groups = named(diagnosis, diagnosis.exact_groups)
    row_of = {str(row[0]): row[1:5] for row in table[1:]}
    assert groups == planted.exact
    assert named(diagnosis, diagnosis.contradictions) == {
        group for group in groups if len({tuple(row_of[path]) for path in group}) > 1
    }
    plan = make_plan(diagnosis)
    assert set(planted.broken) < {diagnosis.table.paths[place] for place in plan.reasons}


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f'the real images are not in {SHARED}')
def test_traffic_signs(tmp_path):
    """Frames of one track resemble one another: the planted ones are found among them, and files and equal pictures exactly."""
    import sys

    sys.path.insert(0, str(SHARED))
    try:
        from unpack import read_pack
    finally:
        sys.path.remove(str(SHARED))
    images, labels, _ = read_pack(SHARED / 'extra' / 'gtsrb32_test_every3rd.npz')
    images, labels = images[::4], labels[::4]
    planted = plant(tmp_path, images, labels, crop=1)
    diagnosis = look(read_labels(tmp_path), workers=1)
    assert len(diagnosis.table.classes) == 43
    assert {diagnosis.table.paths[p]: KINDS[diagnosis.scan.kinds[p]] for p in diagnosis.broken} == planted.broken
    assert named(diagnosis, diagnosis.exact_groups) == planted.exact
    assert named(diagnosis, diagnosis.contradictions) == planted.contradictory
    near = diagnosis.duplicates.near
    found = named(diagnosis, zip(near.first, near.second, strict=True))
    assert planted.near <= found and len(found - planted.near) < 0.1 * len(images)


def test_tiles_are_no_duplicates_by_themselves():
    assert len(tiles()) > 75
