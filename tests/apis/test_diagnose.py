"""tools/diagnose.py from the data to a trained model; what it writes, and what it refuses."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from planted_photos import CLASSES, plant

from mmlt.analysis.diagnosis import card, recipe
from mmlt.analysis.diagnosis.machine import Machine
from mmlt.analysis.diagnosis.plan import Plan
from mmlt.config.load import load_config

TINY = ('train_cfg.max_epochs=3', 'train_cfg.val_interval=3', 'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0')


@pytest.fixture
def photos(once, tmp_path):
    planted = once('planted_photos', lambda folder: plant(folder))
    shutil.copytree(planted, tmp_path / 'photos', symlinks=True)
    return tmp_path / 'photos'


def test_from_a_folder_to_a_trained_model(call, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, 'seconds_an_image', lambda *given: 0.01)  # measured in a test of its own
    done = call('diagnose', photos, '--out', 'my.py', '--page', 'page.html', '--workers', 1)
    assert done.code == 0, done.err
    for told in ('9 files cannot be used', '2 test images', 'train it: python tools/train.py my.py', 'Balanced softmax'):
        assert told in done.out
    rows = list(csv.DictReader(open('my_images.csv')))
    left_out = list(csv.DictReader(open('my_left_out.csv')))
    assert {row['split'] for row in rows} == {'train', 'test'}
    assert len(left_out) == 16 and all(row['reason'] for row in left_out)
    assert Image.open('page.png').format == 'PNG'
    page = (tmp_path / 'page.html').read_text()
    assert 'cannot be used' in page and page.count('data:image') > 12 and 'http' not in re.sub(r'data:image[^"]*', '', page)
    findings = list(csv.DictReader(open('page.csv')))
    assert sum(row['finding'].endswith('file') for row in findings) == 9
    cfg = load_config('my.py')
    pixels = np.stack([np.asarray(Image.open(photos / row['image']).convert('RGB')) for row in rows if row['split'] == 'train'
                       if row['image'].endswith('png') and 'copy' not in row['image']])  # fmt: skip
    assert cfg.data_preprocessor.mean == pytest.approx(pixels.mean((0, 1, 2)) / 255, abs=0.05)
    trained = call('train', 'my.py', '--cfg-options', *TINY)
    assert trained.code == 0, trained.err
    results = json.loads(next((tmp_path / 'work_dirs').rglob('results.json')).read_text())
    assert results['data']['num_images'] == sum(row['split'] == 'train' for row in rows)
    assert results['shot_groups']['convention'] == 'standard'
    again = call('diagnose', photos, '--out', 'my.py')
    assert again.code == 1 and 'my.py is there already' in again.err
    assert call('diagnose', photos, '--page', 'page.html', '--workers', 1).code == 0  # its own page is written anew


def test_several_labels_to_a_config(call, photos, monkeypatch):
    monkeypatch.setattr(recipe, 'seconds_an_image', lambda *given: 0.01)
    paths = sorted(path.relative_to(photos) for path in photos.rglob('*.*'))
    with open('labels.csv', 'w', newline='') as stream:
        csv.writer(stream).writerows([['image', *CLASSES], *([p, *(int(p.parent.name == c or c == 'ash') for c in CLASSES)]
                                                             for p in paths)])  # fmt: skip
    done = call('diagnose', 'labels.csv', '--root', photos, '--several', '--out', 'my.py', '--workers', 1)
    assert done.code == 0, done.err
    assert 'Shown together' in done.out and 'Balanced sigmoid' in done.out
    rows = list(csv.DictReader(open('my_images.csv')))
    assert set(rows[0]) == {'image', *CLASSES, 'split', 'group'} and {row['split'] for row in rows} == {'train', 'val'}
    trained = call('train', 'my.py', '--cfg-options', *TINY)
    assert trained.code == 0, trained.err
    assert 'mAP' in trained.out


@pytest.mark.parametrize(
    ('args', 'sentence'),
    [
        (('nowhere',), 'there is no file or folder nowhere'),
        (('photos', '--out', 'my.txt'), 'let its name end in .py'),
        (('photos', '--page', 'my.txt'), 'let its name end in .html'),
        (('photos', '--convention', 'none'), 'no shot-group convention'),
        (('photos', '--workers', '0'), 'at least 1'),
    ],
)
def test_what_is_refused(call, photos, args, sentence):
    done = call('diagnose', *args)
    assert done.code == 1 and sentence in done.err and done.err.count('\n') == 1


def test_a_page_of_someone_else_stays(call, photos, tmp_path):
    (tmp_path / 'page.html').write_text('mine')
    done = call('diagnose', photos, '--page', 'page.html')
    assert done.code == 1 and 'was not made by this tool' in done.err and (tmp_path / 'page.html').read_text() == 'mine'


CPU, GPU = Machine('a CPU', False, 0), Machine('a GPU', True, 16 * 2**30)


@pytest.mark.parametrize(
    ('counts', 'side', 'several', 'machine', 'package', 'kind', 'network', 'size', 'loss'),
    [
        ([500, 5], 32, False, CPU, True, 'scratch', 32, 32, 'BalancedSoftmaxLoss'),
        ([50, 40], 500, False, CPU, False, 'scratch', 32, 64, 'CrossEntropyLoss'),
        ([50, 5], 500, False, CPU, True, 'probe', 'tf_efficientnet_lite0', 224, 'BalancedSoftmaxLoss'),
        ([50, 5], 500, True, GPU, True, 'tune', 'resnet50', 224, 'BalancedSigmoidLoss'),
        ([50, 49], 500, True, Machine('small', True, 4 * 2**30), True, 'tune', 'tf_efficientnet_lite0', 224,
         'BinaryCrossEntropyLoss'),
        ([9, 1], 28, False, GPU, True, 'scratch', 32, 32, 'BalancedSoftmaxLoss'),
    ],
)  # fmt: skip
def test_a_recipe_fits_data_and_machine(
    monkeypatch, tmp_path, counts, side, several, machine, package, kind, network, size, loss
):  # fmt: skip
    monkeypatch.setattr(recipe, 'seconds_an_image', lambda *given: 1e-4)
    monkeypatch.setattr(recipe, 'find_spec', lambda module: package)
    found = recipe.choose(np.array(counts), sum(counts), 10, side, several, 0.001, machine)
    assert (found.kind, found.network, found.image_size, found.loss) == (kind, network, size, loss)
    split = np.array(['train'] * 8 + ['val'] * 2)
    text = card.config_text(found, Plan(split, np.arange(2), {}, True), ['a', "it's"], np.array(counts), several, tmp_path,
                            tmp_path / 'i.csv', None, None, [0.5] * 3, [0.2] * 3, 'standard', 'mmlt-diagnose x')  # fmt: skip
    (tmp_path / 'my.py').write_text(text)
    cfg = load_config(tmp_path / 'my.py')
    assert cfg.model.loss.type == loss and cfg.classes == ['a', "it's"] and cfg.num_classes == 2
    assert all(len(line) <= 128 for line in text.splitlines())


def test_a_slow_machine_gets_fewer_pixels_then_a_smaller_network(monkeypatch):
    monkeypatch.setattr(recipe, 'seconds_an_image', lambda depth, side, *given: depth * side**2 * 7e-8)
    found = [recipe.choose(np.array([n, n // 10]), n + n // 10, 10, 90, False, 0, CPU) for n in (500, 700, 1500, 3000, 10**6)]
    assert [(one.network, one.image_size) for one in found] == [(32, 64), (20, 48), (32, 32), (8, 32), (8, 32)]


def test_few_images_are_seen_more_often(monkeypatch):
    monkeypatch.setattr(recipe, 'seconds_an_image', lambda *given: 1e-4)
    found = [recipe.choose(np.array([n, n // 10]), n + n // 10, 10, 90, False, 0, CPU) for n in (20, 1500, 6000, 50_000)]
    assert [(one.batch_size, one.epochs) for one in found] == [(8, 200), (32, 59), (64, 30), (64, 30)]
    assert found[1].epochs * 1650 / 32 >= recipe.UPDATES, 'and 20 images have their 200 epochs, no more'


def test_a_step_is_measured():
    from mmlt.analysis.diagnosis.machine import seconds_an_image

    small, large = (seconds_an_image(8, side, 8, True, CPU) for side in (16, 64))
    assert 0 < small < large < 1
