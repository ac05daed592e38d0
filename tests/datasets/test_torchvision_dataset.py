"""torchvision's data sets by name, from files laid out as torchvision wants them: the same images and labels as its own."""

import json

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from mmlt.config.check import arguments_of
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.errors import UserError
from mmlt.registry import DATASETS


def picture(path, seed, size=(14, 12)):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)


def signs(root):
    for k, count in enumerate([5, 3, 1]):
        for n in range(count):
            picture(root / f'gtsrb/GTSRB/Training/{k:05}/{n:05}.ppm', 10 * k + n, (14 + n, 12))
    rows = []
    for n, k in enumerate([2, 0, 1, 0]):
        picture(root / f'gtsrb/GTSRB/Final_Test/Images/{n:05}.ppm', 90 + n)
        rows.append(f'{n:05}.ppm;14;12;0;0;1;1;{k}')
    header = 'Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId'
    (root / 'gtsrb/GT-final_test.csv').write_text('\n'.join([header, *rows]) + '\n')


def satellites(root):
    for k, name in enumerate(['Forest', 'River']):
        for n in range(6):
            picture(root / f'eurosat/2750/{name}/{name}_{n}.jpg', 20 * k + n)


def food(root):
    lists = {'train': {'apple_pie': [3, 1], 'waffles': [5]}, 'test': {'apple_pie': [2], 'waffles': [4]}}
    (root / 'food-101/meta').mkdir(parents=True)
    for split, own in lists.items():
        named = {name: [f'{name}/{n}' for n in numbers] for name, numbers in own.items()}
        (root / f'food-101/meta/{split}.json').write_text(json.dumps(named))
        for files in named.values():
            for file in files:
                picture(root / f'food-101/images/{file}.jpg', len(file))


