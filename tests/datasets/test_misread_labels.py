"""Common ways of writing labels that look like others: read for what they are, or refused with the line, never misread."""

import json

import numpy as np
import pytest
from label_forms import write
from PIL import Image

from mmlt.datasets import ImageFolder, ImageList, MultiLabelDataset
from mmlt.datasets.label_files import read_labels
from mmlt.errors import UserError

HOT = [[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]  # of a, b, c, d
FOUR = ['w', 'x', 'y', 'z']
NUMBERED = [['16', '0'], ['7', '1', '2', '0'], ['5'], ['16', '0']]
WORDS = [['pleural effusion', 'mass'], ['mass'], [], ['mass', 'pleural effusion']]
NAMED = [dict(image=f'{name}.png') for name in 'abcd']


def listed(rows, between: str) -> str:  # noqa: ANN001
    return ''.join(f'{name}.png {between.join(map(str, row))}\n' for name, row in zip('abcd', rows, strict=True))


def table(cells) -> str:  # noqa: ANN001
    return 'image\tlabels\n' + ''.join(f'{name}.png\t{cell}\n' for name, cell in zip('abcd', cells, strict=True))


def records(rows) -> str:  # noqa: ANN001
    return json.dumps([dict(image=f'{name}.png', labels=row) for name, row in zip('abcd', rows, strict=True)])


def mmpretrain(key: str) -> str:
    return json.dumps(dict(metainfo=dict(classes=FOUR), data_list=[
        {'img_path': f'{name}.png', key: row} for name, row in zip('abcd', HOT, strict=True)]))  # fmt: skip


MARKED = {  # a 0 or a 1 for each of four classes
    'CheXNet': ('a.txt', listed(HOT, ' ')),
    'commas': ('a.txt', listed(HOT, ',')),
    'floats': ('a.txt', listed([[f'{mark}.0' for mark in row] for row in HOT], ' ')),
    'cells with spaces': ('a.tsv', table([' '.join(map(str, row)) for row in HOT])),
    'cells with bars': ('a.tsv', table(['|'.join(map(str, row)) for row in HOT])),
    'pandas': ('a.tsv', table(map(str, HOT))),
    'NumPy': ('a.tsv', table([str(np.array(row)) for row in HOT])),
    'NumPy, floats': ('a.tsv', table([str(np.array(row, dtype=float)) for row in HOT])),
    'bools': ('a.tsv', table([str(list(map(bool, row))) for row in HOT])),
    'records': ('a.json', records(HOT)),
    'records of bools': ('a.json', records([list(map(bool, row)) for row in HOT])),
    'paths with labels': ('a.json', json.dumps({f'{name}.png': row for name, row in zip('abcd', HOT, strict=True)})),
    'gt_score': ('a.json', mmpretrain('gt_score')),
    'gt_label': ('a.json', mmpretrain('gt_label')),
}


@pytest.mark.parametrize('form', MARKED)
def test_rows_of_0_and_1_are_marks_of_classes(form, photos, tmp_path):
    file = write(tmp_path, *MARKED[form])
    data = MultiLabelDataset(photos, file, image_size=8)
    named = form.startswith('gt_')
    assert data.labels.tolist() == HOT and data.classes == tuple(FOUR if named else '0123')
    assert form == 'gt_score' or any('a 0 or a 1 for each of 4 classes' in note for note in data.notes)
    data = MultiLabelDataset(photos, file, image_size=8, classes=FOUR)
    assert data.labels.tolist() == HOT and data.classes == tuple(FOUR)
    with pytest.raises(UserError, match='(has 4 numbers, .*there are 3 classes|class .z., which is none of `classes`)'):
        MultiLabelDataset(photos, file, image_size=8, classes=FOUR[:3])
    with pytest.raises(UserError, match='several labels|none of the classes|whole numbers'):
        ImageList(photos, file, image_size=8)


PARTED = {  # what is parted, the labels of each image, the classes
    'numbers with spaces': ('a.tsv', table(map(' '.join, NUMBERED)), NUMBERED, list(map(str, range(17)))),
    'numbers in a list': ('a.txt', listed(NUMBERED, ' '), NUMBERED, list(map(str, range(17)))),
    'Python': ('a.tsv', table(map(str, WORDS)), WORDS, ['mass', 'pleural effusion']),
    'JSON in a cell': ('a.tsv', table(map(json.dumps, WORDS)), WORDS, ['mass', 'pleural effusion']),
    'NumPy': ('a.tsv', table(str(np.array(row)) for row in WORDS), WORDS, ['mass', 'pleural effusion']),
    'names with marks': ('a.json', records([['a|b', 'c, d'], ['c, d'], [], None]), [['a|b', 'c, d'], ['c, d'], [], []],
                         ['a|b', 'c, d']),
    'pairs, one of a kind': ('a.txt', listed([[0, 2], [1, 1], [2, 1], [0, 1]], ','),
                             [['0', '2'], ['1'], ['1', '2'], ['0', '1']], list('012')),
    'a label twice': ('a.json', records([[3, 3], [1], [2, 0, 2], []]), [['3'], ['1'], ['0', '2'], []], list('0123')),
}  # fmt: skip


@pytest.mark.parametrize('form', PARTED)
def test_what_stands_between_labels_is_found(form, photos, tmp_path):
    name, content, rows, classes = PARTED[form]
    for several in (True,) if name == 'a.txt' else (True, None):  # a list has one label an image where nobody asks for several
        found = read_labels(write(tmp_path, name, content), photos, several=several)
        assert found.classes == tuple(classes)
        assert found.labels.tolist() == [[float(name in row) for name in classes] for row in rows]


def test_words_with_spaces_are_asked_about(photos, tmp_path):
    tags = ['haze primary', 'agriculture haze primary', 'primary', 'clear primary']
    own = ['agriculture', 'clear', 'haze', 'primary']
    shown = [[float(name in tag.split()) for name in own] for tag in tags]
    for file in (write(tmp_path, 'a.tsv', table(tags)), write(tmp_path, 'a.txt', listed([[tag] for tag in tags], ''))):
        with pytest.raises(UserError, match=r"line \d of .* has '.*primary', and line \d .*: say separator=' ' where spaces"):
            MultiLabelDataset(photos, file, image_size=8)
        for options in (dict(separator=' '), dict(classes=own)):
            data = MultiLabelDataset(photos, file, image_size=8, **options)
            assert data.labels.tolist() == shown and data.classes == tuple(own)
        for options in (dict(separator='|'), dict(classes=sorted(tags))):
            assert MultiLabelDataset(photos, file, image_size=8, **options).classes == tuple(sorted(tags))
        assert read_labels(file, photos).classes == tuple(sorted(tags)), 'one label each, where nobody asks for several'
    findings = ['pleural effusion', 'mass', 'lung opacity', '-']
    data = MultiLabelDataset(photos, write(tmp_path, 'b.tsv', table(findings)), image_size=8)
    assert data.classes == ('lung opacity', 'mass', 'pleural effusion')


REFUSED = {
    'rows of two lengths': ('a.txt', listed([[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0], [0, 0, 1, 0]], ' '), {},
                            'line 1 of .*has 4 labels, all of them 0 or 1, and line 3 has 3: give every image a 0 or a 1'),
    'counts': ('a.txt', listed([[0, 2, 0], [1, 0, 0], [0, 0, 0], [3, 0, 1]], ' '), {},
               'line 1 of .*names the label 0 twice, and every image has 3'),
    'soft labels': ('a.json', records([[0.2, 0.8], [1.0, 0.0], [0.5, 0.5], [0, 1]]), {},
                    "entry 1 of .*has '0.2', where labels"),
    'pairs in both orders': ('a.txt', listed([[0, 1], [1, 0], [0, 1], [0, 1]], ' '), {},
                             'line 1 of .*has the labels 0 1, and every image has 0 and 1, in one order or the other'),
    'an uncertain mark': ('a.txt', listed([[0, 1, -1], [1, 0, 0], [0, 0, 0], [0, 0, 1]], ' '), {},
                          "line 1 of .*has '-1' for '2', where .*uncertain='zeros', 'ones' or 'leave_out'"),
    'below 0': ('a.txt', listed([[0], [1], [-1], [2]], ' '), {}, 'line 3 of .*label -1, and numbers of classes count from 0'),
    'half a list': ('a.tsv', table(["['x', 'y']", "['x'", "['y']", '-']), {},
                    r"line 3 of .*has .*'x'.*and others are lists as \['Mass', 'Edema'\]: write it so"),
    'a number that is no name': ('a.txt', listed([[1, 3], [2], [0], [1]], ','), dict(classes=['1', '2', '3']),
                                 "line 3 of .*label '0', which is none of the 3 classes"),
    'a rule that nothing is under': ('a.txt', listed([['x', 'y'], ['y'], ['x'], ['y']], ','), dict(uncertain='ones'),
                                     "uncertain='ones' is for files with a 0 or a 1 for each class, and .* is a list of paths"),
    'another rule': ('a.tsv', table(['x|y', 'y', 'x', '']), dict(blank='leave_out'), "blank='leave_out' is for files with"),
    'a score that is no mark': ('a.json', mmpretrain('gt_score').replace('1', '7', 1), {},
                                r'entry 1 of .*has the gt_score \[0, 7, 0, 0\], where .*for each of the 4 classes'),
    'a number without a name': ('a.json', mmpretrain('gt_label').replace('1', '4', 1), {},
                                r'entry 1 of .*gt_label 4, and metainfo.classes names 4 \(0 to 3\)'),
    'no header': ('a.csv', 'a.png,0,1\nb.png,1,0\n', {}, 'line 1 of .*names the image a.png, and it is the header'),
}  # fmt: skip


@pytest.mark.parametrize('case', REFUSED)
def test_what_may_be_either_is_refused(case, photos, tmp_path):
    name, content, options, said = REFUSED[case]
    with pytest.raises(UserError, match=said) as error:
        MultiLabelDataset(photos, write(tmp_path, name, content), image_size=8, **options)
    assert len(str(error.value)) < 600 and '\n' not in str(error.value)


def test_uncertain_marks_of_a_list_follow_the_rule(photos, tmp_path):
    file = write(tmp_path, 'a.txt', listed([[0, 1, -1], [1, 0, 0], [0, 0, 0], [0, 0, 1]], ' '))
    data = MultiLabelDataset(photos, file, image_size=8, uncertain='leave_out')
    assert [data.path(place) for place in range(3)] == ['b.png', 'c.png', 'd.png'] and data.class_counts == [1, 0, 1]
    assert MultiLabelDataset(photos, file, image_size=8, uncertain='ones').class_counts == [1, 1, 2]


def one_each(form: str, labels) -> tuple[str, str]:  # noqa: ANN001
    pairs = list(zip('abcdefghijkl', labels, strict=False))
    if form == 'list':
        return 'a.txt', ''.join(f'{name}.png {label}\n' for name, label in pairs)
    if form == 'table':
        return 'a.csv', 'image,label\n' + ''.join(f'{name}.png,{label}\n' for name, label in pairs)
    return 'a.json', json.dumps([dict(image=f'{name}.png', label=int(label)) for name, label in pairs])


TWELVE = sorted(map(str, range(12)))  # as folders are: 0, 1, 10, 11, 2, ...


@pytest.mark.parametrize('form', ['list', 'table', 'records'])
@pytest.mark.parametrize(('names', 'labels'), [
    (TWELVE, TWELVE), (TWELVE, ['2', '11', '3']), (list('12345'), list('1234')), (['1', '10', '2', '3'], ['10', '2', '3', '1']),
    (list('0123'), ['2', '1']),
])  # fmt: skip
def test_numbers_are_names_where_classes_are_called_by_numbers(form, names, labels, photos, tmp_path):
    file = write(tmp_path, *one_each(form, labels))
    data = ImageList(photos, file, image_size=8, classes=names)
    assert [data.classes[label] for label in data.labels] == labels and data.classes == tuple(names)
    places = ImageList(photos, file, image_size=8, classes=names, labels=[int(name) for name in names])
    assert places.labels.tolist() == data.labels.tolist()


def test_numbers_that_may_be_names_or_places(photos, tmp_path):
    file = write(tmp_path, *one_each('list', '0121'))
    with pytest.raises(UserError, match=r'line 1 of .*has label 0, which is none of the 3 classes, whose names are numbers '
                                        r'\(1, 2, 3\): .*labels=\[...\]'):  # fmt: skip
        ImageList(photos, file, image_size=8, classes=['1', '2', '3'])
    assert ImageList(photos, file, image_size=8, classes=['1', '2', '3'], labels=[0, 1, 2]).labels.tolist() == [0, 1, 2, 1]
    assert ImageList(photos, file, image_size=8, classes=['1', '2', 'none']).labels.tolist() == [0, 1, 2, 1], '0 is no name'
    file = write(tmp_path, *one_each('list', '121'))
    with pytest.raises(UserError, match='line 1 of .*label 1, which may be the class called so, or class 1 of `classes`: say'):
        ImageList(photos, file, image_size=8, classes=['1', '2', 'none'])
    assert ImageList(photos, file, image_size=8, classes=['1', '2', 'none'], labels=[1, 2, 9]).labels.tolist() == [0, 1, 0]
    file = write(tmp_path, *one_each('list', ['1', '2', '10']))
    with pytest.raises(UserError, match="labels='remap' would read 2 of .* as the class 10, and there is a class 2: leave"):
        ImageList(photos, file, image_size=8, classes=['1', '10', '2'], labels='remap')


def test_folders_tell_names_from_places(tmp_path):
    for text, names, truth in (
        ('2/a.png 1\n10/a.png 2\n', ['1', '2', '10'], [1, 2]), ('2/a.png 2\n10/a.png 10\n', ['1', '2', '10'], [1, 2]),
        ('2/a.png 2\n1/a.png 1\n', ['1', '2', 'none'], [1, 0]), ('2/a.png 1\nnone/a.png 2\n', ['1', '2', 'none'], [1, 2]),
    ):  # fmt: skip
        assert read_labels(write(tmp_path, 'a.txt', text), classes=names).labels.tolist() == truth


def test_names_of_any_form_are_read_where_they_are_given(photos, tmp_path):
    names = ['[x]', 'a|b', '01', '1', '2 3']
    lines = [f'{one}.png,{name}\n' for one, name in zip('abcde', names, strict=True)]
    file = write(tmp_path, 'a.csv', 'image,label\n' + ''.join(lines))
    data = ImageList(photos, file, image_size=8, classes=names)
    assert data.labels.tolist() == list(range(5))
    lists = write(tmp_path, 'b.tsv', table(["['x']", "['y']", "['x']", "['x']"]))
    for several in (False, None):
        assert read_labels(lists, photos, several=several).labels.tolist() == [0, 1, 0, 0]


def test_predictions_are_read_back_with_the_labels_that_they_have(photos, tmp_path):
    """Folders called 0 to 11, a model of them, its predictions as a data set: each image keeps its label; see also the CLI."""
    from mmlt.analysis.prediction import Classes, Prediction
    from mmlt.analysis.prediction_files import csv_lines, is_predictions

    for name in TWELVE:
        (tmp_path / 'train' / name).mkdir(parents=True)
        Image.new('L', (8, 8)).save(tmp_path / 'train' / name / 'a.png')
    trained = ImageFolder(tmp_path / 'train', image_size=8)
    classes = Classes(trained.classes, (5,) * 12, ('few',) * 11 + ('many',), 'standard')
    files = [str(photos / f'{name}.png') for name in 'abcdefghijkl']
    predictions = [Prediction(file, classes, np.eye(12)[place % 6]) for place, file in enumerate(files)]
    for chosen in (predictions, predictions[4:11]):
        with csv_lines(tmp_path / 'predictions.csv', classes, 3) as lines:
            for one in chosen:
                lines.add(one)
        assert is_predictions(tmp_path / 'predictions.csv')
        data = ImageList(tmp_path, tmp_path / 'predictions.csv', image_size=8, classes=list(trained.classes))
        assert [data.classes[label] for label in data.labels] == [one.label for one in chosen]
    with csv_lines(tmp_path / 'predictions.csv', classes, 3) as lines:
        for one in predictions:
            lines.add(one)
    held = ImageList(tmp_path, tmp_path / 'predictions.csv', image_size=8, classes=list(trained.classes),
                     holdout=dict(part='holdout', fraction=0.5))  # fmt: skip
    assert held.class_counts == [1] * 6 + [0] * 6 and held.table.groups is None and 'together' not in ' '.join(held.notes)


def test_a_column_of_shot_groups_is_no_column_of_patients(photos, tmp_path):
    lines = [f'{one}.png,x,0.5,many,\n{two}.png,y,0.5,few,\n' for one, two in ('ab', 'cd', 'ef')]
    text = 'image,label,probability,group,problem\n' + ''.join(lines)
    assert read_labels(write(tmp_path, 'old.csv', text), photos).groups is None
    assert read_labels(write(tmp_path, 'a.csv', text.replace('many', 'p1')), photos).group_name == 'group'
