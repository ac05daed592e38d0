"""Which class is taken for which, as a picture: classes from the most to the fewest training images."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from mmlt.analysis.charts import segments, shortened
from mmlt.analysis.pages import Html, Plot, figure, responsive
from mmlt.analysis.pages.pictures import png_uri

NUMBERED = 14  # classes up to which each cell says its percentage
NAMED = 45  # and up to which rows have names on a wide screen
WIDE = 640  # pixels of the drawing for large screens
MOST = 200  # cells a side; more classes are taken together
RIGHT, WRONG = (22, 120, 196), (226, 92, 16)  # seen on white and on black


def share_matrix(true: Sequence[int], predicted: Sequence[int], images: Sequence[int], order: np.ndarray) -> np.ndarray:
    """(K, K) share of each true class's images by predicted class, both in `order`; a row of 0 for a class without any.

    Args:
        true, predicted, images: the cells that are not 0, see evaluation.json.
        order: (K,) class ids.
    """
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    counts = np.zeros((len(order), len(order)))
    np.add.at(counts, (place[np.asarray(true, dtype=np.int64)], place[np.asarray(predicted, dtype=np.int64)]), images)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def in_blocks(share: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most `most` rows and columns: neighbouring classes taken together, columns summed and rows averaged.

    A cell is then the mean share of its row's classes that goes to any of its column's classes.
    """
    size = len(share)
    if size <= most:
        return share
    edges = np.linspace(0, size, most + 1).round().astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(share, edges, axis=0), edges, axis=1)
    return sums / np.diff([*edges, size])[:, None]


def heat(share: np.ndarray) -> Image.Image:
    """The matrix as a picture: right predictions blue, wrong ones orange, the more the denser; nothing is see-through."""
    size = len(share)
    pixels = np.zeros((size, size, 4), dtype=np.uint8)
    pixels[..., :3] = WRONG
    pixels[np.arange(size), np.arange(size), :3] = RIGHT
    pixels[..., 3] = np.round(255 * np.clip(share, 0, 1) ** 0.5)
    return Image.fromarray(pixels, 'RGBA')


def confusion_plot(
    names: Sequence[str], counts: np.ndarray, cells: Mapping[str, Sequence[int]], groups: Mapping[str, Sequence[int]]
) -> Html:
    """The confusion matrix, each row as shares of its true class.

    Args:
        names: of the K classes.
        counts: (K,) training images.
        cells: `true`, `predicted`, `images` of the cells that are not 0.
        groups: shot group -> class ids.
    """
    order = np.argsort(-counts, kind='stable')
    share = share_matrix(cells['true'], cells['predicted'], cells['images'], order)
    shown = in_blocks(share)
    picture = png_uri(heat(shown))
    number = np.full(len(counts), -1)
    for n, ids in enumerate(groups.values()):
        number[np.asarray(ids, dtype=np.int64)] = n
    cuts = [start for start, _ in segments(number[order])][1:]
    own = [names[c] or str(c) for c in order]

    def draw(width: int) -> Plot:
        return _draw(width, own, share, picture, cuts if len(cuts) < len(groups) else [])

    words = (
        'Rows are true classes, columns predictions, both from the most to the fewest training images; a row adds up to '
        '100 %. Blue is right, orange wrong; the darker, the more; dashed lines part the shot groups.'
    )
    if len(shown) < len(share):
        words += f' {len(share):,} classes are shown in {len(shown)} blocks of neighbours.'
    return figure(responsive(draw, 'confusion matrix', WIDE), words)


def _draw(width: int, names: list[str], share: np.ndarray, picture: str, cuts: list[int]) -> Plot:
    size, wide = len(share), width > 500
    named = size <= NUMBERED or (wide and size <= NAMED)
    left = 12 + round(6.6 * max(len(shortened(name, 24 if wide else 12)) for name in names)) if named else 24
    side = width - left - 4
    cell = side / size
    flat = max(map(len, names)) * 7 < cell
    long = max(len(shortened(name, 14)) for name in names)
    below = 24 if not named or flat else 20 + round((5.2 if size <= NUMBERED else 6.6) * long)
    plot = Plot(width, side + 30 + below, (0, size), (0, size), margins=(left, width - left - side, 26, below + 4))
    plot.add(
        f'<image x="{plot.left}" y="{plot.top}" width="{side}" height="{side}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="{picture}"/>'
        f'<rect class="rule" x="{plot.left}" y="{plot.top}" width="{side}" height="{side}"/>'
    )
    for cut in cuts:
        across, down = plot.left + cut * cell, plot.top + cut * cell
        plot.add(f'<path class="cut" d="M{across:.1f} {plot.top}v{side}M{plot.left} {down:.1f}h{side}"/>')
    plot.label(plot.left, 14, 'true class ↓    predicted →', 'start', 'soft')
    if named:
        font = min(12.0, max(cell * 0.85, 8.0))
        plot.add(f'<g style="font-size:{font:.1f}px">')
        for place, name in enumerate(names):
            at = plot.top + (place + 0.5) * cell
            plot.label(plot.left - 6, at + font / 3, shortened(name, 24 if wide else 12), 'end')
            x = plot.left + (place + 0.5) * cell
            turn = -50 if size <= NUMBERED else -90
            if flat:
                plot.label(x, plot.bottom + 16, name)
            else:
                plot.label(x + font / 3, plot.bottom + (14 if turn == -50 else 7), shortened(name, 14), 'end', turn=turn)
        plot.add('</g>')
    if size <= NUMBERED:
        plot.add(f'<g style="font-size:{12 if wide else 9}px">')
        for row, column in zip(*np.nonzero(share >= 0.005), strict=True):
            percent, strong = f'{100 * share[row, column]:.0f}', share[row, column] > 0.4
            x, y = plot.left + (column + 0.5) * cell, plot.top + (row + 0.5) * cell + 4
            plot.label(x, y, percent, cls='bright' if strong else '')
        plot.add('</g>')
    return plot
