"""What pages are made of: everything escaped, pictures whole and small, plots where their numbers say."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from mmlt.analysis.pages import (
    Html,
    Plot,
    Thumbnail,
    folded,
    legend,
    page,
    picture_uri,
    section,
    table,
    tag,
    thumbnails,
)
from mmlt.analysis.pages.plot import Scale, axis_end

EVIL = '<script>alert("1")</script>\'&'


def opened(uri):
    kind, content = re.fullmatch(r'data:image/(\w+);base64,(.*)', uri).groups()
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert picture.format == kind.upper()
    return picture


def test_text_is_escaped_and_html_is_not():
    plot = Plot(300, 200, (0, 1), (0, 1))
    plot.points([0], [0], 1, names=[EVIL])
    plot.x_axis(EVIL)
    whole = page(EVIL, section(EVIL, tag('p', EVIL)), folded(EVIL, table([EVIL], [[EVIL]])), plot.html(EVIL),
                 legend([(1, EVIL)]), thumbnails([Thumbnail('data:', (EVIL, EVIL), EVIL)]), subtitle=EVIL)  # fmt: skip
    assert '<script' not in whole and 'alert("' not in whole and whole.count('&lt;script&gt;') == 15
    assert tag('p', Html('<b>x</b>'), 'a<b', cls='c', aria_label='"') == '<p class="c" aria-label="&quot;"><b>x</b>a&lt;b</p>'


def test_a_part_without_content_is_no_part():
    assert section('a') == section('a', None, Html('')) == folded('a') == ''


@pytest.mark.parametrize('shape', [(3, 20, 30), (20, 30, 3), (1, 20, 30), (20, 30, 1), (20, 30)])
def test_every_layout_of_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = opened(picture_uri(pixels))
    plain = {3: pixels, 1: pixels}.get(shape[-1], pixels.transpose(1, 2, 0) if len(shape) == 3 else pixels[:, :, None])
    assert picture.size == (30, 20)
    assert np.array_equal(np.asarray(picture.convert('RGB')), np.broadcast_to(plain, (20, 30, 3)))  # small: lossless


def test_a_large_picture_becomes_small_and_a_small_one_stays():
    ramp = np.add.outer(np.arange(300), np.arange(900))[..., None].repeat(3, axis=2) / 1200 * 255
    picture = opened(picture_uri(ramp.astype(np.uint8), side=96))
    assert picture.size == (96, 32) and picture.format == 'JPEG'
    exact = np.asarray(Image.fromarray(ramp.astype(np.uint8)).resize((96, 32), Image.Resampling.LANCZOS), dtype=float)
    assert np.abs(np.asarray(picture, dtype=float) - exact).max() < 12
    assert opened(picture_uri(np.zeros((8, 8), np.uint8))).size == (8, 8)
    assert Thumbnail.of(np.zeros((8, 8), np.uint8), alt='').tiny and not Thumbnail.of(np.zeros((32, 32), np.uint8), alt='').tiny


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match='uint8'):
        picture_uri(np.zeros((3, 4, 4)))
    with pytest.raises(ValueError, match=r'\(4, 4, 2\)'):
        picture_uri(np.zeros((4, 4, 2), np.uint8))


@pytest.mark.parametrize(
    ('scale', 'ticks'),
    [
        (Scale(0, 100, 0, 1), [0, 20, 40, 60, 80, 100]),
        (Scale(0, 1, 0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Scale(3, 5, 0, 1), [3, 3.5, 4, 4.5, 5]),
        (Scale(0.5, 2000, 0, 1, True), [1, 10, 100, 1000]),
        (Scale(2, 20, 0, 1, True), [2, 5, 10, 20]),
        (Scale(7, 7, 0, 1), [7]),
    ],
)
def test_ticks_are_round_numbers_within(scale, ticks):
    assert scale.ticks() == pytest.approx(ticks)


def test_points_stand_where_their_numbers_say():
    plot = Plot(240, 140, (1, 100), (0, 10), log='x', margins=(20, 20, 20, 20))
    plot.points([1, 10, 100], [0, 5, float('nan')], 2)
    plot.line([1, 10, 100, 100], [0, float('nan'), 5, 10], 1)
    found = plot.html('')
    assert re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', found) == [('20.0', '120.0'), ('120.0', '70.0')]
    assert 'd="M20.0 120.0M220.0 70.0L220.0 20.0"' in found  # broken where there is no value


def test_the_end_of_an_axis():
    assert [axis_end(v) for v in ([0.3], [87], [float('nan'), 2.4], [], [0], [-1])] == pytest.approx(
        [0.3, 100, 3, 1, 1, 1]
    )
