"""What must agree before a run."""

import pytest
from PIL import Image

from mmlt.arguments import number
from mmlt.config.load import load_config
from mmlt.datasets import Digits, ImageFolder
from mmlt.engine.agreement import check_classes, check_counts, check_input, seen_size
from mmlt.errors import UserError
from mmlt.registry import MODELS

N = ['0', '1', '2']  # numbers that stand for names nobody gave
F = ['1', '10', '2']  # folders, sorted as texts
AGREE = [  # names trained on, of the test set, folders of both
    ('abc', 'abc', None, None),
    ('abc', None, None, None),
    ([0, 1], ('0', '1'), None, None),
    (N, N, None, None),
    (N, N, ['x', 'y', 'z'], [None] * 3),
    (N, N, ['x', 'y', 'z'], ['x', 'y', 'z']),
    (N, N, ['h1', 'h2', 'h3'], ['p', 'q', 'r']),
    (N, N, ['x', 'y', None], ['x', None, 'z']),
    (N, F, ['1', '10', '2'], F),
    (F, N, F, ['1', '10', '2']),
    (N, 'abc', ['a', 'b', 'c'], None),
    ('abc', N, None, ['a', None, 'c']),
    (['3', '17'], ['3', '17'], None, ['x', 'y']),
]


@pytest.mark.parametrize(('train', 'test', 'train_folders', 'test_folders'), AGREE)
def test_classes_that_agree_pass(train, test, train_folders, test_folders):
    check_classes(train, test, 'the training set', train_folders, test_folders)


TELL = 'nobody can tell which is which: give the numbers their names by `classes`'
DIFFER = [
    ('abc', 'ac', None, None, 'has 2, not 3, and lacks b'),
    ('abc', 'acb', None, None, "class 1 is 'c' there and 'b' here"),
    (N, ['0', '1'], None, None, 'has 2, not 3'),
    ('ab', 'abc', None, None, 'has 3, not 2'),
    (N, F, ['1', '2', '10'], F, "'10' is class 1 there and class 2 here"),
    (F, N, F, ['1', '2', '10'], "'2' is class 1 there and class 2 here"),
    (N, N, ['x', 'y', 'z'], ['x', 'z', 'y'], "'z' is class 1 there and class 2 here"),
    (N, N, ['x', 'y', None], [None, None, 'y'], "'y' is class 2 there and class 1 here"),
    (N, 'abc', None, None, f'the test set names its classes .a, b, c, .* and the training set has numbers alone, .*{TELL}'),
    ('abc', N, None, None, f'the training set names its classes .* and the test set has numbers alone, .*{TELL}'),
    (N, F, None, F, TELL),
    ('abc', N, None, ['p', 'q', 'r'], TELL),
    ('abc', N, None, ['a', 'q', 'c'], TELL),
    (N, ['1', '2', '3'], None, None, TELL),
    (['3', '17'], ['0', '1'], None, None, TELL),
]


@pytest.mark.parametrize(('train', 'test', 'train_folders', 'test_folders', 'said'), DIFFER)
def test_other_classes_are_refused(train, test, train_folders, test_folders, said):
    with pytest.raises(UserError, match=said):
        check_classes(train, test, 'the training set', train_folders, test_folders)


@pytest.mark.parametrize(('counts', 'said'), [
    ([0, 4, 2], "class 0 has no training image, so the labels seem to count from 1: set labels='remap'"),
    ([0, 4, 0, 0, 0, 2], r"class 0, 2, 3 and more .*\(the labels are 1, 5\): close the gaps by labels='remap'"),
    ([3, 0], "class 1 .*lower num_classes"),
])  # fmt: skip
def test_numbers_without_an_image_get_their_own_advice(counts, said):
    with pytest.raises(UserError, match=said):
        check_counts([str(place) for place in range(len(counts))], counts)


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
