"""Class folders with links, pipes and foreign names in them; what folders tell of a list's labels."""

import os
import socket

import numpy as np
import pytest
from PIL import Image

from mmlt.datasets import ImageFolder
from mmlt.datasets.class_folders import folder_of_each_class
from mmlt.errors import UserError


@pytest.fixture
def root(tmp_path):
    """Three images of `a`, two of `b`, in a folder with a neighbour."""
    for path in ('set/a/1.png', 'set/a/2.png', 'set/a/deep/3.png', 'set/b/1.png', 'set/b/2.png', 'pool/7.png', 'pool/8.png'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new('L', (8, 8)).save(tmp_path / path)
    return tmp_path / 'set'


def link(path, target):
    path.symlink_to(target)


A, B = ['a/1.png', 'a/2.png', 'a/deep/3.png'], ['b/1.png', 'b/2.png']
LOOP, PIPE = 'links to folders that lead back', 'pipes, sockets and devices'
TWICE, OTHER, NOTHING = 'files found by another name already', 'files of other kinds', 'links to nothing'


def two_links(root):
    link(root / 'a/x', 'y')
    link(root / 'a/y', 'x')


def links_to_each_other(root):
    link(root / 'a/out', root.parent / 'pool')
    link(root.parent / 'pool/back', root / 'a')
    link(root.parent / 'pool/round', root.parent / 'pool')


def bound_socket(root):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.relpath(root / 'a/x.png'))
    server.close()


