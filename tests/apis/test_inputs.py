"""What is looked at before the first step: files of both sets, entries of the results, labels that mean the same."""

import numpy as np
import pytest
from PIL import Image

from mmlt.apis.inputs import check_files, check_inputs, skipped
from mmlt.datasets import Digits, ImageFolder, ImageList, LongTailedDataset
from mmlt.datasets.resident import ResidentDataset
from mmlt.engine.shared_data import shared_dataset
from mmlt.engine.stages import Stage
from mmlt.errors import UserError

FOLDERS = ('1', '2', '10')


@pytest.fixture
def root(tmp_path):
    """Two images of each of three folders; lists that number them as 1, 2, 10 and as the folders are sorted."""
    for name in FOLDERS:
        (tmp_path / 'images' / name).mkdir(parents=True)
        for number in range(2):
            Image.new('L', (8, 8), int(name) * 20 + number).save(tmp_path / 'images' / name / f'{number}.png')
    for file, order in (('own.txt', FOLDERS), ('sorted.txt', sorted(FOLDERS))):
        lines = [f'{name}/{number}.png {label}\n' for label, name in enumerate(order) for number in range(2)]
        (tmp_path / file).write_text(''.join(lines))
    return tmp_path


def folder(root, **more):
    return ImageFolder(root / 'images', image_size=8, **more)


def listed(root, file, **more):
    return ImageList(root / 'images', root / file, image_size=8, **more)


def test_the_same_images_by_list_and_by_folder_have_the_same_labels_or_are_refused(root):
    check_inputs(listed(root, 'sorted.txt'), folder(root))
    check_inputs(folder(root), listed(root, 'sorted.txt'))
    check_inputs(LongTailedDataset(listed(root, 'own.txt'), profile='natural'), folder(root, classes=list(FOLDERS)))
    check_inputs(listed(root, 'own.txt', classes=list(FOLDERS)), folder(root, classes=list(FOLDERS)))
    for train, test in (
        (listed(root, 'own.txt'), folder(root)),
        (LongTailedDataset(listed(root, 'own.txt'), profile='natural'), LongTailedDataset(folder(root), profile='natural')),
        (folder(root), listed(root, 'own.txt')),
        (listed(root, 'own.txt'), listed(root, 'sorted.txt')),
    ):
        with pytest.raises(UserError, match='is class [12] there and class [12] here'):
            check_inputs(train, test)


def test_a_list_whose_paths_tell_nothing_is_refused_beside_names(root):
    (root / 'flat.txt').write_text('1/0.png 0\n1/1.png 1\n2/0.png 2\n')
    with pytest.raises(UserError, match='the test set has numbers alone'):
        check_inputs(folder(root), listed(root, 'flat.txt'))
    check_inputs(listed(root, 'own.txt'), listed(root, 'flat.txt'))


def test_what_is_missing_or_broken_in_both_sets_is_counted_and_listed_at_once(root):
    (root / 'images/1/0.png').unlink()
    (root / 'images/10/1.png').write_bytes(b'')
    train, test = LongTailedDataset(folder(root, name='x'), profile='natural'), None
    (root / 'own.txt').write_text('1/0.png 0\n2/0.png 1\n2/9.png 1\n10/1.png 2\n')
    test = listed(root, 'own.txt', classes=list(FOLDERS))
    with pytest.raises(UserError) as error:
        check_files({'training': train, 'test': test})
    text = str(error.value)
    assert text.startswith('1 of the 5 training images and 3 of the 4 test images cannot be used: ')
    named = ('10/1.png is empty', '1/0.png (line 1 of ', '2/9.png (line 3 of ', '10/1.png (line 4 of ', "on_broken='skip'")
    places = [text.index(part) for part in named]
    assert places == sorted(places)


def test_a_set_used_twice_is_listed_once_and_a_long_list_is_cut(root):
    (root / 'many.txt').write_text(''.join(f'gone/{number}.png 0\n' for number in range(40)))
    data = listed(root, 'many.txt')
    with pytest.raises(UserError, match=r'^40 of the 40 training images cannot be used: .*gone/11.png .*; and 28 more\.'):
        check_files({'training': data, 'test': data})


class Own(ResidentDataset):
    """Two classes, four images."""

    name, labels, images = 'own', np.array([0, 1, 0, 1]), np.zeros((4, 2, 2, 3), np.uint8)

    def __init__(self, classes=('a', 'b'), **entries):
        self.classes, self.entries = classes, entries

    def fingerprint(self):
        entry = {**super().fingerprint(), **self.entries}
        return {key: value for key, value in entry.items() if value != 'absent'}


class Bare:
    """A set that cannot say what it is."""

    metainfo, labels = dict(classes=('a', 'b'), class_counts=[1, 1]), [0, 1]


@pytest.mark.parametrize(('data', 'said'), [
    (lambda: Own(('a', 'a')), "the training set: classes 0 and 1 are both 'a'"),
    (lambda: Own(('a', 'b\udce9')), r"class 1 is called 'b\\udce9', which is not UTF-8"),
    (lambda: Own(dataset=5), r'fingerprint\(\) of Own .*data.dataset must be str, not 5'),
    (lambda: Own(num_images=4.0), 'data.num_images must be int, not 4.0'),
    (lambda: Own(content_sha256='absent'), 'data.content_sha256 is missing'),
    (lambda: Own(more=float('nan')), 'cannot stand in a results file'),
    (lambda: Own(more={1, 2}), 'cannot stand in a results file'),
    (lambda: Own(dataset='caf\udce9'), 'cannot stand in a results file'),
    (Bare, r'Bare has no fingerprint\(\)'),
])  # fmt: skip
def test_what_the_results_could_not_hold_is_refused_at_the_start(data, said):
    with pytest.raises(UserError, match=said):
        check_inputs(data(), data())
    check_inputs(Own(), Own())
    with pytest.raises(UserError, match='data.dataset must be str'):  # of the test set too
        check_inputs(Own(), Own(dataset=5))


def test_skipped_things_go_into_the_results(root):
    (root / 'images/1/9.png').symlink_to('0.png')
    assert skipped({'training': folder(root), 'test': Digits()}) == {'training': {'files found by another name already': 1}}
    assert skipped({'training': LongTailedDataset(folder(root), profile='natural')})['training']
    assert skipped({'test': Digits()}) == {}


def test_the_next_run_of_a_process_looks_at_the_files_again(root):
    cfg = dict(type='ImageFolder', data_root=str(root / 'images'), image_size=8)
    first = shared_dataset(cfg)
    assert shared_dataset(cfg) is first
    Stage('configs/ce/resnet8_digitslt.py')
    assert shared_dataset(cfg) is not first
