"""Paths in one block of bytes: the same as a list of texts, small, and shared by processes."""

import copy
import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch

from mmlt.datasets.label_files import read_labels
from mmlt.datasets.paths import Paths

TEXTS = ['cat/1.png', '', 'ein Hündchen/ß.jpg', 'caf\udce9.png', '日本/犬.png', 'x' * 4000]


def test_it_is_as_a_list_of_texts():
    for texts in (TEXTS, TEXTS[:1], []):
        paths = Paths(texts)
        assert len(paths) == len(texts) and list(paths) == texts
        for place in range(-len(texts), len(texts)):
            assert paths[place] == texts[place] and paths.raw(place) == texts[place].encode('utf-8', 'surrogateescape')
        for outside in (len(texts), -len(texts) - 1):
            with pytest.raises(IndexError):
                paths[outside]
        assert list(paths[1:]) == texts[1:] and list(paths[::-2]) == texts[::-2]
    paths = Paths(TEXTS)
    for places in ([3, 0, 3, 5], [], [2]):
        assert list(paths[np.array(places, dtype=np.int64)]) == [TEXTS[place] for place in places]
    assert list(paths[np.array([True, False, True, False, False, True])]) == [TEXTS[0], TEXTS[2], TEXTS[5]]
    for other in (pickle.loads(pickle.dumps(paths)), copy.deepcopy(paths)):
        assert list(other) == TEXTS and list(other[1:3]) == TEXTS[1:3]


def test_it_holds_the_bytes_and_eight_more_a_path():
    texts = [f'train/{number}/image.jpg' for number in range(1000)] + ['y' * 5000]  # one long path makes no other longer
    assert Paths(texts).nbytes == sum(map(len, texts)) + 8 * 1002


def test_workers_that_are_started_anew_share_it():
    paths = Paths(TEXTS)
    one, two = (pickle.loads(ForkingPickler.dumps(paths)) for _ in range(2))  # what two spawned workers are sent
    for held in (paths, one, two):
        assert all(tensor.is_shared() for tensor in held._tensors) and list(held) == TEXTS
    with torch.no_grad():
        paths._tensors[0][0] = ord('C')
    assert one[0] == two[0] == paths[0] == 'Cat/1.png'


def test_a_list_of_the_longest_public_set_is_held_in_its_own_bytes(tmp_path):
    count = 437_513  # iNaturalist 2018
    paths = [f'train_val2018/Aves/{number % 8142}/{number:032x}.jpg' for number in range(count)]
    (tmp_path / 'list.txt').write_text(''.join(f'{path} {number % 8142}\n' for number, path in enumerate(paths)))
    table = read_labels(tmp_path / 'list.txt', tmp_path)
    assert len(table) == count and len(table.classes) == 8142 and table.labels[-1] == (count - 1) % 8142
    assert table.paths.nbytes == sum(map(len, paths)) + 8 * (count + 1) and table.paths[400_000] == paths[400_000]
