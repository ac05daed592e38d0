"""CIFAR from arrays and from archives, whole, damaged and hostile."""

import dataclasses
import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch

from mmlt.datasets import CIFAR10, CIFAR100
from mmlt.datasets.archive import load_batch
from mmlt.errors import UserError

RANDOM = np.random.RandomState(0)
PIXELS = RANDOM.randint(0, 256, (5, 12, 3072)).astype(np.uint8)
LABELS = RANDOM.randint(0, 10, (5, 12))


def old_pickle(value):
    """As NumPy 1 and Python 2 wrote it: its place of the function that rebuilds arrays."""
    return pickle.dumps(value, protocol=2).replace(b'numpy._core.multiarray', b'numpy.core.multiarray')


def write_archive(path, members):
    with tarfile.open(path, 'w:gz') as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


def batches(**changes):
    members = {
        f'cifar-10-batches-py/data_batch_{i + 1}': old_pickle(
            dict(batch_label=f'batch {i}', labels=LABELS[i].tolist(), data=PIXELS[i], filenames=['a.png'] * 12)
        )
        for i in range(5)
    }
    members['cifar-10-batches-py/test_batch'] = old_pickle(dict(labels=LABELS[0].tolist(), data=PIXELS[0]))
    members.update({f'cifar-10-batches-py/{name}': content for name, content in changes.items()})
    return members


@pytest.fixture
def accept(monkeypatch):
    """Make the MD5 of a small archive the published one."""

    def pin(dataset, md5):
        monkeypatch.setattr(dataset, 'archive', dataclasses.replace(dataset.archive, md5=md5))

    return pin


def test_an_archive_is_read_in_its_order(tmp_path, accept):
    accept(CIFAR10, write_archive(tmp_path / 'cifar-10-python.tar.gz', batches()))
    train, test = CIFAR10(tmp_path, download=False), CIFAR10(tmp_path, split='test', download=False)
    images, labels = train.tensors()
    assert np.array_equal(images.numpy(), PIXELS.reshape(60, 3, 32, 32))
    assert labels.tolist() == LABELS.ravel().tolist()
    assert images.is_contiguous() and images.dtype == torch.uint8
    image, label = train[17]
    assert torch.equal(image, images[17]) and label == labels[17]
    assert len(test) == 12 and np.array_equal(test.tensors()[0].numpy(), PIXELS[0].reshape(12, 3, 32, 32))
    assert train.metainfo['classes'][0] == 'airplane' and train.metainfo['verified']
    assert train.metainfo['class_counts'] == np.bincount(LABELS.ravel(), minlength=10).tolist()
    assert [entry.name for entry in tmp_path.iterdir()] == ['cifar-10-python.tar.gz']  # nothing was unpacked


def test_cifar100_takes_the_fine_labels(tmp_path, accept):
    batch = dict(fine_labels=[99, 0, 5], coarse_labels=[1, 2, 3], data=PIXELS[0, :3])
    members = {f'cifar-100-python/{split}': old_pickle(batch) for split in ('train', 'test')}
    accept(CIFAR100, write_archive(tmp_path / 'cifar-100-python.tar.gz', members))
    dataset = CIFAR100(tmp_path, download=False)
    assert dataset.labels.tolist() == [99, 0, 5]
    assert len(set(dataset.classes)) == 100 and dataset.classes[99] == 'worm'