def letters(root):
    raw = root / 'MNIST/raw'
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for word, count in (('train', 7), ('t10k', 4)):
        images, labels = rng.integers(0, 256, (count, 9, 8), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
        header = b''.join(number.to_bytes(4, 'big') for number in (0x803, count, 9, 8))
        (raw / f'{word}-images-idx3-ubyte').write_bytes(header + images.tobytes())
        header = b''.join(number.to_bytes(4, 'big') for number in (0x801, count))
        (raw / f'{word}-labels-idx1-ubyte').write_bytes(header + labels.tobytes())


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A folder with all of them."""
    folder = tmp_path_factory.mktemp('torchvision')
    for write in (signs, satellites, food, letters):
        write(folder)
    return folder


SETS = {
    'GTSRB': (dict(split='train'), dict(split='train'), ('0', '1', '2')),
    'GTSRB of the test': (dict(split='test'), dict(split='test'), ('0', '1', '2')),
    'EuroSAT': ({}, {}, ('Forest', 'River')),
    'Food101': (dict(split='train'), dict(split='train'), ('apple_pie', 'waffles')),
    'MNIST': (dict(split='train'), dict(train=True), ('0 - zero', '1 - one')),
    'MNIST of the test': (dict(split='test'), dict(train=False), ('0 - zero', '1 - one')),
}


@pytest.mark.parametrize('case', SETS)
def test_images_and_labels_are_torchvisions(case, root):
    own, theirs, names = SETS[case]
    name = case.partition(' ')[0]
    data = build_dataset(dict(type='TorchvisionDataset', name=name, data_root=str(root), **own))
    wanted = getattr(torchvision.datasets, name)(str(root), **theirs)
    assert len(data) == len(wanted) and data.classes[: len(names)] == names and len(data.classes) >= len(names)
    assert data.labels.tolist() == [wanted[place][1] for place in range(len(wanted))]
    assert data.metainfo['dataset'] == f'torchvision-{name}' and len(data.fingerprint()['content_sha256']) == 64
    assert data.resident == (name == 'MNIST') and (data.resident or data.problems() == [])
    for place in range(len(wanted)):
        image, label = data[place]
        source = wanted[place][0].convert('RGB')
        if data.resident:
            assert torch.equal(image, torch.from_numpy(np.array(source)).permute(2, 0, 1)) and label == wanted[place][1]
        else:
            with Image.open(data.file(place)) as file:
                assert np.array_equal(np.asarray(file.convert('RGB')), np.asarray(source))
            assert image.shape == (3, 224, 224)


def test_a_set_without_files_or_splits_has_a_hold_out(root):
    made = dict(type='TorchvisionDataset', name='FakeData', options=dict(size=60, image_size=(3, 10, 12), num_classes=3))
    data = build_dataset(made)
    assert data.resident and data.images.shape == (60, 10, 12, 3) and data.split is None
    assert np.array_equal(data.images, build_dataset(made).images)
    for cfg in (made, dict(type='TorchvisionDataset', name='EuroSAT', data_root=str(root), image_size=8)):
        whole = build_dataset(cfg)
        train, held = (build_dataset({**cfg, 'holdout': dict(part=part, fraction=0.25)}) for part in ('train', 'holdout'))
        assert np.array_equal(np.add(train.class_counts, held.class_counts), whole.class_counts) and min(held.class_counts) > 0
        assert held.split == 'holdout' and train.split is None and train.set_aside().content_sha256() == held.content_sha256()
        assert train.fingerprint()['holdout']['fraction'] == 0.25 and 'without the part set aside' in train.notes[-1]
        with pytest.raises(UserError, match='sets no image aside'):
            held.set_aside()


def test_names_that_torchvision_lacks_are_given(root):
    cfg = dict(type='TorchvisionDataset', name='GTSRB', data_root=str(root), image_size=8, classes=['20', '30', '50'])
    data = build_dataset(cfg)
    assert data.classes == ('20', '30', '50') and data.class_counts == [5, 3, 1]
    assert {'name', 'data_root', 'split', 'holdout', 'download'} <= arguments_of(DATASETS.get('TorchvisionDataset'))


@pytest.mark.parametrize(('options', 'said'), [
    (dict(name='GTSBR'), "torchvision .* has no data set 'GTSBR'"),
    (dict(name='transforms'), "has no data set 'transforms'"),
    (dict(name='SVHN'), r'SVHN cannot be opened in .*: put its files there .*; or set download=True'),
    (dict(name='ImageFolder', download=True), 'torchvision cannot download ImageFolder'),
    (dict(name='EuroSAT', split='train'), r'EuroSAT has no splits: leave split out, and set a part aside by holdout='),
    (dict(name='MNIST', split='val'), "split of torchvision.datasets.MNIST must be 'train' or 'test', not 'val'"),
    (dict(name='GTSRB', split='val'), 'GTSRB cannot be opened in .*Unknown value'),
    (dict(name='GTSRB', options=dict(fold=1)), 'options: torchvision.datasets.GTSRB takes no fold; it takes split'),
    (dict(name='GTSRB', data_root=None), 'GTSRB needs data_root, the folder of its files'),
    (dict(name='GTSRB', classes=['a', 'b']), 'GTSRB has labels up to 2, but `classes` names 2'),
    (dict(name='MNIST', image_size=224), 'stay 8 x 9 in memory: leave image_size'),
    (dict(name='MNIST', options=3), 'options of a TorchvisionDataset is a dict of its arguments, not 3'),
])  # fmt: skip
def test_what_is_refused(options, said, root):
    with pytest.raises(UserError, match=said):
        build_dataset({'type': 'TorchvisionDataset', 'data_root': str(root), **options})


def test_sets_for_other_tasks_and_of_several_sizes_are_refused(root, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.GTSRB, '__getitem__', lambda own, place: (Image.new('L', (4, 4)), {'boxes': 1}))
    with pytest.raises(UserError, match='gives no picture with the number of a class, but .*a set for another task'):
        build_dataset(dict(type='TorchvisionDataset', name='GTSRB', data_root=str(root)))
    sizes = [(4, 4), (4, 4), (5, 4)]
    monkeypatch.setattr(torchvision.datasets.GTSRB, '__getitem__', lambda own, place: (Image.new('L', sizes[place % 3]), 0))
    with pytest.raises(UserError, match='image 2 of torchvision.datasets.GTSRB has 5 x 4 pixels, the first one 4 x 4'):
        build_dataset(dict(type='TorchvisionDataset', name='GTSRB', data_root=str(root)))
