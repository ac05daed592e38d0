"""Published lists are recognised, broken images found, and a stand-in goes through the whole way."""

import json
import lzma
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from PIL import Image

from mmlt.datasets import ImageList, PackedImages
from mmlt.datasets.published import PUBLISHED, check_list, find_list
from mmlt.datasets.stand_in import make_stand_in

LISTS = Path(__file__).resolve().parents[3] / 'shared/data/core/lists'
META = LISTS.parent / 'lt_meta.json'
real_lists = pytest.mark.skipif(not LISTS.is_dir(), reason='the published lists are not here')


@real_lists
@pytest.mark.real_data
@pytest.mark.parametrize(
    ('name', 'split', 'file'),
    [
        ('imagenet_lt', 'val', 'ImageNet_LT_val'), ('imagenet_lt', 'test', 'ImageNet_LT_test'),
        ('imagenet_lt', 'test', 'ImageNet_LT_test_KT_LADE'), ('places_lt', 'train', 'Places_LT_train'),
        ('places_lt', 'val', 'Places_LT_v2_val'), ('places_lt', 'test', 'Places_LT_test'),
        ('inat18', 'val', 'iNaturalist18_val'),
    ],
)  # fmt: skip
def test_the_published_lists_are_recognised(name, split, file, tmp_path):
    known = PUBLISHED[name]
    path = tmp_path / f'{known.lists[split].file}.xz'
    shutil.copy(LISTS / f'{file}.txt.xz', path)
    assert find_list(known.lists[split], tmp_path) == path
    table, said, wrong = check_list(known.lists[split], path, tmp_path, known.classes)
    assert wrong is None and said.endswith('the published list') and len(table) == known.lists[split].images
    lines = lzma.decompress(path.read_bytes()).splitlines(keepends=True)
    other = tmp_path / known.lists[split].file
    other.write_bytes(b''.join(lines[::-1]))
    assert check_list(known.lists[split], other, tmp_path, known.classes)[1].endswith('in another order')
    other.write_bytes(b''.join(lines[:-1]))
    assert 'is not the published list' in check_list(known.lists[split], other, tmp_path, known.classes)[2]


@real_lists
@pytest.mark.real_data
def test_the_training_list_that_is_not_at_hand_is_known_by_its_counts(tmp_path):
    counts = json.loads(META.read_text())['imagenet_lt']['train_counts']
    one = PUBLISHED['imagenet_lt'].lists['train']
    labels = np.repeat(np.arange(1000), counts)
    (tmp_path / one.file).write_text(''.join(f'train/{label}/{n}.JPEG {label}\n' for n, label in enumerate(labels)))
    _, said, wrong = check_list(one, tmp_path / one.file, tmp_path, 1000)
    assert wrong is None and said == '115,846 images, 1,000 classes of 5 to 1,280, as published in each class'
    labels = np.repeat(np.arange(1000), counts[::-1])
    (tmp_path / one.file).write_text(''.join(f'train/{label}/{n}.JPEG {label}\n' for n, label in enumerate(labels)))
    assert check_list(one, tmp_path / one.file, tmp_path, 1000)[2]


@pytest.fixture(scope='module')
def stand_in(tmp_path_factory):
    """A stand-in of iNaturalist 2018, cut to 30 classes."""
    root = tmp_path_factory.mktemp('inat') / 'set'
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    made = make_stand_in(replace(PUBLISHED['inat18'], classes=30), root, images)
    assert made == dict(train=12 + 6 + 4 + 3 + 2 + 2 + 24, val=30)
    return root


@pytest.fixture
def few_classes(monkeypatch):
    monkeypatch.setitem(PUBLISHED, 'inat18', replace(PUBLISHED['inat18'], classes=30))


def test_a_stand_in_is_prepared_packed_and_read(stand_in, few_classes, tmp_path):
    done = call('prepare_data.py', 'inat18', '--root', stand_in, '--own-lists', '--workers', 1)
    assert done.code == 0, done.err
    assert '53 images, 30 classes of 1 to 12: a list of your own' in done.out
    assert 'images: 83 of 83 are there and can be decoded' in done.out
    command = done.out.partition('python tools/pack_images.py ')[2].split()
    command[0] = str(tmp_path / 'x.pack')
    assert call('pack_images.py', *command, '--side', 64, '--workers', 1).code == 0
    data = ImageList(stand_in, 'iNaturalist18_train.txt', num_classes=30, image_size=32, pack=tmp_path / 'x.pack')
    alone = PackedImages(tmp_path / 'x.pack', 'iNaturalist18_train', image_size=32)
    assert np.array_equal(data[9][0], alone[9][0]) and data.labels.tolist() == alone.labels.tolist()
    first = json.loads((stand_in / 'train2018.json').read_text())
    assert data.path(40) == first['images'][40]['file_name'] and data.labels[40] == first['annotations'][40]['category_id']


def test_what_is_wrong_is_found_and_said(stand_in, few_classes, tmp_path):
    root = tmp_path / 'set'
    shutil.copytree(stand_in, root)
    files = sorted(root.rglob('*.jpg'))
    files[0].unlink()
    files[5].write_bytes(files[5].read_bytes()[:-300])
    Image.new('LAB', (9, 9)).save(files[7], 'TIFF')
    report = tmp_path / 'report.txt'
    done = call('prepare_data.py', 'inat18', '--root', root, '--own-lists', '--workers', 2, '--report', report)
    assert done.code == 1 and 'iNaturalist 2018 is not ready: 1 images are missing and 2 broken' in done.err
    lines = report.read_text().splitlines()
    assert len(lines) == 3 and any(f'{files[5]} cannot be read as an image' in line for line in lines)
    assert any('mode LAB' in line for line in lines) and 'train_val2018.tar.gz' in done.out
    quick = call('prepare_data.py', 'inat18', '--root', root, '--own-lists', '--quick')
    assert quick.code == 1 and '1 images are missing and 0 broken' in quick.err
    strict = call('prepare_data.py', 'inat18', '--root', root, '--lists-only')
    assert strict.code == 1 and 'is not the published list' in strict.err and 'say --own-lists' in strict.err
    (root / 'val2018.json').write_text('{"images": 3}')
    (root / 'iNaturalist18_val.txt').unlink(missing_ok=True)
    assert 'is no annotation file of iNaturalist' in call('prepare_data.py', 'inat18', '--root', root, '--own-lists').err
    empty = call('prepare_data.py', 'places_lt', '--root', tmp_path / 'none')
    assert empty.code == 1 and 'there is no list' in empty.err and 'Places365' in empty.out
    assert call('prepare_data.py', 'places_lt', '--root', root, '--stand-in').code == 1  # it holds something
