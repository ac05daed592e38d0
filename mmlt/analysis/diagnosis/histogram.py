"""How many images each class has, as a picture: a PNG file, and a drawing inside a page."""

import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from mmlt.analysis.pages import Html, Plot, axis_end, figure, legend, responsive, tag
from mmlt.priors import GROUPS

NAMED = 60  # classes up to which each has a bar and its name
COLOURS = ('#0b63a5', '#0d7d5a', '#c9500b')  # many, medium, few: the page's series 1, 3 and 2
SERIES = (1, 3, 2)
INK, SOFT, LINE = '#1b2127', '#59636e', '#dde1e6'
LONGEST = 34  # characters of a name
NOWRAP = 'min-width:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis'


def histogram_png(counts: np.ndarray, names: Sequence[str], groups: Mapping[str, np.ndarray], title: str) -> bytes:
    """The picture as the content of a PNG file.

    Up to 60 classes each have a bar with name and number; more are a falling outline on a logarithmic axis.

    Args:
        counts: (K,) training images of each class.
        names: K names.
        groups: shot group -> class ids.
        title: above it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    order = np.argsort(-counts, kind='stable')
    named = len(counts) <= NAMED
    picture = Figure(figsize=(8, 1.5 + 0.24 * len(counts)) if named else (10, 4.6), dpi=144, layout='constrained')
    FigureCanvasAgg(picture)
    axes = picture.add_subplot()
    group_of = _group_of(len(counts), groups)[order]
    if named:
        axes.barh(np.arange(len(counts)), counts[order], color=[COLOURS[group] for group in group_of], height=0.72)
        for row, count in enumerate(counts[order].tolist()):
            axes.annotate(f'{count:,}', (count, row), (4, 0), textcoords='offset points', va='center', fontsize=8.5, color=SOFT)
        axes.set_yticks(np.arange(len(counts)), [_plain(names[k]) for k in order], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(0, max(counts.max(), 1) * 1.08)
        axes.margins(y=0.01)
        axes.set_xlabel('training images', color=SOFT)
        axes.tick_params(axis='y', length=0)
    else:
        for group in range(3):
            rows = np.flatnonzero(group_of == group)
            if len(rows):
                heights = np.where(group_of == group, np.maximum(counts[order], 0.5), np.nan)
                axes.stairs(heights, np.arange(len(counts) + 1), baseline=0.5, fill=True, color=COLOURS[group])
        axes.set_yscale('log')
        axes.set_ylim(0.5, max(counts.max(), 1) * 1.5)
        axes.set_xlim(0, len(counts))
        axes.yaxis.set_major_formatter(lambda value, _: f'{value:g}')
        axes.set_xlabel('rank of the class, from the most to the fewest training images', color=SOFT)
        axes.set_ylabel('training images', color=SOFT)
        axes.grid(axis='y', color=LINE, linewidth=0.7)
        axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT)
    for text in axes.get_yticklabels():
        text.set_color(INK)
    for side in ('top', 'right', *(('left',) if named else ())):
        axes.spines[side].set_visible(False)
    for side in axes.spines.values():
        side.set_color(LINE)
    marks = [Patch(color=COLOURS[place], label=f'{name} ({len(groups[name])})') for place, name in enumerate(GROUPS)
             if len(groups.get(name, ()))]  # fmt: skip
    picture.suptitle(_plain(title, 90), x=0.01, ha='left', fontsize=11, color=INK)
    if marks:
        picture.legend(handles=marks, loc='outside lower left', ncols=3, frameon=False, fontsize=9)
    content = io.BytesIO()
    picture.savefig(content, format='png', metadata={'Software': 'mmlt'})
    return content.getvalue()


def histogram(counts: np.ndarray, names: Sequence[str], groups: Mapping[str, np.ndarray]) -> Html:
    """The same inside a page; arguments as `histogram_png`."""
    order = np.argsort(-counts, kind='stable')
    group_of = _group_of(len(counts), groups)
    marks = [(SERIES[place], f'{name}-shot: {len(groups[name])} classes') for place, name in enumerate(GROUPS)
             if len(groups.get(name, ()))]  # fmt: skip
    if len(counts) <= NAMED:
        return figure(_bars(counts, names, order, group_of), legend=_swatches(marks))
    alt = f'{counts.max():,} training images of the largest of {len(counts)} classes, {counts.min():,} of the smallest'
    drawn = responsive(lambda width: _outline(width, counts[order], [names[k] for k in order], group_of[order]), alt)
    return figure(drawn, 'Classes from the most to the fewest training images; the axis of images is logarithmic.',
                  _swatches(marks))  # fmt: skip


def _bars(counts: np.ndarray, names: Sequence[str], order: np.ndarray, group_of: np.ndarray) -> Html:
    rows, most = [], max(int(counts.max()), 1)
    for k in order:
        bar = tag('div', style=f'width:{100 * counts[k] / most:.2f}%;min-width:2px;height:.8rem;border-radius:.2rem;'
                               f'background:var(--s{SERIES[group_of[k]]})')  # fmt: skip
        cell = 'padding:.05rem .7rem .05rem 0;border:0;vertical-align:middle;'
        rows.append(tag('tr', tag('td', names[k], title=names[k],
                                      style=f'{cell}max-width:min(13rem,32vw);{NOWRAP}'),
                        tag('td', bar, style=f'{cell}width:100%'), tag('td', f'{counts[k]:,}', cls='number soft',
                                                                       style=cell)))  # fmt: skip
    return tag('table', tag('tbody', *rows), style='width:100%')


def _outline(width: int, counts: np.ndarray, names: Sequence[str], group_of: np.ndarray) -> Plot:
    plot = Plot(width, 320 if width > 500 else 260, (0, len(counts)), (0.5, axis_end([float(counts.max())])), log='y',
                margins=(52, 26, 30, 44))  # fmt: skip
    plot.y_axis('training images', lambda value: f'{value:g}')
    cuts = [0, *(np.flatnonzero(np.diff(group_of)) + 1).tolist(), len(counts)]
    for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
        plot.outline(range(start, stop + 1), np.maximum(counts[start:stop], 0.5).tolist(), cls=f'f{SERIES[group_of[start]]}')
    for row, (count, name) in enumerate(zip(counts.tolist(), names, strict=True)):  # a name under the pointer
        x, y = plot.x(row), plot.y(max(count, 0.5))
        plot.add(f'<rect x="{x:.1f}" y="{plot.top}" width="{plot.x(row + 1) - x:.2f}" height="{plot.bottom - plot.top}" '
                 f'fill="none" pointer-events="all"><title>{escape(name)}: {count:,}</title></rect>' if y else '')  # fmt: skip
    plot.x_axis('rank of the class')
    return plot


def _swatches(marks: Sequence[tuple[int, str]]) -> Html | None:
    return legend(marks, 'point') if marks else None


def _group_of(count: int, groups: Mapping[str, np.ndarray]) -> np.ndarray:
    found = np.zeros(count, dtype=np.int64)
    for place, name in enumerate(GROUPS):
        found[groups.get(name, [])] = place
    return found


def _plain(text: str, most: int = LONGEST) -> str:
    """A text for matplotlib, which reads `$` as mathematics."""
    text = text if len(text) <= most else text[: most - 1] + '…'
    return text.replace('$', r'\$')
