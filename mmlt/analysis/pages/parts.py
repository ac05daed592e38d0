"""The parts of a page: text, tables, figures and what holds them."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mmlt.analysis.pages.style import STYLE


class Html(str):
    """Text that is HTML already."""


def text(value: Any) -> str:
    """HTML of a value: escaped, unless it is `Html`."""
    return value if isinstance(value, Html) else escape(str(value))


def tag(name: str, /, *content: Any, **attributes: Any) -> Html:
    """One element.

    Args:
        name: `p`, `b`, ...
        content: texts, which are escaped, or `Html`; None is left out.
        attributes: `cls` is `class`; an underscore stands for a hyphen; None is left out.
    """
    inside = ''.join(text(part) for part in content if part is not None)
    given = ''.join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f'<{name}{given}>' if name in ('img', 'meta') else f'<{name}{given}>{inside}</{name}>')


def join(*parts: Html | None) -> Html:
    """Parts one after the other; None is left out."""
    return Html('\n'.join(part for part in parts if part is not None))


def page(title: str, *parts: Html | None, subtitle: Any = None) -> str:
    """A whole page.

    Args:
        title: of the window and at the top.
        parts: what stands below it; None is left out.
        subtitle: a soft line below the title.

    Returns:
        The file's text.
    """
    head = join(
        tag('meta', charset='utf-8'),
        tag('meta', name='viewport', content='width=device-width, initial-scale=1'),
        tag('meta', name='generator', content='mmlt'),
        tag('title', title),
        Html(f'<style>{STYLE}</style>'),
    )
    body = join(tag('h1', title), tag('p', subtitle, cls='soft') if subtitle else None, *parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n<main>\n{body}\n</main>\n</body></html>\n'


def section(title: str, *parts: Html | None) -> Html:
    """A part with a heading; nothing where it has no parts."""
    content = [part for part in parts if part]
    return tag('section', tag('h2', title), join(*content)) if content else Html('')


def folded(title: str, *parts: Html | None) -> Html:
    """A part that the reader opens; nothing where it has no parts."""
    content = [part for part in parts if part]
    return tag('details', tag('summary', title), tag('div', join(*content))) if content else Html('')


def note(content: Any, warn: bool = False) -> Html:
    """A soft sentence; with `warn`, one that must not be overlooked."""
    return tag('p', content, cls='note warn' if warn else 'note')


def columns(*parts: Html | None, uneven: bool = False) -> Html:
    """Parts side by side where there is room, one below the other on a phone; `uneven`: the first of two takes more."""
    shown = [tag('div', part) for part in parts if part]
    return tag('div', *shown, cls='columns uneven' if uneven and len(shown) == 2 else 'columns') if shown else Html('')


def tiles(entries: Iterable[tuple[str, str, str, Sequence[Any]]]) -> Html:
    """The few figures that matter, large.

    Args:
        entries: what it is, the figure, its unit (may be empty) and soft lines below; the first is marked as the main one.
    """
    boxes = []
    for place, (name, value, unit, lines) in enumerate(entries):
        figures = tag('b', value, tag('small', unit) if unit else None)
        boxes.append(tag('div', tag('span', name), figures, *(tag('span', line) for line in lines),
                         cls='tile main' if place == 0 else 'tile'))  # fmt: skip
    return tag('div', *boxes, cls='tiles')


def table(
    headings: Sequence[Any], lines: Iterable[Sequence[Any]], numbers: Sequence[int] = (), tall: bool = False,
    label: str = 'table',
) -> Html:  # fmt: skip
    """A table that scrolls inside itself where it is too wide.

    Args:
        headings: of the columns; empty for none.
        lines: cells, texts or `Html`.
        numbers: places of the columns that hold numbers and stand to the right.
        tall: also scroll up and down, for tables of hundreds of lines.
        label: what it is, for those who hear the page.
    """
    right = set(numbers)

    def cells(name: str, values: Sequence[Any]) -> Html:
        return Html(''.join(tag(name, value, cls='number' if n in right else None) for n, value in enumerate(values)))

    head = tag('thead', tag('tr', cells('th', headings))) if headings else None
    body = Html('\n'.join(tag('tr', cells('td', line)) for line in lines))
    return tag('div', tag('table', head, tag('tbody', body)), cls='scroll tall' if tall else 'scroll', tabindex=0,
               role='region', aria_label=label)  # fmt: skip


def figure(content: Html, caption: Any = None, legend: Html | None = None) -> Html:
    """A drawing with its legend above and its caption below."""
    return tag('figure', legend, content, tag('figcaption', caption) if caption else None)
