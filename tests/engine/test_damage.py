"""Two hundred damaged files, and hostile ones: a sentence or the very same content, never a crash, never a mark."""

import contextlib
import random
import time
from pathlib import Path

import misfits
import numpy as np
import pytest
import torch
from hostile import HARMLESS, META_KINDS, PICKLE_KINDS, write
from misfits import STRUCTURE

from mmlt.config.load import load_config
from mmlt.datasets import CIFAR100, ImageList
from mmlt.datasets import archive as archives
from mmlt.datasets.archive import load_batch
from mmlt.engine.checkpoint import content_sha256, latest_checkpoint, load_checkpoint, save_checkpoint
from mmlt.engine.finished import harmless, load_classifier
from mmlt.errors import UserError
from mmlt.models.weights import read_weights
from mmlt.plain import plain
from mmlt.registry import MODELS

CASES = range(50)


def damage(path: Path, case: int) -> bytes:
    """Flip, cut or overwrite bytes of a file, a function of `case`; gives back the old content."""
    draw = random.Random(case)
    old = path.read_bytes()
    data = bytearray(old)
    if case % 5 == 0:
        del data[draw.randrange(len(data)) :]
    else:
        for _ in range(draw.choice((1, 1, 3, 20))):
            data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
    path.write_bytes(data)
    return old


def model_config() -> dict:
    cfg = load_config('configs/ce/resnet8_digitslt.py')
    return plain(cfg.model.to_dict())


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp('good') / 'epoch_1.pth'
    model = MODELS.build(model_config())
    model.class_counts += 2
    meta = dict(model=model_config(), epoch=1, step=0, class_counts=[2] * 10, history=[])
    save_checkpoint(path, dict(state_dict=model.state_dict(), meta=meta))
    return path.read_bytes()


@pytest.mark.parametrize('case', CASES)
def test_a_damaged_checkpoint(case, checkpoint, tmp_path):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(checkpoint)
    good = content_sha256(load_checkpoint(path))
    damage(path, case)
    try:
        content = load_checkpoint(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert content_sha256(content) == good


@pytest.mark.parametrize('case', CASES)
def test_damaged_arrays(case, tmp_path):
    path, draw = tmp_path / 'train.npz', np.random.default_rng(0)
    arrays = dict(images=draw.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8), labels=np.arange(12))
    (np.savez_compressed if case % 2 else np.savez)(path, **arrays)
    damage(path, case)
    try:
        data = CIFAR100(tmp_path, download=False)
        images, labels = data.tensors()
    except UserError as error:
        assert str(tmp_path) in str(error)
    else:  # zip checks each array: what is read is what was written
        assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), arrays['images'])
        assert np.array_equal(labels.numpy(), arrays['labels'])


@pytest.mark.parametrize('case', CASES)
def test_a_damaged_archive(case, tmp_path):
    path = tmp_path / 'cifar-100-python.tar.gz'
    path.write_bytes(random.Random(0).randbytes(3000))
    known = archives.Archive('CIFAR-100', 'https://example.org/' + path.name, archives.md5_of(path), {}, 'fine_labels')
    archives.check_md5(path, known)
    old = damage(path, case)
    assert path.read_bytes() != old
    with pytest.raises(UserError, match='cifar-100-python.tar.gz is not the published archive'):
        archives.check_md5(path, known)


@pytest.mark.parametrize('case', CASES)
def test_a_damaged_batch_inside_an_archive(case, tmp_path):
    path = tmp_path / 'train'
    import pickle

    path.write_bytes(pickle.dumps({'data': np.zeros((4, 3072), np.uint8), 'fine_labels': [0, 1, 2, 99]}, protocol=2))
    damage(path, case)
    try:
        pixels, labels = load_batch(path.read_bytes(), 'fine_labels', 100)
    except (ValueError, pickle.UnpicklingError):  # read_split turns these into its sentence
        return
    assert pixels.shape == (4, 3072) and labels.shape == (4,) and labels.max() < 100


