"""A user's own images, read from class folders, through the command line."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score

pytestmark = pytest.mark.slow
CONFIG = """
_base_ = ['../mmlt/configs/ce/resnet8_digitslt.py']
num_classes = 4
train_dataloader = dict(
    batch_size=32,
    num_workers={workers},
    dataset=dict(
        _delete_=True,
        type='LongTailedDataset',
        profile='natural',
        dataset=dict(type='ImageFolder', data_root='train', image_size=8, resize=8),
    ),
)
val_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', data_root='test', image_size=8, resize=8))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1)
"""
NAMES = {3: 'drei', 1: 'eins', 0: 'null', 2: 'zwei'}  # digit of each folder; sorted by name as it stands
COUNTS = {3: 90, 1: 40, 0: 30, 2: 5}


@pytest.fixture
def folders(project):
    """Digits 0 to 3 as PNG files, `COUNTS` for training, 20 of each for testing."""
    source = load_digits()
    for digit, name in NAMES.items():
        members = np.flatnonzero(source.target == digit)
        for split, places in (('train', members[: COUNTS[digit]]), ('test', members[-20:])):
            folder = project.folder / split / name
            folder.mkdir(parents=True)
            for place in places:
                Image.fromarray((source.images[place] * 15).astype(np.uint8)).save(folder / f'{place:04}.png')
    return project


@pytest.mark.parametrize('workers', [0, 2])
def test_trains_from_the_command_line(folders, workers):
    config = folders.write('own.py', CONFIG.format(workers=workers))
    folders.run('../mmlt/tools/train.py', config.name)
    folder = folders.folder / 'work_dirs/own/seed0'
    record = json.loads((folder / 'results.json').read_text())
    assert record['data']['num_images'] == 165 and record['data']['profile'] == 'natural'
    assert record['shot_groups'] == {'convention': 'standard', 'many': 0, 'medium': 3, 'few': 1}
    with open(folder / 'per_class.csv', encoding='utf-8') as file:
        rows = [(row['name'], int(row['train_images']), int(row['test_images'])) for row in csv.DictReader(file)]
    assert rows == [(NAMES[digit], COUNTS[digit], 20) for digit in COUNTS]

    # Counted anew from the stored weights and the files.
    import torch

    from mmlt.engine.finished import load_classifier

    model = load_classifier(folder / record['checkpoint']['file']).eval()
    assert model.class_counts.tolist() == list(COUNTS.values())
    pixels, labels = [], []
    for label, name in enumerate(sorted(NAMES.values())):
        for path in sorted((folders.folder / 'test' / name).iterdir()):
            pixels.append(np.asarray(Image.open(path).convert('RGB')))
            labels.append(label)
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).double() / 255
    with torch.inference_mode():
        predicted = model(((images - 0.305) / 0.376).float()).argmax(1)
    assert record['last']['metrics']['accuracy/top1'] == pytest.approx(100 * accuracy_score(labels, predicted))


def test_files_that_are_no_images_are_named_before_the_first_step(folders):
    broken = folders.write('train/drei/9999.png', 'no picture')
    (folders.folder / 'test/eins/9998.png').touch()
    config = folders.write('own.py', CONFIG.format(workers=2))
    out, err = folders.run('../mmlt/tools/train.py', config.name, code=1)
    assert 'Traceback' not in err + out and 'epoch' not in out
    assert '1 of the 166 training images and 1 of the 81 test images cannot be used' in err
    assert f'{broken.name} cannot be read as an image' in err and '9998.png is empty' in err and "on_broken='skip'" in err
    option = 'dataset.on_broken=skip'
    options = [f'train_dataloader.dataset.{option}', f'val_dataloader.{option}']
    out, _ = folders.run('../mmlt/tools/train.py', config.name, '--cfg-options', *options)
    assert 'skipped in the training set: 1 broken images' in out and 'skipped in the test set: 1 broken images' in out
    (results,) = folders.folder.rglob('results.json')
    record = json.loads(results.read_text())
    assert record['skipped'] == {'training': {'broken images': 1}, 'test': {'broken images': 1}}
    assert record['data']['num_images'] == 165
    assert record['data']['content'] == 'names, sizes and bytes of all 165 files'
    assert 'left out: train/drei/9999.png cannot be read' in (results.parent / 'train.log').read_text()
