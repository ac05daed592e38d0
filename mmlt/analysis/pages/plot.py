"""Plots as SVG inside a page: sharp at every size, in the page's own colours in light and dark, a name under the pointer."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from mmlt.analysis.pages.parts import Html, tag

SERIES = 6  # colours there are
DASHES = ('', '7 4', '2 4', '9 3 2 3', '', '7 4')  # tell lines apart without colour
WIDE, NARROW = 1000, 400  # widths of a plot's two drawings


class Scale(NamedTuple):
    """Numbers to places: `low` is at `start`, `high` at `end`, by the logarithm where `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a number."""
        low, high, value = (math.log(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within, about `most` of them."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            span = math.log10(self.high / self.low)
            steps = (1, 2, 5) if span < 1.6 else (1, 3) if span < 2.3 else (1,)
            found = [step * 10.0**decade for decade in decades for step in steps]
        else:
            rough = (self.high - self.low) / max(most, 1) or 1.0
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
            first = math.ceil(self.low / step - 1e-9)
            found = [round(n * step, 10) for n in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [value for value in found if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9) or value == 0 >= self.low]


class Plot:
    """One drawing.

    Args:
        width, height: in CSS pixels of the whole.
        x, y: lowest and highest number of each axis.
        log: axes (`x`, `y`, `xy`) that are logarithmic.
        margins: space on the left, on the right, above and below the axes.
    """

    def __init__(
        self, width: int, height: int, x: tuple[float, float], y: tuple[float, float], log: str = '',
        margins: tuple[int, int, int, int] = (44, 14, 30, 46),
    ) -> None:  # fmt: skip
        left, right, top, bottom = margins
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = left, width - right, top, height - bottom
        self.x = Scale(*x, self.left, self.right, 'x' in log)
        self.y = Scale(*y, self.bottom, self.top, 'y' in log)
        self._parts: list[str] = []

    @property
    def wide(self) -> bool:
        """Whether it is the drawing for wide screens."""
        return self.width > NARROW + 100

    def add(self, markup: str) -> None:
        """SVG as it is."""
        self._parts.append(markup)

    def label(self, x: float, y: float, words: str, anchor: str = 'middle', cls: str = '', turn: float = 0) -> None:
        """Text at a place in pixels."""
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ''
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{cls}"{turned}>{escape(words)}</text>')

    def y_axis(
        self, title: str, form: Callable[[float], str] = '{:g}'.format, scale: Scale | None = None, grid: bool = True
    ) -> None:
        """Numbers on the left with lines across, or of another `scale` on the right without."""
        own, right = scale or self.y, scale is not None
        for value in own.ticks(5):
            at = own(value)
            if grid and not right:
                self.add(f'<path class="rule" d="M{self.left} {at:.1f}H{self.right}"/>')
            self.label(self.right + 6 if right else self.left - 6, at + 4, form(value), 'start' if right else 'end', 'soft')
        self.label(self.width if right else 0, 12, title, 'end' if right else 'start', 'soft')

    def x_axis(self, title: str, form: Callable[[float], str] = '{:g}'.format, ticks: Sequence[float] | None = None) -> None:
        """Numbers below."""
        self.add(f'<path class="rule" d="M{self.left} {self.bottom}H{self.right}"/>')
        for value in self.x.ticks(8 if self.wide else 5) if ticks is None else ticks:
            self.label(self.x(value), self.bottom + 17, form(value), cls='soft')
        self.label((self.left + self.right) / 2, self.bottom + 36, title, cls='soft')

    def line(self, xs: Sequence[float], ys: Sequence[float], series: int, dashed: bool | None = None) -> None:
        """A curve of series 1 to 6; it is broken where a value is NaN."""
        path, pen = [], 'M'
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                path.append(f'{pen}{self.x(x):.1f} {self.y(y):.1f}')
                pen = 'L'
            else:
                pen = 'M'
        dash = DASHES[(series - 1) % SERIES] if dashed is None else DASHES[1] if dashed else ''
        dash = f' stroke-dasharray="{dash}"' if dash else ''
        self.add(f'<path class="curve l{_colour(series)}"{dash} d="{"".join(path)}"/>')

    def points(
        self, xs: Sequence[float], ys: Sequence[float], series: int, radius: float = 4, names: Sequence[str] | None = None,
        hollow: bool = False, opacity: float = 1,
    ) -> None:  # fmt: skip
        """Points; `names` are shown under the pointer."""
        cls = f'hollow l{_colour(series)}' if hollow else f'f{_colour(series)}'
        self.add(f'<g class="{cls}"{f""" opacity="{opacity:g}" """ if opacity != 1 else ""}>')
        for place, (x, y) in enumerate(zip(xs, ys, strict=True)):
            if math.isfinite(y):
                name = f'<title>{escape(names[place])}</title>' if names else ''
                mark = f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius:g}"'
                self.add(f'{mark}>{name}</circle>' if name else f'{mark}/>')
        self.add('</g>')

    def dots(self, xs: Sequence[float], ys: Sequence[float], series: int, radius: float, opacity: float) -> None:
        """Points without names, in a tenth of the space."""
        path = ''.join(f'M{self.x(x):.1f} {self.y(y):.1f}h0' for x, y in zip(xs, ys, strict=True) if math.isfinite(y))
        style = f'stroke-width:{2 * radius:g};stroke-linecap:round;opacity:{opacity:g}'
        self.add(f'<path class="l{_colour(series)}" style="{style}" d="{path}"/>')

    def whiskers(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], series: int) -> None:
        """Upright lines from `low` to `high`."""
        ends = [
            f'M{self.x(x):.1f} {self.y(a):.1f}V{self.y(b):.1f}'
            for x, a, b in zip(xs, low, high, strict=True)
            if math.isfinite(a) and math.isfinite(b)
        ]
        self.add(f'<path class="whisker l{_colour(series)}" d="{"".join(ends)}"/>')

    def bars(
        self, lefts: Sequence[float], rights: Sequence[float], tops: Sequence[float], scale: Scale | None = None,
        cls: str = 'bar', names: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        """Bars from the axis up to `tops`, of another `scale` if given."""
        scale = scale or self.y
        for place, (left, right, top) in enumerate(zip(lefts, rights, tops, strict=True)):
            if math.isfinite(top):
                x, y = self.x(left), scale(top)
                name = f'<title>{escape(names[place])}</title>' if names else ''
                self.add(
                    f'<rect class="{cls}" x="{x:.1f}" y="{y:.1f}" width="{self.x(right) - x:.1f}" '
                    f'height="{max(self.bottom - y, 0):.1f}">{name}</rect>'
                )

    def outline(self, edges: Sequence[float], tops: Sequence[float], scale: Scale | None = None, cls: str = 'bar') -> None:
        """Touching bars as one shape: `edges` has one more than `tops`."""
        scale = scale or self.y
        steps = ''.join(
            f'L{self.x(edges[n]):.1f} {scale(top):.1f}H{self.x(edges[n + 1]):.1f}' for n, top in enumerate(tops)
        )
        self.add(f'<path class="{cls}" d="M{self.x(edges[0]):.1f} {self.bottom}{steps}V{self.bottom}Z"/>')

    def cut(self, x: float) -> None:
        """A dashed upright line."""
        self.add(f'<path class="cut" d="M{self.x(x):.1f} {self.top}V{self.bottom}"/>')

    def html(self, alt: str, cls: str = 'wide') -> Html:
        """The drawing; `alt` says what it shows."""
        return Html(
            f'<svg class="{cls}" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(alt)}">'
            f'{"".join(self._parts)}</svg>'
        )


def responsive(draw: Callable[[int], Plot], alt: str, wide: int = WIDE) -> Html:
    """A plot drawn twice, and shown by the width of the screen: text stays legible on a phone.

    Args:
        draw: gives the drawing of a width: `wide` or `NARROW`.
        alt: what it shows.
        wide: width on a large screen, in pixels.
    """
    return tag('div', draw(wide).html(alt, 'wide'), draw(NARROW).html(alt, 'narrow'), cls='plot')


def single(plot: Plot, alt: str) -> Html:
    """A plot of half the page's width, the same on a phone."""
    return tag('div', plot.html(alt, 'half'), cls='plot')


def legend(entries: Sequence[tuple[int, str]], marks: str = 'line', dashed: bool = True) -> Html:
    """What the series are.

    Args:
        entries: number of a series (0 for the grey bars) and its name.
        marks: `line`, `point`, or `both`.
        dashed: whether lines are dashed as `Plot.line` draws them.
    """
    parts = []
    for series, name in entries:
        if series == 0:
            swatch = '<rect class="bar" x="1" y="1" width="22" height="10" rx="2"/>'
        else:
            dash = DASHES[(series - 1) % SERIES] if dashed else ''
            dash = f' stroke-dasharray="{dash}"' if dash else ''
            line = f'<path class="curve l{_colour(series)}"{dash} d="M1 6H23"/>' if marks != 'point' else ''
            hollow = series > 1 and marks == 'both'  # as the plots have them
            own = f'hollow l{_colour(series)}' if hollow else f'f{_colour(series)}'
            point = f'<circle class="{own}" cx="12" cy="6" r="4"/>' if marks != 'line' else ''
            swatch = line + point
        parts.append(tag('span', Html(f'<svg width="24" height="12" aria-hidden="true">{swatch}</svg>'), tag('span', name)))
    return tag('div', *parts, cls='legend')


def axis_end(values: Sequence[float]) -> float:
    """A round number at or above the largest value."""
    top = float(np.nanmax(values)) if len(values) else 1.0
    if not top > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(top))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= top * 0.9999)


def _colour(series: int) -> int:
    return (series - 1) % SERIES + 1
