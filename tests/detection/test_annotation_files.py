"""Annotation files that labelling tools write: entries that are wrong, classes that are wanted, objects without masks."""

import re

import pytest
import torch
from small_boxes import small

from mmlt.detection import CocoDataset, CocoMetric, LVISDataset
from mmlt.engine.agreement import check_classes
from mmlt.errors import UserError

BOX = dict(id=1, image_id=7, category_id=2, bbox=[0, 0, 5, 5])
CROWD = dict(BOX, category_id=77, iscrowd=1)
PICTURE = dict(file_name='a.png', height=20, width=30, neg_category_ids=[], not_exhaustive_category_ids=[])


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(annotations=None), 'must hold the lists images, annotations, categories'),
        (dict(annotations=[dict(BOX, image_id=99)]), 'annotation 1 .* is of image 99, which'),
        (dict(annotations=[dict(BOX, category_id=3)]), 'annotation 1 .* is of category 3, which'),
        (dict(annotations=[CROWD]), 'annotation 1 .* is of category 77, which'),
        (dict(annotations=[dict(BOX, iscrowd='0')]), "annotation 1 .* has iscrowd '0', which must be 0 or 1"),
        (dict(annotations=[BOX, dict(BOX, bbox=[0, 0, float('nan'), 5])]), r'annotation 2 .* nan, 5\], not four numbers'),
        (dict(annotations=[dict(BOX, bbox=[0, 0, 5])]), r'annotation 1 .* has the bbox \[0, 0, 5\]'),
        (dict(annotations=[3]), 'not as in COCO and LVIS'),
        (dict(annotations=[dict(id=1, image_id=7, category_id=2)]), "KeyError: 'bbox'"),
        (dict(images=[dict(PICTURE, id=7), dict(PICTURE, id=7)]), 'images of .* have the id 7 more than once'),
        (dict(images=[dict(PICTURE, id='7')]), "images of .* have the id '7', but ids are whole numbers"),
        (dict(images=[dict(PICTURE, id=7, file_name=None)], annotations=[BOX]), 'not as in COCO and LVIS'),
        (dict(categories=[dict(id=2, name='a'), dict(id=2, name='b')]), 'categories of .* have the id 2 more than once'),
        (dict(annotations=[]), 'no image with an object'),
        (dict(images=[dict(PICTURE, id=i, neg_category_ids=None) for i in (7, 3, 5)]), 'image 7 in .* has no neg_category_ids'),
    ],
)
def test_wrong_files_are_named(tmp_path, changes, words):
    small(tmp_path, **changes)
    with pytest.raises(UserError, match=words):
        LVISDataset('small.json', str(tmp_path))


def test_classes_that_are_wanted_in_the_order_that_is_wanted(tmp_path):
    """A parent category without an object, and a validation file without a class, are what labelling tools write."""
    content = small(tmp_path)
    parent, other = dict(id=0, name='things'), dict(id=4, name='sky')
    content['categories'] += [parent, other]
    for image in content['images']:
        image.update(neg_category_ids=[4, 2], not_exhaustive_category_ids=[0, 9])
    content['annotations'].append(dict(id=6, image_id=3, category_id=4, bbox=[0, 0, 5, 5]))
    small(tmp_path, **content)
    names = ['late', 'early']
    train = LVISDataset('small.json', str(tmp_path), masks=False, classes=names)
    assert train.metainfo['classes'] == ('late', 'early') and train.class_counts == [2, 1]
    assert train.places.tolist() == [0, 2], 'the sky alone is no object'
    assert train[0][1]['labels'].tolist() == [1, 0]
    truth = train.ground_truth()
    assert [(one['id'], one['name']) for one in truth['categories']] == [(1, 'late'), (2, 'early')]
    assert train.metainfo['category_ids'].tolist() == [1, 2]
    assert [one['category_id'] for one in truth['annotations']] == [1, 2, 1, 1, 1]
    assert truth['images'][0]['neg_category_ids'] == [2] and truth['images'][0]['not_exhaustive_category_ids'] == [1]
    assert train.notes == [f'`classes` leaves out of {tmp_path / "small.json"}: things, sky (objects: 1)']
    (tmp_path / 'names.txt').write_text('late\nearly\n')
    same = LVISDataset('small.json', str(tmp_path), masks=False, classes='names.txt')
    assert same.fingerprint() == train.fingerprint()
    assert LVISDataset('small.json', str(tmp_path), masks=False).content_sha256() != train.content_sha256()

    late = [one for one in content['annotations'] if one['category_id'] == 9]
    small(tmp_path, categories=[dict(id=9, name='late')], annotations=late)
    test = CocoDataset('small.json', str(tmp_path), classes=names, keep_empty=True)
    assert test.metainfo['classes'] == ('late', 'early') and test.class_counts == [2, 0] and len(test) == 3
    assert test.notes == [f'{tmp_path / "small.json"} has no category early']
    check_classes(train.metainfo['classes'], test.metainfo['classes'])