@pytest.mark.parametrize('case', CASES)
def test_a_damaged_list(case, tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text(''.join(f'folder/image{number}.jpg {number % 7}\n' for number in range(30)))
    damage(path, case)
    try:
        data = ImageList(tmp_path, 'list.txt', num_classes=7)
    except UserError as error:
        assert str(path) in str(error)
        return
    assert len(data) == len([line for line in path.read_bytes().split(b'\n') if line.strip()]) or case % 5
    assert data.labels.min() >= 0 and data.labels.max() < 7
    with pytest.raises(UserError):  # none of these images is there, whatever the list says
        data[0]


@pytest.mark.parametrize('kind', [*META_KINDS, *PICKLE_KINDS])
def test_a_hostile_checkpoint_leaves_no_mark(kind, tmp_path, checkpoint, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)  # where the file's own module lies
    mark = tmp_path / 'mark'
    (tmp_path / 'good.pth').write_bytes(checkpoint)
    path = write(kind, tmp_path / 'epoch_1.pth', load_checkpoint(tmp_path / 'good.pth'), mark)
    try:
        load_classifier(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert kind in HARMLESS
    assert not mark.exists()


@pytest.mark.parametrize('kind', PICKLE_KINDS)
def test_a_pickle_that_runs_code_is_skipped_for_the_checkpoint_before_it(kind, tmp_path, checkpoint):
    mark = tmp_path / 'mark'
    (tmp_path / 'epoch_1.pth').write_bytes(checkpoint)
    write(kind, tmp_path / 'epoch_2.pth', load_checkpoint(tmp_path / 'epoch_1.pth'), mark)
    path, _ = latest_checkpoint(tmp_path)
    assert path.name == 'epoch_1.pth' and not mark.exists()


@pytest.mark.parametrize('kind', PICKLE_KINDS)
def test_the_mark_would_be_left_by_a_loader_that_trusts(kind, tmp_path, checkpoint):
    (tmp_path / 'good.pth').write_bytes(checkpoint)
    path = write(kind, tmp_path / 'epoch_1.pth', load_checkpoint(tmp_path / 'good.pth'), tmp_path / 'mark')
    if kind in ('TorchScript', 'numpy in the meta'):
        pytest.skip('a script runs when it is called; numpy is only more than plain data')
    with contextlib.suppress(RuntimeError):  # it has run when torch sees that it is no checkpoint
        torch.load(path, weights_only=False)
    assert (tmp_path / 'mark').exists()


def test_what_names_further_code_is_taken_out_of_lists_and_tuples_alike():
    cfg = dict(parts=(dict(type='RandomFlip', _scope_='payload'), [dict(init_cfg=dict(checkpoint='x'), depth=8)]))
    assert harmless(cfg) == dict(parts=[dict(type='RandomFlip'), [dict(depth=8)]])


@pytest.mark.parametrize('extra', [(1, 2), {1, 2}, b'bytes', torch.float32])
def test_content_that_is_no_plain_data_has_no_checksum(extra, tmp_path, checkpoint):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(checkpoint)
    content = load_checkpoint(path)
    content['meta']['extra'] = extra
    for sha256 in (content['sha256'], None):
        torch.save({**content, 'sha256': sha256}, path)
        with pytest.raises(UserError, match='epoch_1.pth'):
            load_checkpoint(path)


@pytest.mark.parametrize(('key', 'value'), [('class_counts', 5), ('outcome', 'x'), ('classes', {}), ('precision', 3)])
def test_a_meta_of_another_kind(key, value, tmp_path, checkpoint):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(checkpoint)
    content = load_checkpoint(path)
    content['meta'][key] = value
    save_checkpoint(path, content)
    with pytest.raises(UserError, match=f'epoch_1.pth.*{key}'):
        load_checkpoint(path)


def test_arrays_that_numpy_and_zipfile_refuse_in_their_own_ways(tmp_path):
    path = tmp_path / 'train.npz'
    images = np.zeros((12, 32, 32, 3), np.uint8)
    np.savez(path, images=images, labels=np.arange(12))
    whole = path.read_bytes()
    entry = whole.rindex(b'PK\x01\x02')  # the last array's place in the directory: bit 0 of its flags means encrypted
    header = whole.index(b'}', whole.index(b'NUMPY'))
    for place, value in ((entry + 8, whole[entry + 8] | 1), (header, ord(' '))):
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        with pytest.raises(UserError, match='train.npz'):
            CIFAR100(tmp_path, download=False).tensors()


@pytest.mark.parametrize('case', CASES)
def test_damaged_foreign_weights(case, tmp_path):
    path = tmp_path / 'weights.npz'
    arrays = dict(first=np.arange(600, dtype=np.float32), second=np.ones((3, 4)))
    (np.savez_compressed if case % 2 else np.savez)(path, **arrays)
    damage(path, case)
    try:
        found = read_weights(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert all(np.array_equal(found[name].numpy(), value) for name, value in arrays.items() if name in found)


@pytest.mark.parametrize('kind', STRUCTURE)
def test_a_checkpoint_of_another_structure(kind, tmp_path, checkpoint):
    for epoch in (1, 2):
        (tmp_path / f'epoch_{epoch}.pth').write_bytes(checkpoint)
    change, words = STRUCTURE[kind]
    content = load_checkpoint(tmp_path / 'epoch_2.pth')
    content['meta']['outcome'] = dict(data=dict(num_images=20), train_cfg=dict(max_epochs=3))
    content.update(optimizer={}, param_schedulers=[{}])
    path = misfits.write(change, tmp_path / 'epoch_2.pth', content)
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert 'use another one' in str(caught.value) or 'convert_weights.py' in str(caught.value)
    assert len(str(caught.value)) < 500 and '\n' not in str(caught.value)
    assert latest_checkpoint(tmp_path)[0].name == 'epoch_1.pth'
    assert time.monotonic() - started < 20, 'a small file is read in no time'


def test_a_compressed_checkpoint_is_not_unfolded(tmp_path, checkpoint):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(checkpoint)
    misfits.compressed(path, load_checkpoint(path))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UserError, match='epoch_1.pth is compressed or claims more than it holds: use another one'):
        load_checkpoint(path)


def test_equal_tensors_that_share_their_memory_are_no_bomb(tmp_path, checkpoint):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(checkpoint)
    content = load_checkpoint(path)
    tied = torch.ones(100)
    save_checkpoint(path, {**content, 'state_dict': {f'layer{number}': tied for number in range(8)}})
    assert torch.equal(load_checkpoint(path)['state_dict']['layer7'], tied)
