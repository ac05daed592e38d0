"""Sets that are read from image files: lists and class folders."""

import hashlib
import lzma

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.datasets import ImageFolder, ImageList, LongTailedDataset
from mmlt.errors import UserError


@pytest.fixture
def pictures(tmp_path):
    """Six smooth pictures of several shapes in two class folders, and a list of them."""
    shapes = [(40, 60), (60, 40), (48, 48), (30, 90), (64, 64), (50, 41)]
    lines = []
    for number, (height, width) in enumerate(shapes):
        folder = ('cat', 'a dog')[number % 2]
        (tmp_path / folder).mkdir(exist_ok=True)
        ramp = np.linspace(0, 200, width)[None, :, None] + np.linspace(0, 50, height)[:, None, None] + [[[0, 2, 5]]]
        Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / folder / f'{number}.png')
        lines.append(f'{folder}/{number}.png {number % 2}')
    (tmp_path / 'list.txt').write_text('\n'.join(lines) + '\n\n')
    (tmp_path / 'list.txt.xz').write_bytes(lzma.compress((tmp_path / 'list.txt').read_bytes()))
    return tmp_path


@pytest.mark.parametrize('name', ['list.txt', 'list.txt.xz'])
def test_a_list_keeps_its_order(pictures, name):
    dataset = ImageList(pictures, name, classes=['cat', 'dog'], image_size=28)
    assert dataset.labels.tolist() == [0, 1, 0, 1, 0, 1] and len(dataset) == 6
    assert dataset.metainfo['class_counts'] == [3, 3] and dataset.metainfo['classes'] == ('cat', 'dog')
    assert [dataset.path(i) for i in range(2)] == ['cat/0.png', 'a dog/1.png']
    assert not dataset.resident and dataset.metainfo['dataset'] == 'list'
    files = [(pictures / dataset.path(i)).read_bytes() for i in range(6)]
    lines = b''.join(f'{dataset.path(i)} {i % 2} {len(files[i])}\n'.encode() for i in range(6))
    inside = hashlib.sha256(b''.join(hashlib.sha256(content).digest() for content in files)).hexdigest()
    assert dataset.fingerprint()['content_sha256'] == hashlib.sha256(lines + inside.encode()).hexdigest()
    assert ImageList(pictures, pictures / name).metainfo['classes'] == ('0', '1')
    assert ImageList(pictures, name, num_classes=5).metainfo['class_counts'] == [3, 3, 0, 0, 0]


def test_decoding_scales_the_shorter_side_and_cuts_out_the_middle(pictures):
    dataset = ImageList(pictures, 'list.txt', image_size=28)
    assert dataset.resize == 32
    for place in range(6):
        image, label = dataset[place]
        assert image.shape == (3, 28, 28) and image.dtype == torch.uint8 and image.is_contiguous()
        assert type(label) is int
        with Image.open(pictures / dataset.path(place)) as source:
            scale = 32 / min(source.size)
            scaled = source.resize([round(side * scale) for side in source.size], Image.Resampling.BILINEAR)
        left, top = (scaled.width - 28) / 2, (scaled.height - 28) / 2
        expected = np.asarray(scaled.crop((round(left), round(top), round(left) + 28, round(top) + 28)), dtype=int)
        # The slow way rounds the scaled size and the corner to whole pixels: less than one pixel of a ramp.
        assert np.abs(image.permute(1, 2, 0).numpy() - expected).max() <= 200 / 32
        assert np.abs(image.permute(1, 2, 0).numpy() - expected).mean() <= 200 / 32 / 2
    square, _ = dataset[2]
    with Image.open(pictures / 'cat/2.png') as source:
        exact = source.resize((32, 32), Image.Resampling.BILINEAR).crop((2, 2, 30, 30))
    assert np.abs(square.permute(1, 2, 0).numpy().astype(int) - np.asarray(exact, dtype=int)).max() <= 1


def test_random_crops_depend_on_the_key_alone(pictures):
    dataset = ImageList(pictures, 'list.txt', image_size=28, crop='random_resized')
    again = ImageList(pictures, 'list.txt', image_size=28, crop='random_resized')
    again[3, 7]
    assert torch.equal(dataset[4, 2**33 + 5][0], again[4, 2**33 + 5][0])
    views = {dataset[4, key][0].numpy().tobytes() for key in range(20)}
    assert len(views) == 20
    other = ImageList(pictures, 'list.txt', image_size=28, crop='random_resized', crop_seed=1)
    assert not torch.equal(dataset[4, 0][0], other[4, 0][0])
    assert torch.equal(dataset[4][0], ImageList(pictures, 'list.txt', image_size=28)[4][0])
    for key in range(200):
        left, top, right, bottom = dataset._random_box(60, 40, key)
        assert 0 <= left < right <= 60 and 0 <= top < bottom <= 40
        assert 0.08 - 1e-9 <= (right - left) * (bottom - top) / 2400 <= 1
        assert 3 / 4 - 1e-9 <= (right - left) / (bottom - top) <= 4 / 3 + 1e-9


