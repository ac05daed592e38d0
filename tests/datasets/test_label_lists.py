"""Lists as people write them: read rightly, or one sentence with the line and what to do."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mmlt.datasets import CIFAR10, ImageFolder, ImageList
from mmlt.errors import UserError

PATHS = ['cat/0.png', 'a dog/1.png', 'cat/2.png', "it's/3.png"]
LABELS = [0, 1, 0, 2]
SCRIPT = Path(__file__).resolve().parents[3] / 'shared/cases/make_label_files.py'


@pytest.fixture
def root(tmp_path):
    """Four pictures in three folders."""
    for path in PATHS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new('L', (8, 8)).save(tmp_path / path)
    return tmp_path


def lines(form, end='\n', labels=LABELS, paths=PATHS):
    return ''.join(form.format(path, label) + end for path, label in zip(paths, labels, strict=True))


READ = {
    'as they are': lines('{} {}').encode(),
    'tabs': lines('{}\t{}').encode(),
    'spaces around': lines('  {}   {}  ').encode(),
    'CRLF': lines('{} {}', '\r\n').encode(),
    'CR': lines('{} {}', '\r').encode(),
    'no end': lines('{} {}').encode()[:-1],
    'byte-order mark': lines('{} {}').encode('utf-8-sig'),
    'UTF-16': lines('{} {}').encode('utf-16'),
    'UTF-16, big end first': b'\xfe\xff' + lines('{} {}').encode('utf-16-be'),
    'quoted': lines('"{}" {}').encode(),
    'quoted with a tab': lines('"{}"\t{}').encode(),
    'backslashes': lines('{} {}', paths=[path.replace('/', '\\') for path in PATHS]).encode(),
    'quoted backslashes': lines('"{}" {}', paths=[path.replace('/', '\\') for path in PATHS]).encode('utf-16'),
    'dots': lines('./{} {}').encode(),
}


@pytest.mark.parametrize('case', READ)
@pytest.mark.parametrize('packed', [False, True])
def test_lists_that_are_read(case, packed, root):
    name = 'list.txt.xz' if packed else 'list.txt'
    (root / name).write_bytes(lzma.compress(READ[case]) if packed else READ[case])
    data = ImageList(root, name, image_size=8)
    assert [data.path(place).removeprefix('./') for place in range(4)] == PATHS and data.labels.tolist() == LABELS
    assert data.problems() == [] and data.where(3) == f' (line 4 of {root}/{name})'


def test_names_that_look_like_something_else_are_read_where_they_are_there(root):
    for name in ('a\\b.png', '1.png 7', 'caf\udce9.png'):
        Image.new('L', (8, 8)).save(root / 'x.png')
        os.rename(root / 'x.png', os.fsencode(root / name))
    (root / 'list.txt').write_bytes(b'a\\b.png 0\n1.png 7 0\ncaf\xe9.png 0\n')
    data = ImageList(root, 'list.txt', image_size=8)
    assert [data.path(place) for place in range(3)] == ['a\\b.png', '1.png 7', 'caf\udce9.png'] and data.problems() == []


def test_a_tilde_is_the_home_folder(root, monkeypatch):
    monkeypatch.setenv('HOME', str(root))
    (root / 'list.txt').write_text('~/cat/0.png 0\n')
    data = ImageList('~', '~/list.txt', image_size=8)
    assert data.problems() == [] and data.root == root and len(ImageFolder('~', image_size=8)) == 4
    with pytest.raises(UserError, match=f'there is no CIFAR-10 in {root}/none'):
        CIFAR10('~/none', download=False)
    monkeypatch.chdir(root)
    assert not os.path.lexists('~')


def test_backslashes_in_data_root_are_read_where_only_they_are_there(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    (root / 'list.txt').write_text('0.png 0\n2.png 1\n')
    assert ImageList(f'{root.name}\\cat', root / 'list.txt').root == Path(root.name, 'cat')


WRONG = {  # the list, options, what is said
    'JSON of another kind': (
        json.dumps([['x', 0]] * 100_000), {}, r'list.txt is JSON of another kind than is read: COCO or iNaturalist'),
    'a path in JSON that is none': ('[{"path": "x", "label": 0}]', {}, "entry 1 of .* names 'x', and there is no image"),
    'half of JSON': ('[\n "cat/0.png" \n', {}, 'line 3 of .*it is JSON, and damaged .*write it again'),
    'one line of everything': ('cat/0.png 0 ' * 120_000, {}, 'line 1 of .*a list has a line an image, a path and a label'),
    'a web page': ('<!DOCTYPE html>\n', {}, 'line 1 of .*it is XML or HTML'),
    'commas and an unknown header': ('where,what\ncat/0.png,0\n', {}, r"line 1 of .*'where,what'; put a space between"),
    'a name among numbers': ('cat/0.png 0\ncat/2.png cat\n', {}, "line 2 of .*the labels before it are numbers: give all"),
    'a name that is none of the classes': (
        'cat/0.png cat\ncat/2.png fish\n', dict(classes=['cat', 'a dog']),
        r"line 2 of .*label 'fish', which is none of the 2 classes \(cat, a dog\): correct it, or add it to `classes`"),
    'a name missing': ('cat/0.png cat\ncat/2.png\n', {}, "line 2 of .*is not a path and a label: 'cat/2.png'"),
    'no label': ('cat/0.png 0\ncat/2.png\n', {}, "line 2 of .*is not a path and a label: 'cat/2.png'"),
    'below 0': ('cat/0.png -1\n', {}, 'line 1 of .*labels are numbers from 0: leave images without a class out'),
    'half a label': ('cat/0.png 1.0\n', {}, 'line 1 of .*labels are whole numbers'),
    'two labels': ('cat/0.png 1 4\n', {}, r'line 1 of .*has several labels \(1 4\), .*keep one of them on each line'),
    'three labels': ('cat/0.png 1 4 2\n', {}, r'several labels \(1 4 2\)'),
    'labels with commas': ('cat/0.png 1,4\n', {}, 'line 1 of .*several labels are not read, keep one'),
    'labels with bars': ('cat/0.png 1|4\n', {}, 'line 1 of .*several labels are not read'),
    'UTF-16 without a mark': (lines('{} {}').encode('utf-16-le'), {}, 'line 1 of .*NUL characters: save the list as UTF-8'),
    'half of UTF-16': (lines('{} {}').encode('utf-16')[:-1], {}, 'cannot be read .*save it as UTF-8 text'),
    'a label without end': (f'cat/0.png {"9" * 5000}\n', {}, 'line 1 of .*label 9999.*, which is no number of a class'),
    'a huge label': (
        'cat/0.png 0\ncat/2.png 100000000000\n', {},
        "line 2 of .* has label 100000000000, but the list names 2 images: .*labels='remap' closes; if not, say num_classes"),
    'a label above 64 bits': (f'cat/0.png {2**70}\n', {}, 'which is no number of a class'),
    'huge num_classes': ('cat/0.png 0\n', dict(num_classes=100_000_000_000), 'num_classes must be .* at most 10000000, got'),
    'num_classes in words': ('cat/0.png 0\n', dict(num_classes='2'), "num_classes must be a whole number .*got '2'"),
    'from 1': (lines('{} {}', labels=[1, 2, 1, 3]), dict(num_classes=3),
               r"line 4 of .*label 3, but there are 3 classes \(0 to 2\): the labels count from 1, so set labels='remap'"),
    'gaps': (lines('{} {}', labels=[3, 17, 3, 900]), dict(num_classes=3),
             r"line 1 of .*label 3, but .*the labels \(3, 17, 900\) have gaps: set labels='remap'"),
    'one class too many': (lines('{} {}'), dict(classes=['x', 'y']),
                           r'line 4 of .*label 2, but there are 2 classes .*the list has 3 different labels'),
    'remapped to another number': (
        lines('{} {}'), dict(labels='remap', num_classes=4),
        r'3 different labels \(0, 1, 2\), but there are 4 classes: give labels='),
    'a label that is none of them': (
        lines('{} {}'), dict(labels=[0, 1]), 'line 4 of .*label 2, which is not in `labels`: add it there'),
    'labels in words': (lines('{} {}'), dict(labels='renumber'), "labels must be 'remap' or a list .*'renumber'"),
    'labels twice': (lines('{} {}'), dict(labels=[0, 1, 1, 2]), "labels must be 'remap' or a list of different numbers"),
    'a text as classes': (lines('{} {}'), dict(classes='abc'), "classes is the text 'abc', and there is no file of that name"),
    'a number as classes': (lines('{} {}'), dict(classes=3), 'classes must be a list of names, not 3'),
    'a set as classes': (lines('{} {}'), dict(classes={'a', 'b', 'c'}), 'classes must be a list of names'),
    'numbers as names': (lines('{} {}'), dict(classes=[0, 1, 2]), r'classes: class 0 must be a name \(a text\), not 0'),
    'an empty name': (lines('{} {}'), dict(classes=['a', ' ', 'c']), 'classes: class 1 must be a name'),
    'a name twice': (lines('{} {}'), dict(classes=['a', 'b', 'a']), "classes 0 and 2 are both 'a': name each once"),
    'no class': (lines('{} {}'), dict(classes=[]), 'classes names no class'),
    'a name that is not UTF-8': (
        lines('{} {}'), dict(classes=['a', 'b\udce9', 'c']), r"class 1 is called 'b\\udce9', .*rename it"),
    'names in another order than the folders': (
        lines('{} {}'), dict(classes=['a dog', 'cat', "it's"]),
        r"cat/0.png \(line 1 of .*is of class 0, which `classes` calls 'a dog', but lies in the folder of 'cat'"),
    'size in words': (lines('{} {}'), dict(image_size='8'), "image_size must be a whole number, got '8'"),
    'half a size': (lines('{} {}'), dict(resize=8.5), 'resize must be a whole number, got 8.5'),
    'seed in words': (lines('{} {}'), dict(crop_seed='x'), "crop_seed must be a whole number .*got 'x'"),
    'a number as name': (lines('{} {}'), dict(name=5), 'name of a data set must be a text, not 5'),
    'a check that is none': (lines('{} {}'), dict(check=True), 'check must be one of files, pixels, not True'),
    'broken images in words': (lines('{} {}'), dict(on_broken='ignore'), "on_broken must be one of stop, skip, not 'ignore'"),
    'no white': (lines('{} {}'), dict(max_value=0), 'max_value must be a number above 0, got 0'),
}  # fmt: skip


@pytest.mark.parametrize('case', WRONG)
def test_lists_that_are_refused(case, root):
    text, options, said = WRONG[case]
    (root / 'list.txt').write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=said) as error:
        ImageList(root, 'list.txt', **options)
    assert len(str(error.value)) < 700 and '\n' not in str(error.value)


@pytest.mark.parametrize(('given', 'said'), [
    ('', "data_root must be a path, not ''"), (3, 'data_root must be a path, not 3'), (None, 'not None'),
    ('x\0y', 'data_root must be a path'), ('~nobody-here/x', 'there is no folder ~nobody-here/x'),
    ('list.txt', 'list.txt is a file, not the folder with the images'),
])  # fmt: skip
def test_folders_that_are_none(given, said, root, monkeypatch):
    monkeypatch.chdir(root)
    (root / 'list.txt').write_text(lines('{} {}'))
    with pytest.raises(UserError, match=said):
        ImageList(given, 'list.txt')


@pytest.mark.parametrize(('labels', 'option', 'places', 'names'), [
    ([1, 2, 1, 3], 'remap', [0, 1, 0, 2], ('1', '2', '3')),
    ([3, 900, 3, 17], 'remap', [0, 2, 0, 1], ('3', '17', '900')),
    ([3, 900, 3, 17], [3, 17, 250, 900], [0, 3, 0, 1], ('3', '17', '250', '900')),
    ([3, 900, 3, 17], [900, 17, 3], [2, 0, 2, 1], ('900', '17', '3')),
    ([0, 2, 0, 5], None, [0, 2, 0, 5], tuple('012345')),
    ([10**17, 5, 5, 6], 'remap', [2, 0, 0, 1], ('5', '6', str(10**17))),
])  # fmt: skip
def test_labels_are_numbered_anew(labels, option, places, names, root):
    (root / 'list.txt').write_text(lines('{} {}', labels=labels))
    data = ImageList(root, 'list.txt', labels=option)
    assert data.labels.tolist() == places and data.classes == names
    assert ImageList(root, 'list.txt', labels=option, classes=[f'c{k}' for k in range(len(names))]).labels.tolist() == places


def test_names_stand_in_a_file(root):
    (root / 'list.txt').write_text(lines('{} {}'))
    (root / 'names.txt').write_bytes('cat\r\na dog\r\nits own\r\n'.encode('utf-8-sig'))
    assert ImageList(root, 'list.txt', classes='names.txt').classes == ('cat', 'a dog', 'its own')
    assert ImageList(root, 'list.txt', classes=root / 'names.txt').classes == ('cat', 'a dog', 'its own')
    (root / 'names.txt').write_text("cat\na dog\nit's\ncat\n")
    with pytest.raises(UserError, match="names.txt: classes 0 and 3 are both 'cat'"):
        ImageFolder(root, classes='names.txt')


@pytest.mark.skipif(not SCRIPT.is_file(), reason='the examples are not here')
def test_the_forms_of_public_lists(tmp_path):
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True, stdout=subprocess.DEVNULL)
    truth = json.loads((tmp_path / 'truth.json').read_text())
    for name in ('numbers', 'crlf', 'bom', 'quoted'):
        data = ImageList(tmp_path / 'photos', tmp_path / f'list_{name}.txt', image_size=8, num_classes=5)
        assert data.class_counts == list(truth['counts'].values()) and data.class_folders == truth['classes'], name
        assert data.problems() == []
    for name in ('from_one', 'gaps'):
        data = ImageList(tmp_path / 'photos', tmp_path / f'labels_odd/{name}.txt', image_size=8, labels='remap')
        assert data.class_counts == list(truth['counts'].values()), name
    data = ImageList(tmp_path / 'photos', tmp_path / 'labels_odd/one_missing.txt', image_size=8)
    assert [text.rpartition('/')[2] for text in data.problems()] == ['one_missing.txt) is missing']
    for name in ('list_names.txt', 'plain.csv', 'ham10000.csv', 'isic_onehot.csv', 'roboflow_classes.csv', 'coco_style.json',
                 'mmpretrain.json'):  # fmt: skip
        data = ImageList(tmp_path / 'photos', tmp_path / name, image_size=8)
        assert data.class_counts == list(truth['counts'].values()) and data.problems() == [], name
        assert [class_name.lower() for class_name in data.classes] == truth['classes'] == data.class_folders, name
    for name in ('labels_odd/two_labels.txt', 'labels_odd/huge_label.txt', 'labels_odd/open_set.txt'):
        with pytest.raises(UserError, match=Path(name).name) as error:
            ImageList(tmp_path / 'photos', tmp_path / name)
        assert len(str(error.value)) < 500
