"""What a set of image files is: names, sizes and bytes; what is missing or broken in it; what is remembered of it."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from mmlt.datasets import ImageFolder, ImageList, LongTailedDataset, image_files
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache of the test's own."""
    folder = tmp_path_factory.mktemp('cache')
    monkeypatch.setenv('XDG_CACHE_HOME', str(folder))
    return folder / 'mmlt/images.json'


@pytest.fixture
def pictures(tmp_path):
    """Three pictures in each of two class folders, and a list of them."""
    root = tmp_path / 'pictures'
    for label, name in enumerate(('cat', 'dog')):
        (root / name).mkdir(parents=True)
        for number in range(3):
            Image.new('RGB', (9, 9), (80 * number, label, 0)).save(root / name / f'{number}.png')
    lines = [f'{name}/{number}.png {label}\n' for label, name in enumerate(('cat', 'dog')) for number in range(3)]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    return root


def folder(root, **more):
    return ImageFolder(root, image_size=8, name='x', **more)


def listed(root, **more):
    return ImageList(root, root.parent / 'list.txt', image_size=8, name='x', **more)


def subset(root):
    return LongTailedDataset(folder(root), imbalance_ratio=3)


def other_pixels(root):
    Image.new('RGB', (9, 9), (80, 0, 7)).save(root / 'cat/1.png')


def same_size(root):  # the last byte of IDAT's checksum and no more: not even the size tells
    content = bytearray((root / 'cat/1.png').read_bytes())
    content[40] ^= 1
    (root / 'cat/1.png').write_bytes(content)


def same_size_and_time(root):
    times = os.stat(root / 'cat/1.png')
    same_size(root)
    os.utime(root / 'cat/1.png', ns=(times.st_atime_ns, times.st_mtime_ns))


def swapped(root):
    os.rename(root / 'cat/1.png', root / 'y')
    os.rename(root / 'dog/1.png', root / 'cat/1.png')
    os.rename(root / 'y', root / 'dog/1.png')


@pytest.mark.parametrize('make', [folder, listed, subset])
@pytest.mark.parametrize('change', [other_pixels, same_size, same_size_and_time, swapped])
def test_other_images_by_the_same_names_are_another_set(make, change, pictures, monkeypatch):
    monkeypatch.setattr(image_files, 'SETTLED', 0)  # what was written a moment ago is remembered too
    before = make(pictures).fingerprint()
    assert make(pictures).fingerprint() == before
    change(pictures)
    after = make(pictures).fingerprint()
    assert after['content_sha256'] != before['content_sha256']
    assert after == {**before, 'content_sha256': after['content_sha256']}


def test_a_copy_elsewhere_with_other_times_is_the_same_set(pictures, tmp_path):
    before = folder(pictures).fingerprint()
    shutil.copytree(pictures, tmp_path / 'copy', copy_function=shutil.copy)
    for path in (tmp_path / 'copy').rglob('*.png'):
        os.utime(path, (1, 1))
    assert folder(tmp_path / 'copy').fingerprint() == before
    assert before['content'] == 'names, sizes and bytes of all 6 files'
    json.dumps(before)


def test_the_draw_of_a_subset_decides_too(pictures):
    whole = folder(pictures)
    assert subset(pictures).fingerprint()['content'] == 'names, sizes and bytes of all 4 files'
    assert whole.content_sha256(np.array([0, 1])) != whole.content_sha256(np.array([1, 0])) != whole.content_sha256()


def test_of_a_large_set_a_sample_is_read(pictures, monkeypatch):
    monkeypatch.setattr(image_files, 'WHOLE_FILES', 5)
    monkeypatch.setattr(image_files, 'SAMPLE_FILES', 2)
    drawn = sorted(np.random.RandomState(0).permutation(6)[:2].tolist())
    read = []
    monkeypatch.setattr(image_files, 'sha256_of', lambda file: read.append(file) or '00' * 32)
    data = folder(pictures)
    assert data.fingerprint()['content'] == 'names and sizes of all 6 files, bytes of a sample of 2 drawn with seed 0'
    assert sorted(read) == [data.file(place) for place in drawn]
    unread = next(place for place in range(6) if place not in drawn)
    with open(data.file(unread), 'ab') as file:  # a size is seen in any case
        file.write(b'x')
    assert folder(pictures).content_sha256() != data.content_sha256()


