"""Several pieces of each image: decoded once, each by a draw of its own, from files and from a pack."""

import io

import numpy as np
import pytest
from commands import call
from PIL import Image

from mmlt.datasets import ImageFolder, scaling
from mmlt.datasets.packed import PackedImages
from mmlt.datasets.scaling import random_box, show_with_opencv
from mmlt.errors import UserError

AREAS = [(0.08, 1.0), (0.2, 1.0), (0.1, 0.3)]
CUT = dict(image_size=28, crop='random_resized', crop_area=AREAS)


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Two classes of three pictures, one of them lying on its side, one a PNG called .jpg, and one in the colours of print."""
    root, exif = tmp_path_factory.mktemp('photos'), Image.Exif()
    exif[0x0112] = 6
    more = {1: dict(exif=exif), 2: dict(format='PNG')}
    for number in range(6):
        (root / 'ab'[number % 2]).mkdir(exist_ok=True)
        image = picture(90 + 10 * number, 120, number)
        image = image.convert('CMYK') if number == 3 else image
        image.save(root / 'ab'[number % 2] / f'{number}.jpg', **more.get(number, {}))
    return root


def reference(file, view: int, key: int) -> np.ndarray:
    """A view by Pillow alone, and by a box that is drawn here."""
    with Image.open(file) as source:
        upright = source.convert('RGB')
    if file.endswith('1.jpg'):
        upright = upright.transpose(Image.Transpose.ROTATE_270)
    words = np.random.SeedSequence([0, key], spawn_key=() if view == 0 else (view,))
    draws = np.random.Generator(np.random.PCG64(words))
    width, height = upright.size
    for _ in range(10):
        low, high = AREAS[view]
        area = (low + (high - low) * draws.random()) * width * height
        ratio = (3 / 4) * (16 / 9) ** draws.random()
        w, h = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if w <= width and h <= height:
            left, top = (width - w) * draws.random(), (height - h) * draws.random()
            break
    else:
        w = h = min(width, height)
        left, top = (width - w) / 2, (height - h) / 2
    return np.asarray(upright.resize((28, 28), Image.Resampling.BILINEAR, box=(left, top, left + w, top + h))).astype(int)


def test_each_view_is_a_piece_of_its_own_of_the_whole_picture(photos):
    exact, fast = (ImageFolder(photos, **CUT, backend=backend) for backend in ('pillow', 'opencv'))
    assert exact.views == 3 and exact.item_shape == (3, 28, 28, 3)
    for place in range(len(exact)):
        for key in (0, 5, 2**33 + 7):
            views, quick = exact[place, key][0], fast[place, key][0]
            assert views.shape == quick.shape == (3, 3, 28, 28)
            for view in range(3):
                expected = reference(exact.file(place), view, key)
                assert np.abs(views[view].permute(1, 2, 0).numpy() - expected).max() <= 1  # a box differs in the last digit
                assert np.abs(quick[view].permute(1, 2, 0).numpy() - expected).mean() < 8


def test_the_first_view_is_the_only_one_of_one_view(photos):
    for backend in ('pillow', 'opencv'):  # of pictures that no piece is decoded smaller of
        one, three = (ImageFolder(photos, **{**CUT, 'crop_area': area}, backend=backend) for area in (AREAS[0], AREAS))
        assert one.views == 1 and one.item_shape == (28, 28, 3) and [AREAS[0]] == one.crop_area
        alone, several = np.empty((6, 28, 28, 3), np.uint8), np.empty((6, 3, 28, 28, 3), np.uint8)
        one.read_into(range(6), range(6), alone)
        three.read_into(range(6), range(6), several)
        if backend == 'pillow':
            assert np.array_equal(several[:, 0], alone)
        for place in range(6):
            assert np.array_equal(one[place, place][0].permute(1, 2, 0), alone[place])
            assert np.array_equal(three[place, place][0].permute(0, 2, 3, 1), several[place])
    assert three[0][0].shape == (3, 28, 28) and three.as_tested().views == 1 == three.as_tested()[0, 3][0].dim() - 2


def test_a_pack_gives_the_views_of_its_files(photos, tmp_path):
    pack = tmp_path / 'photos.pack'
    assert call('pack_images.py', pack, '--root', photos, '--side', 200, '--workers', 1).code == 0
    packed, files = PackedImages(pack, **CUT), ImageFolder(photos, **CUT)
    for place in range(6):
        kept = files.path(place) in ('a/0.jpg', 'a/4.jpg', 'b/5.jpg')  # those of the others are packed anew
        difference = np.abs(packed[place, 3][0].numpy().astype(int) - files[place, 3][0].numpy())
        assert difference.max() == 0 if kept else difference.mean() < 4
        assert packed[place, 3][0].shape == (3, 3, 28, 28)


def test_a_picture_is_decoded_once_at_the_scale_that_serves_every_piece(monkeypatch):
    stream, calls = io.BytesIO(), []
    pixels = picture(400, 480)
    pixels.save(stream, 'JPEG', quality=95, subsampling=0)
    decode = scaling.decode
    monkeypatch.setattr(scaling, 'decode', lambda *given: calls.append(given[2]) or decode(*given))

    def shown(*boxes) -> np.ndarray:
        out = np.empty((len(boxes), 24, 24, 3), np.uint8)
        show_with_opencv(stream.getvalue(), lambda width, height: boxes, out, 'x')
        return out

    whole, half, small = (0, 0, 480, 400), (100, 100, 196, 200), (30, 40, 54, 64)
    both = shown(whole, small)
    assert calls == [1]
    with Image.open(stream) as source:
        assert np.array_equal(both[1], np.asarray(source)[40:64, 30:54])  # as sharp as the picture itself
        soft = source.resize((24, 24), Image.Resampling.BOX)
    assert np.abs(both[0].astype(int) - np.asarray(soft)).mean() < 3
    assert np.array_equal(both[1], shown(small)[0])
    shown(whole, half)
    shown(whole)
    assert calls[2:] == [4, 8]


def test_no_two_views_of_a_run_share_a_draw():
    boxes = {
        random_box(1000, 1000, 0, (seed << 64) + (epoch << 32) + place, view=view)
        for seed in (0, 1, 7) for epoch in range(4) for place in range(40) for view in range(4)
    }  # fmt: skip
    assert len(boxes) == 3 * 4 * 40 * 4
    pieces = np.array([[random_box(1000, 1000, 0, key, (0.1, 0.2), view) for key in range(400)] for view in range(3)])
    for one in range(3):
        for other in range(one):  # the sides and places of 400 pieces are not related: 5 deviations of a correlation
            for value in range(4):
                assert abs(np.corrcoef(pieces[one, :, value], pieces[other, :, value])[0, 1]) < 0.25
    assert random_box(60, 40, 2, 9) == random_box(60, 40, 2, 9, view=0) != random_box(60, 40, 2, 9, view=1)


def test_what_is_no_list_of_pairs_is_refused(photos):
    for wrong in ([], [0.1], [(0.1, 1), 0.5], [(0.1, 1), (0.5, 0.2)], [[(0.1, 1)]]):
        with pytest.raises(UserError, match='one for each view of an image; not '):
            ImageFolder(photos, **{**CUT, 'crop_area': wrong})