CASES = {  # what is done, the images found, what is counted
    'nothing': (lambda root: None, A + B, {}),
    'a link to itself': (lambda root: link(root / 'a/self', '.'), A + B, {LOOP: 1}),
    'a link to the folder that it lies in': (lambda root: link(root / 'a/deep/up', '..'), A + B, {LOOP: 1}),
    'a link to the parent': (lambda root: link(root / 'a/up', '..'), A + B, {LOOP: 1}),
    'a link to the root of the system': (lambda root: link(root / 'a/all', '/'), A + B, {LOOP: 1}),
    'a link to another class': (lambda root: link(root / 'a/other', '../b'), A + B, {LOOP: 1}),
    'a link into another class': (
        lambda root: (os.mkdir(root / 'b/in'), link(root / 'a/other', '../b/in')), A + B, {LOOP: 1}),
    'a link to a folder seen': (lambda root: link(root / 'a/latest', 'deep'), A + B, {LOOP: 1}),
    'two links to each other': (two_links, A + B, {NOTHING: 2}),
    'two links that lead back by way of outside': (links_to_each_other, [*A, 'a/out/7.png', 'a/out/8.png', *B], {LOOP: 2}),
    'a class that leads back': (lambda root: link(root / 'c', '.'), A + B, {LOOP: 1}),
    'a class that leads above': (lambda root: link(root / 'c', '../..'), A + B, {LOOP: 1}),
    'a class of links': (
        lambda root: (os.mkdir(root / 'c'), link(root / 'c/x.png', '../../pool/7.png')), [*A, *B, 'c/x.png'], {}),
    'a class that is a link': (
        lambda root: link(root / 'c', root.parent / 'pool'), [*A, *B, 'c/7.png', 'c/8.png'], {}),
    'a folder that is a link': (
        lambda root: link(root / 'b/more', root.parent / 'pool'), [*A, *B, 'b/more/7.png', 'b/more/8.png'], {}),
    'a link to a file of the class': (lambda root: link(root / 'a/0.png', 'deep/3.png'), A + B, {TWICE: 1}),
    'a hard link': (lambda root: os.link(root / 'a/2.png', root / 'a/9.png'), A + B, {TWICE: 1}),
    'a link to a file of another class': (
        lambda root: link(root / 'b/3.png', '../a/1.png'), [*A, *B, 'b/3.png'], {}),
    'a pipe': (lambda root: os.mkfifo(root / 'a/x.png'), A + B, {PIPE: 1}),
    'a pipe as a class': (lambda root: os.mkfifo(root / 'c'), A + B, {PIPE: 1}),
    'a socket': (bound_socket, A + B, {PIPE: 1}),
    'a link to a device': (lambda root: link(root / 'a/x.png', '/dev/null'), A + B, {PIPE: 1}),
    'notes': (lambda root: ((root / 'a/notes.txt').write_text('x'), (root / 'README.md').write_text('x')), A + B, {OTHER: 2}),
    'hidden things': (
        lambda root: (os.mkdir(root / '.git'), (root / 'a/.x.png').write_text(''), os.mkdir(root / 'a/.y')), A + B, {}),
    'a folder called as an image': (
        lambda root: (os.mkdir(root / 'a/x.png'), os.link(root.parent / 'pool/7.png', root / 'a/x.png/y.PNG')),
        [*A, 'a/x.png/y.PNG', *B], {}),
    'a file whose name is not UTF-8': (
        lambda root: os.link(os.fsencode(root.parent / 'pool/7.png'), os.fsencode(root / 'a') + b'/caf\xe9.png'),
        [*A[:2], 'a/caf\udce9.png', A[2], *B], {}),
    'a link to no image': (lambda root: link(root / 'a/9.png', 'gone.png'), [*A[:2], 'a/9.png', A[2], *B], {}),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_each_real_file_counts_once_in_a_class(case, root, monkeypatch):
    monkeypatch.chdir(root)  # a socket's name is short
    change, images, skipped = CASES[case]
    change(root)
    data = ImageFolder(root, image_size=8)
    assert [data.path(place) for place in range(len(data))] == images
    assert data.skipped == skipped
    assert data.labels.tolist() == ['abc'.index(path[0]) for path in images]
    assert [text.split(' is ')[1] for text in data.problems()] == (['a link to nothing'] if 'a/9.png' in images else [])


REFUSED = {
    'a name that is not UTF-8': (
        lambda root: os.mkdir(os.fsencode(root) + b'/caf\xe9'), r"class folder in .*set is called 'caf\\udce9', .*: rename it"),
    'a class twice': (lambda root: link(root / 'c', 'b'), 'class folders b and c in .*set are one folder by a link'),
    'a class within a class': (
        lambda root: link(root / 'c', 'a/deep'), 'class folder .*set/c is a link into the class folder a, .*remove one'),
    'a class that is not there': (lambda root: link(root / 'c', 'gone'), 'set/c is a link to nothing: restore its target'),
    'a class that is a loop': (lambda root: link(root / 'c', 'c'), 'set/c is a link to nothing'),
    'no image': (lambda root: os.mkdir(root / 'c'), 'class folder .*set/c holds no image .*: remove it'),
    'only links that lead back': (
        lambda root: (os.mkdir(root / 'c'), link(root / 'c/x', '..')), 'class folder .*set/c holds no image'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_classes_that_are_none_are_refused(case, root):
    change, said = REFUSED[case]
    change(root)
    with pytest.raises(UserError, match=said):
        ImageFolder(root)


def test_a_folder_that_cannot_be_read_is_named(root, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith('deep'):
            raise PermissionError(13, 'Permission denied')
        return real(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.raises(UserError, match=r'set/a/deep cannot be read \(Permission denied\)'):
        ImageFolder(root)


@pytest.mark.parametrize('names', [('train', 'test'), ('Train',), ('training', 'val', 'testing')])
def test_splits_are_no_classes(names, tmp_path):
    for name in names:
        (tmp_path / name).mkdir()
        Image.new('L', (8, 8)).save(tmp_path / name / 'x.png')
    with pytest.raises(UserError, match=rf'are splits, not classes: set data_root to one of them .*/{sorted(names)[0]}\)'):
        ImageFolder(tmp_path)
    assert ImageFolder(tmp_path, classes=list(names)).classes == names


@pytest.mark.parametrize(('paths', 'labels', 'told'), [
    (['1/a', '2/a', '10/a', '1/b'], [0, 1, 2, 0], ['1', '2', '10']),
    (['train/x/a', 'train/y/a'], [1, 0], ['y', 'x']),
    (['x/train/a', 'y/train/a'], [0, 1], ['x', 'y']),
    (['p/x/one/a', 'p/x/two/b', 'p/y/one/c'], [0, 0, 1], ['x', 'y']),
    (['d/a/flat/in/1', 'd/a/flat/out/1', 'd/b/hut/in/1'], [0, 1, 2], ['a/flat/in', 'a/flat/out', 'b/hut/in']),
    (['x/a', 'z/a'], [0, 2], ['x', None, 'z']),
    (['val/a', 'val/b'], [0, 1], [None, None]),
    (['a', 'b'], [0, 1], [None, None]),
    (['x/a', 'x/b', 'y/c'], [0, 1, 1], [None, None]),
    (['x/a', 'x/b'], [0, 0], [None]),
])  # fmt: skip
def test_what_paths_tell_of_labels(paths, labels, told):
    assert folder_of_each_class(paths, np.array(labels), len(told)) == told