@pytest.mark.parametrize(('files', 'bytes_', 'expected'), [(100, 10**12, 6), (3, 10**12, 3), (100, 250, 2), (100, 5, 1)])
def test_the_sample_is_bounded_by_files_and_by_bytes(files, bytes_, expected, monkeypatch):
    monkeypatch.setattr(image_files, 'WHOLE_BYTES', 10)
    monkeypatch.setattr(image_files, 'SAMPLE_FILES', files)
    monkeypatch.setattr(image_files, 'SAMPLE_BYTES', bytes_)
    assert len(image_files.read_whole(np.full(6, 100))) == expected


def counting(monkeypatch):
    read, real = [], image_files.sha256_of
    monkeypatch.setattr(image_files, 'sha256_of', lambda file: read.append(file) or real(file))
    return read


def test_bytes_are_read_once_for_as_long_as_the_files_stay(pictures, cache, monkeypatch):
    monkeypatch.setattr(image_files, 'SETTLED', 0)
    read = counting(monkeypatch)
    first = folder(pictures).content_sha256()
    assert len(read) == 6 and cache.stat().st_size < 500
    assert folder(pictures).content_sha256() == first and len(read) == 6
    os.utime(pictures / 'cat/1.png')
    assert folder(pictures).content_sha256() == first and len(read) == 12


def test_the_files_of_a_large_list_are_asked_for_once_and_then_in_a_sample(pictures, cache, monkeypatch):
    monkeypatch.setattr(image_files, 'SETTLED', 0)
    monkeypatch.setattr(image_files, 'WHOLE_FILES', 5)
    monkeypatch.setattr(image_files, 'SAMPLE_FILES', 3)
    asked, real = [], image_files.facts_of
    monkeypatch.setattr(image_files, 'facts_of', lambda files: asked.append(len(files)) or real(files))
    first = folder(pictures)
    content = first.content_sha256()
    assert first.problems() == [] and asked == [6]
    again = folder(pictures)
    assert again.problems() == [] and again.content_sha256() == content and asked == [6, 3]
    for path in pictures.rglob('*.png'):
        os.utime(path)
    assert folder(pictures).problems() == [] and asked == [6, 3, 3, 6]  # the sample tells, and all are asked for
    for path in pictures.rglob('*.png'):
        path.unlink()
    assert len(listed(pictures).problems()) == 6 and len(listed(pictures).problems()) == 6  # what is missing is not kept
    for kept in (cache.parent / 'facts').iterdir():
        kept.write_bytes(b'damaged')
    assert len(listed(pictures).problems()) == 6


def test_what_has_just_changed_is_not_remembered(pictures, cache):
    folder(pictures).content_sha256()
    assert not cache.exists()


@pytest.mark.parametrize('damage', [
    b'', b'{', b'[1, 2]', b'\xff\xfe', b'[' * 100_000, b'VALUES:3', b'VALUES:"short"', b'VALUES:{"0": "is broken", "99": "x"}',
])  # fmt: skip
def test_a_damaged_cache_is_no_cache(damage, pictures, cache, monkeypatch):
    monkeypatch.setattr(image_files, 'SETTLED', 0)
    data = folder(pictures)
    first = data.content_sha256()
    assert data.problems() == [] and len(json.loads(cache.read_text())) == 2
    if damage.startswith(b'VALUES:'):
        damage = json.dumps(dict.fromkeys(json.loads(cache.read_text()), json.loads(damage[7:]))).encode()
    cache.write_bytes(damage)
    data = folder(pictures)
    assert data.content_sha256() == first and data.problems() == []


def test_a_cache_that_cannot_be_written_is_done_without(pictures, monkeypatch, tmp_path):
    monkeypatch.setattr(image_files, 'SETTLED', 0)
    (tmp_path / 'a file').write_text('')
    first = folder(pictures).content_sha256()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'a file'))
    assert folder(pictures).content_sha256() == first