def test_the_area_of_a_random_piece(pictures):
    options = dict(image_size=28, crop='random_resized')
    usual = ImageList(pictures, 'list.txt', **options)
    dataset = ImageList(pictures, 'list.txt', **options, crop_area=(0.05, 0.3))
    areas, draws = [], (np.random.Generator(np.random.PCG64([0, key])).random() for key in range(300))
    for key, drawn in enumerate(draws):
        left, top, right, bottom = dataset._random_box(1000, 1000, key)
        areas.append((right - left) * (bottom - top) / 1e6)
        assert areas[-1] == pytest.approx(0.05 + 0.25 * drawn)  # on a square as small a piece fits at once
    assert min(areas) < 0.06 and max(areas) > 0.29
    same = ImageList(pictures, 'list.txt', **options, crop_area=[0.08, 1])
    for key in range(5):
        assert torch.equal(usual[4, key][0], same[4, key][0]) and not torch.equal(usual[4, key][0], dataset[4, key][0])
    assert torch.equal(usual[4][0], dataset[4][0])
    folder = ImageFolder(pictures, **options, crop_area=(0.05, 0.3))
    assert folder._random_box(60, 40, 7) == dataset._random_box(60, 40, 7)
    for wrong in (0.05, (0, 1), (0.5, 0.2), (0.5, 1.5), ('a', 1)):
        with pytest.raises(UserError, match='crop_area is the least and the largest part'):
            ImageList(pictures, 'list.txt', **options, crop_area=wrong)


def test_class_folders_are_sorted(pictures):
    (pictures / '.hidden').mkdir()
    (pictures / 'cat' / 'deeper').mkdir()
    Image.new('L', (40, 40), 9).save(pictures / 'cat' / 'deeper' / 'x.JPG', format='JPEG')
    (pictures / 'cat' / 'notes.md').write_text('no image')
    dataset = ImageFolder(pictures, image_size=28)
    assert dataset.metainfo['classes'] == ('a dog', 'cat') and dataset.metainfo['class_counts'] == [3, 4]
    assert [dataset.path(i) for i in range(7)] == [
        'a dog/1.png', 'a dog/3.png', 'a dog/5.png', 'cat/0.png', 'cat/2.png', 'cat/4.png', 'cat/deeper/x.JPG'
    ]
    image, label = dataset[6]
    assert image.unique().tolist() == [9] and image.shape == (3, 28, 28) and label == 1


def test_a_long_tail_of_a_streaming_set(pictures):
    whole = ImageList(pictures, 'list.txt', image_size=28, crop='random_resized')
    subset = LongTailedDataset(whole, imbalance_ratio=3)
    assert subset.class_counts == [3, 1] and not subset.resident
    place = int(subset.indices[3])
    assert torch.equal(subset[3][0], whole[place][0]) and torch.equal(subset[3, 9][0], whole[place, 9][0])
    assert subset.fingerprint()['num_images'] == 4
    with pytest.raises(UserError, match='image by image'):
        subset.tensors()


@pytest.mark.parametrize(
    ('lines', 'options', 'message'),
    [
        ('cat/0.png 0\ncat/0.png\n', {}, "line 2 of .* is not a path and a label"),
        ('cat/0.png 0\ncat/2.png x', {}, 'line 2 of .* is not a path and a label'),
        ('cat/0.png -1', {}, 'line 1 of .* is not a path and a label'),
        ('cat/0.png 0\n\ncat/2.png 2', dict(num_classes=2), r'line 3 of .* label 2, but there are 2 classes'),
        ('cat/0.png 1', dict(classes=['cat']), r'line 1 of .* label 1'),
        ('cat/0.png 0', dict(classes=['cat'], num_classes=2), 'give one of them'),
        ('\n', {}, 'names no image'),
        ('cat/0.png 0', dict(crop='corner'), 'center, random_resized'),
        ('cat/0.png 0', dict(resize=10), 'at most resize'),
    ],
)
def test_wrong_lists_are_refused(pictures, lines, options, message):
    (pictures / 'wrong.txt').write_text(lines)
    with pytest.raises(UserError, match=message):
        ImageList(pictures, 'wrong.txt', **options)


def test_missing_and_damaged_files_are_named(pictures):
    with pytest.raises(UserError, match='no folder .*none'):
        ImageList(pictures / 'none', 'list.txt')
    with pytest.raises(UserError, match='no annotation list other.txt'):
        ImageList(pictures, 'other.txt')
    (pictures / 'broken.txt.xz').write_bytes((pictures / 'list.txt.xz').read_bytes()[:40])
    with pytest.raises(UserError, match='broken.txt.xz cannot be read'):
        ImageList(pictures, 'broken.txt.xz')
    dataset = ImageList(pictures, 'list.txt')
    (pictures / 'cat/2.png').unlink()
    with pytest.raises(UserError, match=r'no image .*cat/2.png \(line 3 of .*list.txt\)'):
        dataset[2]
    (pictures / 'cat/4.png').write_bytes((pictures / 'cat/0.png').read_bytes()[:80])
    with pytest.raises(UserError, match=r'cat/4.png \(line 5 of .*list.txt\) cannot be read as an image'):
        dataset[4]


def test_wrong_folders_are_refused(pictures, tmp_path_factory):
    with pytest.raises(UserError, match='no folder'):
        ImageFolder(pictures / 'none')
    with pytest.raises(UserError, match='no class folder'):
        ImageFolder(tmp_path_factory.mktemp('empty'))
    (pictures / 'bird').mkdir()
    with pytest.raises(UserError, match='bird holds no image'):
        ImageFolder(pictures)
