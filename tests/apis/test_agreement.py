"""What must agree before a run."""

import pytest
from PIL import Image

from mmlt.apis.agreement import check_classes, check_counts, seen_size
from mmlt.engine.finished import check_input
from mmlt.arguments import number
from mmlt.config.load import load_config
from mmlt.datasets import Digits, ImageFolder
from mmlt.errors import UserError
from mmlt.registry import MODELS


@pytest.mark.parametrize(
    ('train', 'test'),
    [('abc', 'abc'), ('abc', None), (['0', '1'], ['cat', 'dog']), (['cat', 'dog'], ['0', '1']), ([0, 1], ('0', '1'))],
)
def test_classes_that_agree_or_have_no_names_pass(train, test):
    check_classes(train, test)


@pytest.mark.parametrize(
    ('train', 'test', 'said'),
    [
        ('abc', 'ac', 'has 2, not 3, and lacks b'),
        ('abc', 'acb', "class 1 is 'c' there and 'b' here"),
        (['0', '1', '2'], ['0', '1'], 'has 2, not 3'),
        ('ab', 'abc', 'has 3, not 2'),
    ],
)
def test_other_classes_are_refused(train, test, said):
    with pytest.raises(UserError, match=said):
        check_classes(train, test)


def test_a_class_without_an_image_is_refused():
    check_counts('ab', [1, 2])
    with pytest.raises(UserError, match='class b, d has no training image'):
        check_counts('abcd', [1, 0, 2, 0])


def test_a_test_folder_may_lack_a_class_that_is_named(tmp_path):
    for name in ('a', 'c'):
        (tmp_path / name).mkdir()
        Image.new('RGB', (8, 8)).save(tmp_path / name / 'x.png')
    data = ImageFolder(tmp_path, image_size=8, classes=['a', 'b', 'c'])
    assert data.classes == ('a', 'b', 'c') and data.labels.tolist() == [0, 2] and data.class_counts == [1, 0, 1]
    with pytest.raises(UserError, match='folder c, which is none of'):
        ImageFolder(tmp_path, classes=['a', 'b'])


def model(**preprocessor):
    cfg = load_config('configs/ce/resnet8_digitslt.py').model
    cfg.data_preprocessor.update(preprocessor)
    return MODELS.build(cfg)


def test_what_the_network_sees_is_compared(capsys):
    plain, resized = model(), model(train_transforms=[dict(type='Resize', size=16)])
    data = Digits()
    assert (seen_size(plain, data), seen_size(resized, data)) == ([8, 8], [16, 16])
    check_input(plain, resized, 'teacher', ([8, 8], [8, 8]))
    check_input(plain, resized, 'teacher', ([8, 8], None))
    assert capsys.readouterr().out == ''
    check_input(plain, resized, 'teacher', ([8, 8], [16, 16]))
    assert 'the teacher was trained on images of 16x16 pixels and sees 8x8 here' in capsys.readouterr().out
    with pytest.raises(UserError, match='backbone was trained on images normalised with mean 0.5, 0.5, 0.5 and std 0.376'):
        check_input(plain, model(mean=[0.5] * 3), 'backbone', (None, None))


@pytest.mark.parametrize(
    ('limits', 'good', 'bad', 'said'),
    [
        (dict(above=0), (1e-9, 3), (0, -1, float('inf'), float('nan'), 'x', None, True), 'a number above 0, got'),
        (dict(least=0, most=1), (0, 1, 0.5), (-0.1, 1.1, '1'), 'a number of at least 0 and at most 1, got'),
        (dict(least=1, whole=True), (1, 7), (0, 1.5, 2.0), 'a whole number of at least 1, got'),
        (dict(most=1), (-5, 1), (2,), 'a number of at most 1, got'),
    ],
)
def test_numbers_are_held_to_their_range(limits, good, bad, said):
    for value in good:
        assert number('Part', 'name', value, **limits) == value
    for value in bad:
        with pytest.raises(UserError, match=f'Part: name must be {said} '):
            number('Part', 'name', value, **limits)
