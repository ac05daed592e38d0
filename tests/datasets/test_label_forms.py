"""Every form of labels says the same of the same photos; what a file leaves open is refused in one sentence or said aloud."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from label_forms import BIRDS, LABELS, NAMES, NEST, ONE, PHOTOS, SEVERAL, SHOWN, THINGS, photos, rows, write
from PIL import Image

from mmlt.datasets import ImageList, MultiLabelDataset
from mmlt.datasets.label_files import read_labels
from mmlt.errors import UserError


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    """The photos, which the tests read."""
    return photos(tmp_path_factory.mktemp('birds'))


@pytest.mark.parametrize('form', ONE)
def test_one_label(form, birds, tmp_path):
    name, content, numbered = ONE[form]
    file = write(tmp_path, name, content)
    for several in (None, False):
        table = read_labels(file, birds, several=several)
        assert list(table.paths) == [path for path, _ in PHOTOS]
        assert table.labels.dtype == np.int64 and table.labels.tolist() == LABELS
        assert table.classes == (tuple('01234') if numbered else tuple(NAMES))
    data = ImageList(birds, file, image_size=8, **(dict(classes=NAMES) if numbered else {}))
    assert data.problems() == [] and data.class_counts == list(BIRDS.values()) and data.classes == tuple(NAMES)
    assert f' of {file})' in data.where(3)


@pytest.mark.parametrize('form', SEVERAL)
def test_several_labels(form, birds, tmp_path):
    file = write(tmp_path, *SEVERAL[form])
    for several in (None, True)[form in ('list', 'findings between semicolons') :]:  # these two are only read when asked for
        table = read_labels(file, birds, several=several)
        assert list(table.paths) == [path for path, _ in PHOTOS] and table.classes == tuple(THINGS)
        assert table.labels.dtype == np.float32 and np.array_equal(table.labels, SHOWN)
    data = MultiLabelDataset(birds, file, image_size=8)
    assert data.problems() == [] and data.class_counts == SHOWN.sum(axis=0).tolist()


def test_the_folder_with_the_photos_is_found(birds, tmp_path):
    (tmp_path / 'photos').symlink_to(birds)
    (tmp_path / 'another').mkdir()
    for form in ('list, numbers', 'table', 'COCO', 'list under a folder'):
        name, content, _ = ONE[form]
        if 'under' not in form:
            assert read_labels(write(tmp_path, name, content)).root == tmp_path / 'photos', form
    assert read_labels(birds).root == birds


def test_images_that_belong_together(birds, tmp_path):
    table = read_labels(write(tmp_path, *ONE['lesions'][:2]), birds)
    assert table.group_name == 'lesion_id'
    same = np.array(NEST)[:, None] == np.array(NEST)[None]
    assert np.array_equal(table.groups[:, None] == table.groups[None], same)
    file = write(tmp_path, 'g.csv', rows(['path', 'label', 'Pond Nr.'], lambda n, path, name: [path, name, NEST[n] or '']))
    assert read_labels(file, birds).groups is None
    assert np.array_equal(read_labels(file, birds, group_column='pond nr.').groups, [0, *(nest + 1 for nest in NEST[1:])])


def test_patients_are_folders_of_the_paths(tmp_path):
    for patient in (1, 2, 30):
        for view in (1, 2):
            (tmp_path / f'patient{patient:05}/study1').mkdir(parents=True, exist_ok=True)
            Image.new('L', (8, 8)).save(tmp_path / f'patient{patient:05}/study1/view{view}.png')
    paths = [f'CXR-small/patient{patient:05}/study1/view{view}.png' for view in (1, 2) for patient in (30, 1, 2)]
    table = read_labels(write(tmp_path, 'a.csv', 'Path,Edema\n' + ''.join(f'{path},1\n' for path in paths)), tmp_path)
    assert table.groups.tolist() == [0, 1, 2, 0, 1, 2] and table.group_name == 'patient'


def test_splits_of_a_column(birds, tmp_path):
    said = ['Training', 'validation', 'TEST']
    file = write(tmp_path, 'a.csv', rows(['path', 'label', 'split'], lambda n, path, name: [path, name, said[n % 3]]))
    table = read_labels(file, birds)
    assert table.split_counts() == {'train': 8, 'val': 7, 'test': 7}
    for place, split in enumerate(('train', 'val', 'test')):
        part = ImageList(birds, file, image_size=8, split=split)
        assert part.labels.tolist() == LABELS[place::3] and part.classes == tuple(NAMES)
        assert part.where(1) == f' (line {place + 5} of {file})'
    assert len(ImageList(birds, file, image_size=8, split='all')) == len(PHOTOS)
    with pytest.raises(UserError, match=r"a.csv has images of several splits, train \(8\), val \(7\), test \(7\): choose one"):
        ImageList(birds, file, image_size=8)
    with pytest.raises(UserError, match="a.csv has no split 'fold1'; it has train"):
        ImageList(birds, file, image_size=8, split='fold1')
    file = write(tmp_path, 'b.csv', rows(['path', 'label', 'fold'], lambda n, path, name: [path, name, n % 5]))
    assert read_labels(file, birds).splits is None
    assert ImageList(birds, file, image_size=8, split_column='fold', split='3').labels.tolist() == LABELS[3::5]
    with pytest.raises(UserError, match="says of no image whether it is for training or for testing"):
        ImageList(birds, file, image_size=8, split='train')


def test_folders_of_splits_and_exports(birds, tmp_path):
    for split, step in (('train', 0), ('valid', 1)):
        for path, name in PHOTOS[step::2]:
            (tmp_path / 'folders' / split / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / 'folders' / split / path).symlink_to(birds / path)
            (tmp_path / 'export' / split).mkdir(parents=True, exist_ok=True)
            (tmp_path / 'export' / split / path.rpartition('/')[2]).symlink_to(birds / path)
        inside = [row for number, row in enumerate(ONE['Roboflow'][1].splitlines()) if not number or number % 2 == 1 - step]
        text = '\n'.join([inside[0], *(row.partition('/')[2] for row in inside[1:])]) + '\n'
        write(tmp_path / 'export' / split, '_classes.csv', text)
    for kind in ('folders', 'export'):
        table = read_labels(tmp_path / kind)
        assert table.classes == tuple(NAMES) and table.split_counts() == {'train': 11, 'val': 11}
        assert all((table.root / path).is_file() for path in table.paths)
        for split, step in (('train', 0), ('val', 1)):
            part = table.of_split(split)
            assert sorted(zip((Path(path).name for path in part.paths), part.labels.tolist(), strict=True)) == sorted(
                (Path(path).name, label) for (path, _), label in list(zip(PHOTOS, LABELS, strict=True))[step::2])  # fmt: skip


def chest(uncertain='-1.0', blank=''):
    def row(n, path, name):  # noqa: ANN001
        return [path, 'F', '', '1.0' if n % 2 else uncertain, '0.0' if n % 3 else blank]

    return rows(['Path', 'Sex', 'No Finding', 'Edema', 'Mass'], row)


def test_uncertain_and_blank_cells_follow_a_stated_rule(birds, tmp_path):
    file = write(tmp_path, 'chest.csv', chest())
    n = np.arange(len(PHOTOS))
    for uncertain, blank in (('zeros', 'zeros'), ('ones', 'zeros'), ('zeros', 'ones')):
        data = MultiLabelDataset(birds, file, image_size=8, uncertain=uncertain, blank=blank)
        assert data.classes == ('Edema', 'Mass')
        edema, mass = (n % 2 == 1) | (uncertain == 'ones'), (n % 3 == 0) & (blank == 'ones')
        assert np.array_equal(data.labels, np.stack([edema, mass], axis=1))
        said = {'zeros': 'read as 0 (not shown)', 'ones': 'read as 1 (shown)'}
        assert f'11 uncertain cells of 22 x 2 are {said[uncertain]}' in data.notes
        assert f'8 blank cells of 22 x 2 are {said[blank]}' in data.notes
        assert 'columns that are empty are no classes: No Finding' in data.notes
    data = MultiLabelDataset(birds, file, image_size=8, uncertain='leave_out', blank='leave_out')
    kept = np.flatnonzero((n % 2 == 1) & (n % 3 > 0))
    assert [data.path(place) for place in range(len(data))] == [PHOTOS[place][0] for place in kept]
    assert data.skipped == {'images with uncertain labels': 11, 'images with blank labels': 8}
    assert data.where(1) == f' (line {kept[1] + 2} of {file})'
    with pytest.raises(UserError, match=r"line 2 of .*'-1' for 'Edema', where 1 .*an uncertain label is: uncertain='zeros'"):
        MultiLabelDataset(birds, file, blank='zeros')
    with pytest.raises(UserError, match=r"line 2 of .*'' for 'Mass', where 1 .*a missing label is: blank='zeros', 'ones'"):
        MultiLabelDataset(birds, file, uncertain='ones')
    with pytest.raises(UserError, match="uncertain must be one of zeros, ones, leave_out, not 'u-zeros'"):
        MultiLabelDataset(birds, file, uncertain='u-zeros')


def test_numbers_are_names_of_files(tmp_path):
    for number in range(1, 6):
        Image.new('L', (8, 8)).save(tmp_path / f'{number}.png')
    text = 'ID,Disease_Risk,DR,MH\n' + ''.join(f'{n},{n % 2},{int(n == 3)},{int(n > 1)}\n' for n in range(1, 6))
    data = MultiLabelDataset(tmp_path, write(tmp_path, 'fundus.csv', text), image_size=8, classes=['MH', 'DR'])
    assert [data.path(place) for place in range(5)] == [f'{n}.png' for n in range(1, 6)] and data.problems() == []
    assert data.labels.tolist() == [[0, 0], [1, 0], [1, 1], [1, 0], [1, 0]]


def coco(**change):
    content = json.loads(ONE['COCO'][1])
    for key, value in change.items():
        content[key] = value(content[key])
    return json.dumps(content)


REFUSED = {  # file name, content, options, what is said
    'no such image without extension': ('a.csv', 'image_id,dx\na00,avocet\nzz9,bittern\n', {},
                                        "line 3 of .*names 'zz9', and there is no image of that name .*correct data_root"),
    'no column with images': ('a.csv', 'where,label\n3,x\n', {}, 'no column is known to hold the images; its columns are '
                                                                 'where, label: name it in image_column'),
    'no column with labels': ('a.csv', 'path,age\navocet/a00.jpg,40\n', {},
                              'no column is known to hold the labels; its columns are path, age: name it in label_column'),
    'a column that is not there': ('a.csv', 'path,label\nx.jpg,1\n', dict(label_column='dx'),
                                   "no column 'dx'; its columns are path, label: correct label_column"),
    'a column of a list': ('a.txt', 'avocet/a00.jpg 0\n', dict(label_column='dx'), 'label_column names a column of a .csv'),
    'an empty path': ('a.csv', 'path,label\na.jpg,x\n,y\n', {}, "line 3 of .*names no image in the column 'path'"),
    'an empty label': ('a.csv', 'path,label\navocet/a00.jpg,x\navocet/a01.jpg,\n', {}, 'a01.jpg .line 3 of .* has no label'),
    'an open quote': ('a.csv', 'path,label\n"a.jpg,x\n', {}, 'line 2 of .*cannot be read as a line of a table .*close'),
    'a row too long': ('a.csv', 'path,label\na.jpg,x,y\n', {}, 'line 2 of .* has 3 cells, and the header 2'),
    'several labels in a cell': ('a.csv', 'path,label\na.jpg,x|y\n', {}, r"line 2 of .*several labels \('x\|y'\).*MultiLabel"),
    'several columns': ('a.csv', 'path,a,b\navocet/a00.jpg,1,0\navocet/a01.jpg,1,1\n', {},
                        r'line 3 of .*several labels \(a, b\).*MultiLabelDataset'),
    'no column': ('a.csv', 'path,a,b\navocet/a00.jpg,1,0\navocet/a01.jpg,0,0\n', {}, 'line 3 of .*shows none of the classes'),
    'a class that is not named': ('a.csv', 'path,label\navocet/a00.jpg,x\n', dict(classes=['y', 'z']),
                                  r"line 2 of .*label 'x', which is none of the 2 classes \(y, z\)"),
    'numbers that names are given for': ('a.txt', 'avocet/a00.jpg x\n', dict(labels='remap'), '`labels` says what numbers'),
    'another number of names': ('a.txt', 'avocet/a00.jpg x\n', dict(num_classes=3), 'has 1 classes .*but num_classes is 3'),
    'an image that is not there': ('a.json', coco(annotations=lambda own: [dict(own[0], image_id=4)]), {},
                                   'annotation 1 has the image_id 4, which is not there'),
    'a category that is not there': ('a.json', coco(annotations=lambda own: [*own, dict(own[0], category_id=4)]), {},
                                     'annotation 23 has the category_id 4, which is not there'),
    'two images of an id': ('a.json', coco(images=lambda own: [*own, own[0]]), {}, 'two of images have the id 3'),
    'several categories': ('a.json', coco(annotations=lambda own: [*own, dict(own[-1], category_id=7)]), {},
                           r'image 1 of .*several labels \(avocet, bittern\).*MultiLabelDataset'),
    'no annotation': ('a.json', coco(annotations=lambda own: []), {}, 'a.json has no annotation, so no image has a label'),
    'no categories': ('a.json', coco(categories=lambda own: None), {}, "must have a list of objects 'categories'"),
    'a label of mmpretrain that is none': ('a.json', json.dumps(dict(data_list=[dict(img_path='a.jpg', gt_label='x')])), {},
                                           "entry 1 of .*gt_label 'x', where a number from 0 or a list"),
    'another JSON': ('a.json', '{"a": {"b": 1}}', {}, 'is JSON of another kind than is read: COCO or iNaturalist'),
    'damaged JSON': ('a.json', coco()[:-9], {}, 'line 1 of .*it is JSON, and damaged'),
    'a column of JSON': ('a.json', coco(), dict(label_column='x'), 'label_column names a column of a table, and .* is JSON'),
    'nothing': ('a.txt', '', {}, 'a.txt names no image'),
}  # fmt: skip


@pytest.mark.parametrize('case', REFUSED)
def test_what_is_refused_says_why(case, birds, tmp_path):
    name, content, options, said = REFUSED[case]
    with pytest.raises(UserError, match=said) as error:
        ImageList(birds, write(tmp_path, name, content), image_size=8, **options)
    assert len(str(error.value)) < 600 and '\n' not in str(error.value)


def test_one_name_for_two_files_is_refused(birds, tmp_path):
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'a00.jpg').symlink_to(birds / PHOTOS[0][0])
    with pytest.raises(UserError, match="line 2 of .*'a00', and several files below .* are called so: give their paths"):
        ImageList(tmp_path, write(tmp_path, 'a.csv', 'image_id,dx\na00,avocet\n'), image_size=8)


def test_a_missing_file_is_not_taken_for_another_of_its_name(birds, tmp_path):
    text = ONE['list, numbers'][1] + 'egret/a00.jpg 4\n'  # avocet/a00.jpg is there
    data = ImageList(birds, write(tmp_path, 'a.txt', text), image_size=8)
    assert [problem.partition(' ')[0] for problem in data.problems()] == [f'{birds}/egret/a00.jpg']


def test_a_folder_further_down_is_named(birds, tmp_path):
    (tmp_path / 'pictures').symlink_to(birds)
    with pytest.raises(UserError, match='line 1 of .* names avocet/a00.jpg, which is not below .*') as error:
        ImageList(tmp_path, write(tmp_path, 'a.txt', ONE['list, numbers'][1]), image_size=8)
    assert str(error.value).endswith(f'{tmp_path}/pictures: set data_root to it.')


@pytest.mark.parametrize('seed', range(4))
def test_damage_is_refused_in_a_sentence_or_read(seed, birds, tmp_path):
    rng = random.Random(seed)
    forms = [(form, *rest[:2]) for form, rest in [*ONE.items(), *SEVERAL.items()]]
    words = ['', '-1', '"', "'", '\t', '\0', '|', ',', '9' * 30, 'null', '[]', 'NaN', 'é', '1e5', '~x', '\n', '\r', '\u2028']
    read = 0
    for _ in range(60):
        form, name, content = rng.choice(forms)
        damaged = bytearray(content if isinstance(content, bytes) else content.encode())
        for _ in range(rng.choice([1, 1, 3])):
            start = rng.randrange(len(damaged))
            damaged[start : start + rng.choice([0, 1, 9, len(damaged)])] = rng.choice(words).encode()
        several = rng.choice([None, True, False])
        rules = dict(uncertain='zeros', blank='ones') if form in ('a column a class', 'Roboflow') else {}
        try:
            table = read_labels(write(tmp_path, name, bytes(damaged)), birds, several=several, **rules)
        except UserError as error:
            assert len(str(error)) < 700 and '\n' not in str(error)
            continue
        read += 1
        assert 0 < len(table.paths) == len(table.labels) == len(table.lines)
        assert table.labels.min() >= 0 and table.labels.max() < (2 if table.several else len(table.classes))
    assert 3 < read < 57


def test_images_without_a_label_are_counted(birds, tmp_path):
    file = write(tmp_path, 'a.json', coco(annotations=lambda own: own[2:]))
    data = ImageList(birds, file, image_size=8)
    assert len(data) == len(PHOTOS) - 2 and data.skipped == {'images without a label': 2}
    assert data.class_counts == [4, 6, 9, 1, 0] and data.classes == tuple(NAMES)
    assert 'categories by their ids (2 to 22) are classes 0 to 4' in data.notes


def test_names_in_another_order(birds, tmp_path):
    order = NAMES[::-1]
    for form in ('list, names', 'a column a class', 'COCO', 'mmpretrain'):
        data = ImageList(birds, write(tmp_path, *ONE[form][:2]), image_size=8, classes=order)
        assert data.labels.tolist() == [4 - label for label in LABELS] and data.classes == tuple(order), form
    for form in ('list', 'findings', 'COCO', 'mmpretrain'):
        data = MultiLabelDataset(birds, write(tmp_path, *SEVERAL[form]), image_size=8, classes=THINGS[::-1])
        assert np.array_equal(data.labels, SHOWN[:, ::-1]), form


def test_folders_that_tell_images_apart_are_not_dropped(tmp_path):
    Image.new('RGB', (4, 4)).save(tmp_path / '0.png')
    (tmp_path / 'list.txt').write_text('gone/0.png 0\nelsewhere/0.png 1\n')
    assert list(read_labels(tmp_path / 'list.txt', tmp_path).paths) == ['gone/0.png', 'elsewhere/0.png']
    (tmp_path / 'list.txt').write_text('gone/0.png 0\ngone/1.png 1\ngone/2.png 0\n')
    assert list(read_labels(tmp_path / 'list.txt', tmp_path).paths)[0] == 'gone/0.png', 'most of them are not here'
