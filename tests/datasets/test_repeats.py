"""An image on several lines of a file is one image: with all its labels, or once, or the lines contradict one another."""

import json

import numpy as np
import pytest
from label_forms import write

from mmlt.datasets import ImageList, MultiLabelDataset
from mmlt.datasets.label_files import read_labels
from mmlt.errors import UserError

PAIRS = [('b', 'ice'), ('a', 'nest'), ('b', 'reed'), ('c', 'reed'), ('a', 'ice'), ('b', 'ice')]
SHOWN = [[1, 0, 1], [1, 1, 0], [0, 0, 1]]  # of b, a, c
THINGS = ['ice', 'nest', 'reed']


def coco(pairs, several: bool = True) -> str:  # noqa: ANN001
    """An image entry a pair, all of them with ids of their own."""
    return json.dumps(dict(
        images=[dict(id=n, file_name=f'{image}.png') for n, (image, _) in enumerate(pairs)],
        annotations=[dict(id=n, image_id=n, category_id=THINGS.index(name)) for n, (_, name) in enumerate(pairs)],
        categories=[dict(id=k, name=name) for k, name in enumerate(THINGS)],
    ))  # fmt: skip


def table(pairs) -> str:  # noqa: ANN001
    return 'image,label\n' + ''.join(f'{image}.png,{name}\n' for image, name in pairs)


def records(pairs) -> str:  # noqa: ANN001
    return json.dumps([dict(image=f'{image}.png', label=name) for image, name in pairs])


def mmpretrain(pairs) -> str:  # noqa: ANN001
    return json.dumps(dict(metainfo=dict(classes=THINGS), data_list=[
        dict(img_path=f'{image}.png', gt_label=THINGS.index(name)) for image, name in pairs]))  # fmt: skip


def paths(pairs) -> str:  # noqa: ANN001
    return '{' + ', '.join(f'"{image}.png": "{name}"' for image, name in pairs) + '}'


FORMS = {
    'table': ('a.csv', table),
    'list': ('a.txt', lambda pairs: ''.join(f'{image}.png {name}\n' for image, name in pairs)),
    'records': ('a.json', records),
    'COCO': ('a.json', coco),
    'mmpretrain': ('a.json', mmpretrain),
    'paths with labels': ('a.json', paths),
}


@pytest.mark.parametrize('form', FORMS)
def test_lines_of_one_image_are_joined(form, photos, tmp_path):
    name, written = FORMS[form]
    file = write(tmp_path, name, written(PAIRS))
    data = MultiLabelDataset(photos, file, image_size=8)
    assert [data.path(place) for place in range(len(data))] == ['b.png', 'a.png', 'c.png'] and data.problems() == []
    assert data.classes == tuple(THINGS) and np.array_equal(data.labels, SHOWN)
    assert any(note.startswith('3 of 6 ') and 'the labels of all its' in note for note in data.notes)
    assert f' {2 if form == "list" else 3 if form == "table" else 2} of ' in data.where(1), 'where it stands first'


@pytest.mark.parametrize('form', FORMS)
def test_one_label_said_twice_counts_once_and_two_are_refused(form, photos, tmp_path):
    name, written = FORMS[form]
    file = write(tmp_path, name, written([*PAIRS[:2], ('c', 'reed'), ('b', 'ice'), ('b', 'ice')]))
    data = ImageList(photos, file, image_size=8)
    assert [data.path(place) for place in range(3)] == ['b.png', 'a.png', 'c.png'] and data.class_counts == [1, 1, 1]
    assert data.skipped == {'images named again': 2} and len(data) == 3
    file = write(tmp_path, name, written(PAIRS))
    here, before = {'table': ('line 4', 'line 2'), 'list': ('line 3', 'line 1')}.get(form, ('3', '1'))
    with pytest.raises(UserError, match=f"{here} of .*gives b.png the label 'reed', and .*{before} 'ice', and an image has one "
                                        'here: .*MultiLabelDataset') as error:  # fmt: skip
        ImageList(photos, file, image_size=8)
    assert len(str(error.value)) < 600 and '\n' not in str(error.value)
    found = read_labels(file, photos)  # nobody said that an image has one label
    assert len(found) == 5 and found.left_out == {'images named again': 1}
    assert any('2 of 6' in note and 'another label' in note for note in found.notes)


def test_a_column_a_class_can_contradict_itself(photos, tmp_path):
    text = 'image,ice,reed\na.png,1,0\nb.png,1,1\na.png,1,0\n'
    data = MultiLabelDataset(photos, write(tmp_path, 'a.csv', text), image_size=8)
    assert data.labels.tolist() == [[1, 0], [1, 1]]
    file = write(tmp_path, 'a.csv', text + 'b.png,1,0\n')
    with pytest.raises(UserError, match='line 5 of .* says reed=0 of b.png, and line 3 reed=1: correct one of them'):
        MultiLabelDataset(photos, file, image_size=8)


def test_no_copy_is_on_the_other_side_of_a_holdout(photos, tmp_path):
    pairs = [(image, THINGS[n % 2]) for n, image in enumerate('abcdefghij')] * 3
    file = write(tmp_path, 'a.csv', table(pairs))
    for seed in range(5):
        sides = [dict(part=part, fraction=0.4, seed=seed) for part in ('train', 'holdout')]
        parts = [ImageList(photos, file, image_size=8, holdout=side) for side in sides]
        own, aside = ({part.path(place) for place in range(len(part))} for part in parts)
        assert len(own) + len(aside) == 10 and not own & aside


def test_splits_and_groups(photos, tmp_path):
    text = 'image,label,split\na.png,ice,train\nb.png,reed,train\na.png,ice,test\na.png,ice,train\n'
    file = write(tmp_path, 'a.csv', text)
    found = read_labels(file, photos)
    assert list(found.paths) == ['a.png', 'b.png', 'a.png'], 'that an image is in two splits can be told'
    assert len(ImageList(photos, file, image_size=8, split='train')) == 2
    assert len(ImageList(photos, file, image_size=8, split='all')) == 2
    text = 'image,label,patient\na.png,ice,1\nb.png,reed,\nb.png,reed,\na.png,ice,{}\n'
    found = read_labels(write(tmp_path, 'b.csv', text.format(1)), photos)
    assert list(found.paths) == ['a.png', 'b.png'] and len(set(found.groups)) == 2
    with pytest.raises(UserError, match='line 5 of .* puts a.png into another patient than line 2 of'):
        read_labels(write(tmp_path, 'b.csv', text.format(2)), photos)