def test_detections_count_for_the_class_of_their_label(tmp_path):
    pytest.importorskip('faster_coco_eval', reason='the extra `detection` (faster-coco-eval) is not installed')
    small(tmp_path)
    data = CocoDataset('small.json', str(tmp_path), masks=False, classes=['late', 'early'], keep_empty=True)
    metric = CocoMetric()
    metric.dataset_meta = data.metainfo
    for place in range(3):
        _, target = data[place]
        early = target['labels'] == 1
        found = dict(boxes=target['boxes'][early], labels=target['labels'][early], scores=torch.ones(int(early.sum())))
        metric.process(None, [dict(found, index=place)])
    assert metric.evaluate(3)['bbox/AP'] == pytest.approx(50)
    rows = [(row['name'], row['train_images'], row['test_images'], row['accuracy']) for row in metric.details['per_class']]
    assert rows == [('late', 2, 3, 0), ('early', 1, 1, pytest.approx(100))]


@pytest.mark.parametrize(
    ('classes', 'words'),
    [
        (['early', 'Late '], "calls a category 'late', `classes` calls it 'Late ': write it alike"),
        (['other'], r'none of `classes` is among the categories of .*small.json \(late, early\)'),
        (['early', 'early'], "are both 'early'"),
        ('nowhere.txt', 'there is no file of that name'),
    ],
)
def test_wrong_classes_are_named(tmp_path, classes, words):
    small(tmp_path)
    with pytest.raises(UserError, match=words):
        CocoDataset('small.json', str(tmp_path), classes=classes)


def test_a_category_that_a_file_lists_twice_is_refused(tmp_path):
    small(tmp_path, categories=[dict(id=9, name='late'), dict(id=2, name='early'), dict(id=3, name='early')])
    with pytest.raises(UserError, match="small.json lists the category 'early' more than once"):
        CocoDataset('small.json', str(tmp_path), classes=['late', 'early'])


def test_objects_without_masks(tmp_path):
    pytest.importorskip('faster_coco_eval', reason='the extra `detection` (faster-coco-eval) is not installed')
    content = small(tmp_path)
    del content['annotations'][0]['segmentation']
    small(tmp_path, **content)
    data = CocoDataset('small.json', str(tmp_path))
    assert 'masks' not in data[0][1] and len(data[0][1]['boxes']) == 2
    said = '1 of the 3 objects of .*small.json have no mask \\(in c.png, for one\\)'
    assert len(data.notes) == 1 and re.match(said + ', so no mask is read', data.notes[0])
    with pytest.raises(UserError, match=said + '.*set masks=False'):
        CocoDataset('small.json', str(tmp_path), masks=True)
    content['annotations'][0]['segmentation'] = dict(size=[20, 30], counts=[1, 2])
    small(tmp_path, **content)
    data = CocoDataset('small.json', str(tmp_path))
    assert data[0][1]['masks'].shape == (2, 20, 30) and data.notes == []
    with pytest.raises(UserError, match='image c.png: a segmentation cannot be read'):
        data[1]