BROKEN = {
    'is missing': lambda path: path.unlink(),
    'is a link to nothing': lambda path: (path.unlink(), path.symlink_to('gone.png')),
    'cannot be reached (Too many levels of symbolic links)': lambda path: (path.unlink(), path.symlink_to(path.name)),
    'is a folder': lambda path: (path.unlink(), path.mkdir()),
    'is a pipe, a socket or a device': lambda path: (path.unlink(), os.mkfifo(path)),
    'is empty': lambda path: path.write_bytes(b''),
    'cannot be read as an image (no kind of image is known that begins so)': lambda path: path.write_text('<html>'),
}


@pytest.mark.parametrize('said', BROKEN)
def test_what_is_wrong_with_a_file_is_said(said, pictures):
    BROKEN[said](pictures / 'cat/1.png')
    data = listed(pictures)
    assert data.problems() == [f'{pictures}/cat/1.png (line 2 of {pictures.parent}/list.txt) {said}']
    assert data.problems(np.array([0, 2, 5])) == []
    assert LongTailedDataset(listed(pictures), profile='natural').problems() == data.problems()


def half(path):
    path.write_bytes(path.read_bytes()[:-30])


def test_every_pixel_is_read_where_that_is_asked_for(pictures):
    half(pictures / 'dog/0.png')
    half(pictures / 'dog/2.png')
    assert folder(pictures).problems() == []  # they begin as images
    found = folder(pictures, check='pixels').problems()
    assert [text.split(' cannot')[0] for text in found] == [f'{pictures}/dog/{n}.png' for n in (0, 2)]


def test_broken_images_are_left_out_and_counted_where_that_is_asked_for(pictures):
    half(pictures / 'dog/0.png')
    (pictures / 'cat/2.png').unlink()
    data = listed(pictures, on_broken='skip', classes=['cat', 'dog'])
    assert [data.path(place) for place in range(len(data))] == ['cat/0.png', 'cat/1.png', 'dog/1.png', 'dog/2.png']
    assert data.labels.tolist() == [0, 0, 1, 1] and data.class_counts == [2, 2] and data.skipped == {'broken images': 2}
    assert data.left_out[0] == f'{pictures}/cat/2.png (line 3 of {pictures.parent}/list.txt) is missing'
    assert data.where(3) == f' (line 6 of {pictures.parent}/list.txt)' and data[3][1] == 1 and data.problems() == []
    (pictures.parent / 'list.txt').write_text('cat/0.png 0\ncat/1.png 0\ndog/1.png 1\ndog/2.png 1\n')
    assert data.fingerprint() == listed(pictures).fingerprint()
    for path in pictures.rglob('*.png'):
        path.write_text('no picture')
    with pytest.raises(UserError, match='none of the 4 images of x can be read: .*cat/0.png'):
        listed(pictures, on_broken='skip')


def test_broken_pixels_are_remembered_too(pictures, monkeypatch):
    monkeypatch.setattr(image_files, 'SETTLED', 0)
    half(pictures / 'dog/0.png')
    first = folder(pictures, check='pixels').problems()
    monkeypatch.setattr(StreamingDataset, '__getitem__', lambda data, item: 1 / 0)
    assert folder(pictures, check='pixels').problems() == first


def test_a_set_of_ones_own_may_read_other_files(pictures):
    class Arrays(StreamingDataset):
        def __getitem__(self, item):
            raise UserError(f'{self.file(item)} holds no array.')

    (pictures / 'x.npy').write_bytes(b'values')
    args = ('own', pictures, ['x.npy'], np.array([0]), ('a',))
    assert Arrays(*args).problems() == [] and len(Arrays(*args).content_sha256()) == 64
    assert Arrays(*args, check='pixels').problems() == [f'{pictures}/x.npy holds no array']


def test_a_missing_file_has_no_content(pictures):
    (pictures / 'cat/1.png').unlink()
    with pytest.raises(UserError, match='cat/1.png .*is missing: correct data_root'):
        listed(pictures).content_sha256()