class Opens:
    """A pickle that would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_a_hostile_batch_is_not_run(tmp_path, accept):
    mark = tmp_path / 'mark'
    hostile = batches(data_batch_3=pickle.dumps(dict(labels=[0], data=Opens(mark))))
    path = tmp_path / 'cifar-10-python.tar.gz'
    md5 = write_archive(path, hostile)
    with pytest.raises(UserError, match='not the published archive of CIFAR-10'):
        CIFAR10(tmp_path, download=False)
    accept(CIFAR10, md5)  # even if its hash were right
    with pytest.raises(UserError, match=r'asks for (io|_io)\.open'):
        CIFAR10(tmp_path, download=False)
    assert not mark.exists()
    pickle.loads(hostile['cifar-10-batches-py/data_batch_3'])['data'].close()
    assert mark.exists()  # so the pickle was a live one


@pytest.mark.parametrize('name', ['builtins.eval', 'os.system', 'numpy.load', 'numpy.core.multiarray.scalar'])
def test_no_other_name_is_looked_up(name):
    module, _, function = name.rpartition('.')
    content = f'c{module}\n{function}\n(S"1"\ntR.'.encode()
    with pytest.raises(pickle.UnpicklingError, match=name):
        load_batch(content, 'labels', 10)


def test_codecs_that_a_batch_does_not_need_are_refused():
    with pytest.raises(pickle.UnpicklingError, match='rot13'):
        load_batch(b'c_codecs\nencode\n(S"abc"\nS"rot13"\ntR.', 'labels', 10)


def test_arrays_written_by_today_s_numpy_are_read_too():
    for protocol in (2, 4):
        content = pickle.dumps(dict(labels=np.array([3, 4]), data=PIXELS[0, :2]), protocol=protocol)
        pixels, labels = load_batch(content, 'labels', 10)
        assert np.array_equal(pixels, PIXELS[0, :2]) and labels.tolist() == [3, 4]


@pytest.mark.parametrize(
    'batch',
    [
        dict(labels=[0, 10], data=PIXELS[0, :2]),
        dict(labels=[0, -1], data=PIXELS[0, :2]),
        dict(labels=[0.5, 1], data=PIXELS[0, :2]),
        dict(labels=[0], data=PIXELS[0, :2]),
        dict(labels=[0, 1], data=PIXELS[0, :2].astype(np.float32)),
        dict(labels=[0, 1], data=PIXELS[0, :2, :100]),
        dict(labels=[0, 1], data=[1, 2]),
        dict(data=PIXELS[0, :2]),
        [1, 2],
    ],
)
def test_wrong_batches_are_refused(tmp_path, accept, batch):
    path = tmp_path / 'cifar-10-python.tar.gz'
    accept(CIFAR10, write_archive(path, batches(data_batch_2=old_pickle(batch))))
    with pytest.raises(UserError, match='cannot be read as CIFAR-10'):
        CIFAR10(tmp_path, download=False)


def test_a_truncated_archive_is_refused(tmp_path, accept):
    path = tmp_path / 'cifar-10-python.tar.gz'
    accept(CIFAR10, write_archive(path, batches()))
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match='not the published archive'):
            CIFAR10(tmp_path)
        accept(CIFAR10, hashlib.md5(whole[:length]).hexdigest())  # damaged before it was published
        if length < len(whole) - 8:
            with pytest.raises(UserError, match='cannot be read as CIFAR-10'):
                CIFAR10(tmp_path)
        accept(CIFAR10, hashlib.md5(whole).hexdigest())


def test_a_member_that_is_missing_or_a_link_is_refused(tmp_path, accept):
    path = tmp_path / 'cifar-10-python.tar.gz'
    members = batches()
    del members['cifar-10-batches-py/data_batch_5']
    accept(CIFAR10, write_archive(path, members))
    with pytest.raises(UserError, match='data_batch_5'):
        CIFAR10(tmp_path)
    with tarfile.open(path, 'w:gz') as tar:
        link = tarfile.TarInfo('cifar-10-batches-py/data_batch_1')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
        tar.addfile(link)
    accept(CIFAR10, hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(UserError, match='cannot be read as CIFAR-10'):
        CIFAR10(tmp_path)


IMAGES = PIXELS.reshape(60, 32, 32, 3)


def save(folder, **arrays):
    np.savez(folder / 'train.npz', **{**dict(images=IMAGES, labels=LABELS.ravel()), **arrays})


def test_plain_arrays(tmp_path):
    save(tmp_path, index=np.arange(60, dtype=np.int32)[::-1])
    for root in (tmp_path, str(tmp_path), tmp_path / 'train.npz'):
        dataset = CIFAR10(root, download=False)
        assert np.array_equal(dataset.tensors()[0].permute(0, 2, 3, 1).numpy(), IMAGES)
        assert dataset.labels.dtype == np.int64 and dataset.labels.tolist() == LABELS.ravel().tolist()
        assert dataset.index.tolist() == list(range(60))[::-1]
        assert not dataset.metainfo['verified']
    assert dataset.fingerprint()['content_sha256'] == hashlib.sha256(IMAGES.tobytes()).hexdigest()


def test_images_are_read_once_and_not_before_they_are_needed(tmp_path):
    save(tmp_path)
    dataset = CIFAR10(tmp_path)
    assert dataset._images is None and len(dataset) == 60
    assert dataset.images is dataset.images


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        (dict(images=IMAGES.astype(np.float32)), 'must be uint8'),
        (dict(images=IMAGES[:59]), 'must be uint8'),
        (dict(images=IMAGES.transpose(0, 3, 1, 2)), 'must be uint8'),
        (dict(labels=LABELS.ravel() + 1), '10 classes'),
        (dict(labels=LABELS.ravel() - 1), '10 classes'),
        (dict(labels=LABELS.astype(float).ravel()), 'whole numbers'),
        (dict(labels=LABELS), 'whole numbers'),
        (dict(labels=np.array([], dtype=np.int64)), 'no image'),
        (dict(labels=np.array([Opens('mark')], dtype=object)), 'cannot be read'),
        (dict(index=np.arange(59)), '59 entries'),
        (dict(index=np.zeros(60, dtype=int)), 'once'),
        (dict(index=np.arange(60) - 1), 'once'),
        (dict(index=np.arange(60), subset=np.array('{"fingerprint": 3}')), 'fingerprint .* cannot be read'),
        (dict(index=np.arange(60), subset=np.array('{"fingerprint": {"indices_sha256": "0", "content_sha256": "0"}}')),
         'not that of its own fingerprint'),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, arrays, message):
    save(tmp_path, **arrays)
    with pytest.raises(UserError, match=message):
        CIFAR10(tmp_path, download=False).tensors()


def test_damaged_array_files_are_refused(tmp_path):
    save(tmp_path)
    whole = (tmp_path / 'train.npz').read_bytes()
    for content in (b'', b'text', whole[:1000], whole[:-30], pickle.dumps([1])):
        (tmp_path / 'train.npz').write_bytes(content)
        with pytest.raises(UserError, match='train.npz cannot be read'):
            CIFAR10(tmp_path, download=False)
    np.save(tmp_path / 'one.npy', IMAGES)
    (tmp_path / 'one.npy').rename(tmp_path / 'train.npz')
    with pytest.raises(UserError, match='not a .npz archive'):
        CIFAR10(tmp_path, download=False)


def test_missing_data_says_where_and_what(tmp_path):
    with pytest.raises(UserError) as error:
        CIFAR100(tmp_path / 'none', split='test', download=False)
    for part in (str(tmp_path / 'none'), 'test.npz', 'cifar-100-python.tar.gz', 'https://www.cs.toronto.edu/~kriz/'):
        assert part in str(error.value)
    assert not (tmp_path / 'none').exists()
    with pytest.raises(UserError, match='no file .*lt.npz'):
        CIFAR100(tmp_path / 'lt.npz')
    with pytest.raises(UserError, match="'train' or 'test'"):
        CIFAR100(tmp_path, split='val')
