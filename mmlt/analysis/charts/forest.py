"""Differences with their intervals, and runs beside each other by shot group."""

from collections.abc import Sequence

import numpy as np

from mmlt.analysis.charts import shortened
from mmlt.analysis.pages import Html, Plot, figure, legend, responsive, single

Ends = tuple[float, float] | None
LINE = 34  # pixels of a row


def forest_plot(names: Sequence[str], rows: Sequence[tuple[float, Ends, Ends]]) -> Html:
    """A row for each figure: its difference as a point, intervals over seeds and over test images as lines.

    Args:
        names: of the rows.
        rows: difference, interval over seeds, interval over images.
    """
    ends = [value for row in rows for value in (row[0], *(row[1] or ()), *(row[2] or ()))]
    reach = max(1e-9, *(abs(end) for end in ends)) * 1.08
    left = 24 + round(6.4 * max(len(shortened(name, 24)) for name in names))
    plot = Plot(460, 40 + LINE * len(rows) + 30, (-reach, reach), (0, 1), margins=(left, 54, 10, 34))
    plot.x_axis('')
    plot.add(f'<path class="cut" d="M{plot.x(0):.1f} {plot.top}V{plot.bottom}"/>')
    for place, (name, (value, seeds, images)) in enumerate(zip(names, rows, strict=True)):
        y = plot.top + LINE * (place + 0.7)
        plot.label(left - 10, y + 4, shortened(name, 24), 'end')
        for interval, series, shift in ((images, 1, 4 if seeds else 0), (seeds, 2, -4 if images else 0)):
            if interval:
                a, b = (plot.x(end) for end in interval)
                tip = f'<title>{interval[0]:+.2f} to {interval[1]:+.2f}</title>'
                plot.add(f'<path class="curve l{series}" d="M{a:.1f} {y + shift:.1f}H{b:.1f}">{tip}</path>')
        plot.add(f'<circle class="ink" cx="{plot.x(value):.1f}" cy="{y:.1f}" r="4.2"/>')
        plot.label(plot.width, y + 4, f'{value:+.2f}', 'end')
    entries = [(2, '95 % over seeds')] if any(row[1] for row in rows) else []
    entries += [(1, '95 % over test images')] if any(row[2] for row in rows) else []
    return figure(single(plot, 'differences with intervals'), legend=legend(entries, 'line', dashed=False) if entries else None)


def groups_plot(
    labels: Sequence[str], names: Sequence[str], values: Sequence[Sequence[Sequence[float]]], measure: str
) -> Html:
    """For each shot group a bar a contestant, and a point a run.

    Args:
        labels: of the contestants.
        names: of the groups.
        values: contestants x groups x runs, percent.
        measure: what the values are.
    """

    def draw(width: int) -> Plot:
        plot = Plot(width, 320 if width > 500 else 260, (-0.5, len(names) - 0.5), (0, 100), margins=(34, 8, 44, 30))
        plot.y_axis(f'{measure} (%)')
        plot.add(f'<path class="rule" d="M{plot.left} {plot.bottom}H{plot.right}"/>')
        step = 0.8 / len(labels)
        for g, name in enumerate(names):
            plot.label(plot.x(g), plot.bottom + 18, name)
            for n, label in enumerate(labels):
                own, at = values[n][g], g - 0.4 + n * step
                if own:
                    tip = f'{label}, {name}: {np.mean(own):.2f} %'
                    plot.bars([at + step * 0.08], [at + step * 0.92], [np.mean(own)], cls=f'f{n % 6 + 1} soft-bar', names=[tip])
                    if len(own) > 1:
                        plot.points([at + step / 2] * len(own), own, n + 1, 2.6, [f'{label}: {one:.2f} %' for one in own])
                    if (space := plot.x(at + step) - plot.x(at)) > 24:
                        words = f'{np.mean(own):.{1 if space > 42 else 0}f}'
                        plot.label(plot.x(at + step / 2), plot.y(max(own)) - 6, words, cls='soft')
        return plot

    several = any(len(own) > 1 for one in values for own in one)
    words = 'Bars are means over the seeds, points the seeds.' if several else None
    return figure(responsive(draw, f'{measure} by shot group'), words, legend(list(enumerate(labels, start=1)), 'point'))

