"""Checkpoints: plain, whole, checked."""

import os
import pickle

import numpy as np
import pytest
import torch

from mmlt.engine.checkpoint import (
    checkpoints_of,
    content_sha256,
    latest_checkpoint,
    load_checkpoint,
    prune,
    save_checkpoint,
)
from mmlt.errors import UserError
from mmlt.models.weights import load_weights
from mmlt.plain import plain


def content(value: float = 1.0) -> dict:
    return dict(state_dict={'weight': torch.full((2, 3), value)}, meta=dict(epoch=1, step=0, class_counts=[3, 2]))


def test_a_bare_torch_load_opens_it(tmp_path):
    path = save_checkpoint(tmp_path / 'epoch_1.pth', content())
    loaded = torch.load(path)
    assert torch.equal(loaded['state_dict']['weight'], torch.ones(2, 3))
    assert loaded['meta']['class_counts'] == [3, 2]


@pytest.mark.parametrize('sums', [{}, {'teacher': 'ab'}, {'teacher': ['ab', 'cd'], 'init': 'ef'}])
def test_it_names_one_prerequisite_of_a_role_or_several(tmp_path, sums):
    whole = content()
    whole['meta']['teachers'] = sums
    path = save_checkpoint(tmp_path / 'epoch_1.pth', whole)
    assert load_checkpoint(path)['meta']['teachers'] == sums
    assert latest_checkpoint(tmp_path)[0] == path


def test_numpy_numbers_and_tuples_become_plain():
    made = plain({'a': np.float64(0.5), 'b': (1, np.int64(2)), 'c': np.arange(2), 3: None})
    assert made == {'a': 0.5, 'b': [1, 2], 'c': [0, 1], 3: None}
    assert type(made['a']) is float and type(made['b'][1]) is int


@pytest.mark.parametrize('place', range(0, 100, 7))
def test_a_flipped_byte_is_noticed_or_harmless(tmp_path, place):
    path = save_checkpoint(tmp_path / 'epoch_1.pth', content())
    data = bytearray(path.read_bytes())
    data[len(data) * place // 100] ^= 0xFF
    path.write_bytes(data)
    try:
        loaded = load_checkpoint(path)
    except UserError as error:
        assert str(path) in str(error)
    else:  # a byte of padding: the content is the very same
        assert content_sha256(loaded) == content_sha256(plain({**content(), 'format': 1}))


def test_truncated_and_missing_files_have_their_sentence(tmp_path):
    path = save_checkpoint(tmp_path / 'epoch_1.pth', content())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match='damaged'):
        load_checkpoint(path)
    with pytest.raises(UserError, match='no checkpoint'):
        load_checkpoint(tmp_path / 'none.pth')


class Mark:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_would_run_code_leaves_no_mark(tmp_path):
    mark = str(tmp_path / 'mark')
    torch.save({'state_dict': {}, 'meta': Mark(mark), 'format': 1}, tmp_path / 'epoch_1.pth')
    (tmp_path / 'epoch_2.pth').write_bytes(pickle.dumps(Mark(mark)))
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        with pytest.raises(UserError):
            load_checkpoint(tmp_path / name)
    assert not os.path.exists(mark)


def test_the_newest_readable_one_is_taken_and_pruning_keeps_the_newest(tmp_path):
    for epoch in (1, 2, 10):
        save_checkpoint(tmp_path / f'epoch_{epoch}.pth', content(epoch))
    save_checkpoint(tmp_path / 'epoch_10_step_3.pth', content(10.5))
    assert [path.stem for path in checkpoints_of(tmp_path)] == ['epoch_10_step_3', 'epoch_10', 'epoch_2', 'epoch_1']
    (tmp_path / 'epoch_10_step_3.pth').write_bytes(b'half')
    path, loaded = latest_checkpoint(tmp_path)
    assert path.stem == 'epoch_10' and loaded['state_dict']['weight'][0, 0] == 10
    prune(tmp_path, keep=2)
    assert len(checkpoints_of(tmp_path)) == 2


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path / 'epoch_1.pth', content())
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(UserError, match='No space left'):
        save_checkpoint(path, content(2.0))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ['epoch_1.pth']


def test_foreign_weights_name_the_layers():
    model = torch.nn.Linear(3, 2)
    with pytest.raises(UserError, match=r'weight is \(4, 3\) there and \(2, 3\) here.*lacks bias.*unknown here: extra'):
        load_weights(model, {'weight': torch.zeros(4, 3), 'extra': torch.zeros(1)}, 'x.pth')
