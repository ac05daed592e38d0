"""What became of each class, against how often it is in the training set: the plot that long tails are about."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmlt.analysis.charts import Series, segments, shortened, smoothed
from mmlt.analysis.pages import Html, Plot, axis_end, figure, legend, responsive
from mmlt.analysis.pages.plot import Scale

NAMED = 24  # up to here each class has its interval, and on a phone too its name
UPRIGHT = 64  # up to here a wide plot has every name, upright
MANY = 300  # from here on only the first run's classes are shown one by one
CROWD = 1500  # from here on they are dots without a name under the pointer
LETTER = 6.8  # pixels of a letter, about
Z = 1.959964  # of a two-sided interval of 95 %


def frequency_plot(
    names: Sequence[str], counts: np.ndarray, series: Sequence[Series], groups: Mapping[str, Sequence[int]], measure: str,
    test_images: np.ndarray | None = None, caption: str | None = None,
) -> Html:  # fmt: skip
    """Each class's measure, classes sorted by their training images; grey bars behind show these on a logarithmic axis.

    Up to 24 classes stand with their names and, for accuracies, the interval their test images leave; more are points; many
    are faint points below a running mean that stays inside a shot group.

    Args:
        names: of the K classes.
        counts: (K,) training images.
        series: runs, values (K,) in percent, NaN where there is none; at most six.
        groups: shot group -> class ids.
        measure: what the values are, for instance `accuracy`.
        test_images: (K,) test images, for intervals of accuracies; None for no intervals.
        caption: what to add below.
    """
    order = np.argsort(-counts, kind='stable')
    drawing = _Drawing(names, counts, series, groups, measure, test_images, order)
    entries = [(n, _in_words(one, len(series))) for n, one in enumerate(series, start=1)]
    alt = f'{measure} of each class, from the most to the fewest training images'
    key = legend([*entries, (0, 'training images (right axis)')], 'both' if len(counts) <= UPRIGHT else 'line')
    words = [f'Classes from the most ({counts.max():,}) to the fewest ({counts.min():,}) training images.']
    if len(counts) <= NAMED and test_images is not None:
        words.append('Upright lines: 95 % intervals by the number of test images (Wilson).')
    if len(counts) > NAMED:
        words.append(f'Lines: running mean over {drawing.window} neighbours of the same group; points: single classes.')
    return figure(responsive(drawing.draw, alt), ' '.join([*words, caption or '']).strip(), key)


def wilson(share: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of a share seen in `number` draws, NaN for none.

    Args:
        share: (K,) in [0, 1].
        number: (K,) draws.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    number = np.where(number > 0, number, np.nan)
    middle = (share + Z**2 / (2 * number)) / (1 + Z**2 / number)
    half = Z / (1 + Z**2 / number) * np.sqrt(share * (1 - share) / number + Z**2 / (4 * number**2))
    return middle - half, middle + half


def _in_words(one: Series, number: int) -> str:
    if np.isnan(one.values).all():
        return one.name
    return f'{one.name} (mean {np.nanmean(one.values):.1f} %)' if number <= 3 else one.name


class _Drawing:
    """See `frequency_plot`."""

    def __init__(self, names, counts, series, groups, measure, test_images, order) -> None:  # noqa: ANN001
        self.names = [names[c] or str(c) for c in order]
        self.counts = counts[order]
        self.series = [Series(one.name, one.values[order]) for one in series]
        self.measure = measure
        self.test_images = None if test_images is None else test_images[order]
        self.group_names = list(groups)
        number = np.full(len(counts), -1)
        for n, ids in enumerate(groups.values()):
            number[np.asarray(ids, dtype=np.int64)] = n
        self.group_of = number[order]
        highest = np.nanmax([np.nanmax(one.values, initial=0) for one in series])
        self.top = 100 if highest > 50 else axis_end([1.1 * highest])
        self.window = max(7, 2 * (len(counts) // 30) + 1)

    def draw(self, width: int) -> Plot:
        """The drawing of one width."""
        size, wide = len(self.counts), width > 500
        named = size <= NAMED or (wide and size <= UPRIGHT)
        turn, below = self._turn_of_names(width, wide) if named else (0, 46)
        plot = Plot(width, (330 if wide else 250) + below, (-0.6, size - 0.4), (0, self.top), margins=(34, 40, 46, below))
        frequency = Scale(0.5, max(self.counts.max(), 1) * 1.5, plot.bottom, plot.top, log=True)
        tops = np.maximum(self.counts, 0.5)
        if size <= NAMED:
            plot.bars(np.arange(size) - 0.42, np.arange(size) + 0.42, tops, frequency)
        else:
            plot.outline(np.arange(size + 1) - 0.5, tops, frequency)
        plot.y_axis(f'{self.measure} (%)')
        plot.y_axis('training images', lambda value: f'{value:g}', frequency)
        if named:
            self._write_names(plot, wide, turn)
        else:
            plot.x_axis('rank of the class by training images', ticks=[v for v in plot.x.ticks(8) if 0 <= v < size])
        self._draw_groups(plot)
        for number in range(len(self.series), 0, -1):  # the first on top
            self._draw_run(plot, number, wide)
        return plot

    def _turn_of_names(self, width: int, wide: bool) -> tuple[int, int]:
        """By how many degrees the names are turned, and the space they need."""
        slot = (width - 74) / len(self.names)
        if max(map(len, self.names)) * LETTER + 8 < slot:
            return 0, 28
        longest = LETTER * max(len(shortened(name, 22 if wide else 16)) for name in self.names)
        return (-90, round(longest) + 16) if slot < 17 else (-50, round(0.77 * longest) + 24)

    def _write_names(self, plot: Plot, wide: bool, turn: int) -> None:
        plot.add(f'<path class="rule" d="M{plot.left} {plot.bottom}H{plot.right}"/>')
        for place, name in enumerate(self.names):
            x, words = plot.x(place), shortened(name, 22 if wide else 16)
            if not turn:
                plot.label(x, plot.bottom + 18, words)
            else:
                plot.label(x + 4, plot.bottom + (8 if turn == -90 else 14), words, 'end', turn=turn)

    def _draw_groups(self, plot: Plot) -> None:
        parts = segments(self.group_of)
        end = -1e9
        for start, stop in parts:
            if start:
                plot.cut(start - 0.5)
            # Groups cut by index, not by count, interleave here: then only the borders are drawn.
            if self.group_of[start] >= 0 and len(parts) <= len(self.group_names):
                name = self.group_names[self.group_of[start]]
                words, x = f'{name} ({stop - start})', plot.x((start + stop - 1) / 2)
                half = 3.4 * len(words)
                x = min(max(x, plot.left + half - 8), plot.right - half + 8)
                up = 22 if x - half < end else 6
                plot.label(x, plot.top - up, words, cls='soft')
                end = x + half + 6 if up == 6 else end

    def _draw_run(self, plot: Plot, number: int, wide: bool) -> None:
        values, size = self.series[number - 1].values, len(self.counts)
        places = np.arange(size, dtype=float)
        if size <= NAMED:
            places += (number - (len(self.series) + 1) / 2) * min(0.24, 0.7 / len(self.series))
            if self.test_images is not None:
                low, high = (100 * end for end in wilson(values / 100, self.test_images))
                plot.whiskers(places, low, np.minimum(high, self.top), number)
            plot.line(places, values, number)
            plot.points(places, values, number, 4.5 if wide else 3.5, self._tips(number), hollow=number > 1)
        elif size <= UPRIGHT:
            self._draw_mean(plot, number)
            plot.points(places, values, number, 3.8 if wide else 2.4, self._tips(number), hollow=number > 1)
        else:
            if number == 1 or size <= MANY:
                self._draw_crowd(plot, number, wide)
            self._draw_mean(plot, number)

    def _draw_mean(self, plot: Plot, number: int) -> None:
        run = smoothed(self.series[number - 1].values, self.group_of, self.window)
        for start, stop in segments(self.group_of):
            plot.line(range(start, stop), run[start:stop], number)

    def _draw_crowd(self, plot: Plot, number: int, wide: bool) -> None:
        values, size = self.series[number - 1].values, len(self.counts)
        radius = (3 if size <= MANY else 2) * (1 if wide else 0.7)
        opacity = 0.45 if size <= MANY else 0.3
        if size < CROWD:
            tips = self._tips(number) if wide else None  # there is no pointer on a phone
            plot.points(range(size), values, number, radius, tips, opacity=opacity)
        else:
            plot.dots(range(size), values, number, radius, opacity)

    def _tips(self, number: int) -> list[str]:
        one = self.series[number - 1]
        return [
            f'{name}: {self.measure} {value:.1f} %, {count:,} training images ({one.name})'
            for name, value, count in zip(self.names, one.values, self.counts, strict=True)
        ]
