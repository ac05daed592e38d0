"""The list that tools/diagnose.py writes beside a config: labels, and what belongs together; and files that are no images."""

import csv

import numpy as np
import pytest
from PIL import Image

from mmlt.analysis.diagnosis import recipe, start
from mmlt.analysis.diagnosis.plan import make_plan
from mmlt.analysis.diagnosis.words import findings
from mmlt.apis.diagnose import diagnose
from mmlt.config.load import load_config
from mmlt.datasets import ImageFolder, ImageList
from mmlt.datasets.mmpretrain_dataset import build_dataset

DRAWS = np.random.default_rng(0)


@pytest.fixture
def written(monkeypatch):
    """Write the config of some images, and give its training and evaluated data sets."""
    monkeypatch.setattr(recipe, 'seconds_an_image', lambda *given: 0.01)  # measured in a test of its own
    monkeypatch.setattr(start, 'seconds_to_read', lambda *given: 0.001)

    def write(data, out, **options):  # noqa: ANN001, ANN003
        diagnosis = diagnose(data, workers=1, **options)
        start.write_start(diagnosis, out, 'mmlt-diagnose')
        cfg = load_config(out)
        return diagnosis, [build_dataset(cfg.train_dataloader.dataset).dataset, build_dataset(cfg.val_dataloader.dataset)]

    return write


def noise(path) -> None:  # noqa: ANN001
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DRAWS.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)


@pytest.mark.parametrize('names', [
    ['1', '2', '3', '10'], [str(number) for number in range(12)], ['01', '1', '2'], ['1.0', '1', '2'], ['2', '3', 'none'],
    ['a|b', 'c;d', 'e, f'], [' lead', 'trail ', 'x'], [' 1', '2', '10'], ['[x]', "['y']", '"z"'], ['nan', '-', 'No Finding'],
], ids=' '.join)  # fmt: skip
def test_class_folders_of_any_name_are_trained_on(names, written, tmp_path):
    for name in names:
        for number in range(4):
            noise(tmp_path / 'own' / name / f'{number}.png')
    _, parts = written(tmp_path / 'own', tmp_path / 'my.py')
    assert sum(map(len, parts)) == 4 * len(names)
    for data in parts:
        assert data.classes == tuple(sorted(names)) and data.problems() == []
        folders = [data.path(place).split('/')[-2] for place in range(len(data))]
        assert [data.classes[label] for label in data.labels] == folders


def test_classes_may_be_called_as_the_columns_are(written, tmp_path):
    names = ['group', 'image', 'split']
    with open(tmp_path / 'tags.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['file', 'tags', 'patient'])
        for number in range(24):
            noise(tmp_path / f'{number}.png')
            writer.writerow([f'{number}.png', '|'.join(name for k, name in enumerate(names) if number >> k & 1), number // 2])
    diagnosis, parts = written(tmp_path / 'tags.csv', tmp_path / 'my.py', several=True)
    truth = dict(zip(diagnosis.table.paths, diagnosis.table.labels.tolist(), strict=True))
    for data in parts:
        assert data.classes == tuple(names) and len(data) and data.table.group_name == 'group_'
        assert [truth[data.path(place)] for place in range(len(data))] == data.labels.tolist()


@pytest.mark.parametrize('given', [False, True])
def test_a_holdout_of_the_list_keeps_lesions_and_copies_together(given, written, tmp_path):
    lesion_of = {}
    with open(tmp_path / 'lesions.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['image', 'dx', 'lesion_id', *(['split'] if given else [])])
        for number in range(64):
            noise(tmp_path / f'img/{number}.png')
            lesion_of[f'{number}.png'] = number // 4
            writer.writerow([f'img/{number}.png', ('mel', 'nv')[number // 4 % 2], f'L{number // 4}',
                             *([('test' if number // 4 > 12 else 'train')] if given else [])])  # fmt: skip
    if given:  # a copy in another lesion: both belong together
        (tmp_path / 'img/0.png').unlink()
        Image.open(tmp_path / 'img/9.png').resize((32, 32), Image.Resampling.NEAREST).save(tmp_path / 'img/0.png')
    diagnosis, parts = written(tmp_path / 'lesions.csv', tmp_path / 'my.py')
    assert make_plan(diagnosis).made != given and "group_column='group'" in (tmp_path / 'my.py').read_text()
    for seed in range(3):
        sides = [
            ImageList(tmp_path, tmp_path / 'my_images.csv', classes=['mel', 'nv'], split='train', image_size=16,
                      holdout=dict(part=part, fraction=0.3, seed=seed)) for part in ('train', 'holdout')
        ]  # fmt: skip
        files = [{data.path(place).removeprefix('img/') for place in range(len(data))} for data in sides]
        own, aside = ({lesion_of[name] for name in names} for names in files)
        assert own and aside and not own & aside and len(files[0] | files[1]) == len(parts[0])
        assert not given or {0, 2} <= own or {0, 2} <= aside or not {0, 2} <= own | aside
    if given:
        rows = list(csv.DictReader(open(tmp_path / 'my_images.csv')))
        assert len({row['group'] for row in rows if lesion_of[row['image'].removeprefix('img/')] in (0, 2)}) == 1


def test_a_list_of_images_by_themselves_has_no_groups(written, tmp_path):
    for number in range(8):
        noise(tmp_path / 'own' / 'ab'[number % 2] / f'{number}.png')
    _, parts = written(tmp_path / 'own', tmp_path / 'my.py')
    assert parts[0].table.groups is None and 'group' not in (tmp_path / 'my_images.csv').read_text()


def test_files_that_are_no_images_are_told(tmp_path):
    for split in ('train', 'test'):
        for number in range(4):
            noise(tmp_path / split / 'ab'[number % 2] / f'{number}.png')
            (tmp_path / split / 'a' / f'{number}.HEIC').write_bytes(b'\0\0\0\x18ftypheic')
        (tmp_path / split / 'b' / 'notes').touch()
    Image.new('RGB', (16, 16), (200, 10, 90)).save(tmp_path / 'train/a/web.jfif', 'JPEG')
    diagnosis = diagnose(tmp_path, workers=1)
    assert len(diagnosis.table) == 9 and 'train/a/web.jfif' in list(diagnosis.table.paths) and not len(diagnosis.broken)
    told = [one.text for one in findings(diagnosis) if one.level == 'look' and 'not read' in one.text]
    assert told == ['10 files of other kinds (8 .heic, 2 without extension) are not read: convert the pictures among them to '
                    'JPEG or PNG.']  # fmt: skip
    assert ImageFolder(tmp_path, split='train', image_size=8).skipped == {'files of other kinds': 5}
    with open(tmp_path / 'a.csv', 'w') as file:
        file.write('image,label\n' + 'train/a/0.png,a\ntrain/b/1.png,b\ntrain/a/0.png,a\n')
    listed = diagnose(tmp_path / 'a.csv', workers=1)
    assert 'Passed over: 1 images named again.' in [one.text for one in findings(listed)]
