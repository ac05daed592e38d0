"""The diagnosis on a terminal."""

from collections.abc import Iterator

import numpy as np
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mmlt.analysis.diagnosis.findings import ALL, Diagnosis
from mmlt.analysis.diagnosis.sizes import labels_an_image, shown_together, size_rows
from mmlt.analysis.diagnosis.words import FIRST, findings, headline, imbalance, many
from mmlt.errors import brief
from mmlt.priors import CONVENTIONS, GROUPS

ROWS = 24  # classes in a table; of more the first and last ones
ENDS = 8
BAR = 24  # characters
STYLES = dict(zip(GROUPS, ('blue', 'green', 'dark_orange'), strict=True))
MARKS = {'bad': ('✗', 'bold red'), 'look': ('!', 'dark_orange'), 'good': ('✓', 'green')}


def report(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """What is printed, one after the other."""
    yield Text(headline(diagnosis), style='bold')
    yield Text(f'{diagnosis.table.source}: {diagnosis.table.form}', style='dim')
    for note in diagnosis.table.notes:
        yield Text(f'  {note}', style='dim')
    yield ''
    yield Text(imbalance(diagnosis))
    yield _groups(diagnosis)
    yield _classes(diagnosis)
    if diagnosis.several:
        yield from _several(diagnosis)
    yield _pairs('images', size_rows(diagnosis))
    yield ''
    for finding in findings(diagnosis):
        mark, style = MARKS[finding.level]
        yield Text.assemble((f' {mark} ', style), finding.text)
    yield from _details(diagnosis)


def _groups(diagnosis: Diagnosis) -> Text:
    groups = diagnosis.shot_groups
    line = Text('Shot groups: ')
    for place, name in enumerate(GROUPS):
        line.append(', ' if place else '').append(f'{len(groups.get(name, ()))} {name}', style=STYLES[name])
    return line.append(f'  ({CONVENTIONS[diagnosis.convention]})', style='dim')


def _classes(diagnosis: Diagnosis) -> Table:
    counts, names = diagnosis.class_counts, diagnosis.table.classes
    order = np.argsort(-counts, kind='stable').tolist()
    group_of = {int(k): name for name, ids in diagnosis.shot_groups.items() for k in ids}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    table.add_column('class', max_width=40, overflow='ellipsis', no_wrap=True)
    for split in diagnosis.splits:
        table.add_column('images' if split == ALL else split, justify='right')
    table.add_column('')
    cut = len(order) > ROWS
    for k in order[:ENDS] + [-1] + order[-ENDS:] if cut else order:
        if k < 0:
            table.add_row(f'... {len(order) - 2 * ENDS:,} more', *[''] * (len(diagnosis.splits) + 1), style='dim')
            continue
        length = counts[k] / max(counts.max(), 1) * BAR
        bar = '█' * int(length) or ('▏' if counts[k] else '')
        table.add_row(escape(brief(names[k], 60)), *(f'{row[k]:,}' for row in diagnosis.counts),
                      Text(bar, style=STYLES[group_of.get(k, 'few')]))  # fmt: skip
    return table


def _several(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    yield Text('Labels an image: ' + ', '.join(f'{labels}: {images:,}' for labels, images in labels_an_image(diagnosis)))
    if pairs := shown_together(diagnosis, FIRST):
        yield Text('Shown together: ' + '; '.join(f'{a} and {b} {count:,} ({lift:.1f} times chance)'
                                                  for a, b, count, lift in pairs))  # fmt: skip


def _pairs(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style='dim')
    table.add_column(overflow='fold')
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _details(diagnosis: Diagnosis) -> Iterator[RenderableType]:
    """The first files of each kind; the page has more and its list all."""
    table, problems = diagnosis.table, diagnosis.scan.problems
    for title, lines in (
        ('Files that cannot be used', [f'{table.paths[p]} {problems[p]}{table.where(p)}' for p in diagnosis.broken]),
        ('Same picture, different labels', [' = '.join(map(diagnosis.named, group)) for group in diagnosis.contradictions]),
        ('Same look, different labels', [f'{diagnosis.named(a)} ~ {diagnosis.named(b)}' for a, b, _ in diagnosis.doubtful]),
        ('Same picture in two splits', [' = '.join(map(diagnosis.named, group)) for group in diagnosis.shared_groups]),
    ):
        if not lines:
            continue
        yield ''
        yield Text(title, style='bold')
        for line in lines[:FIRST]:
            yield Text(f'  {brief(line, 400)}')
        if len(lines) > FIRST:
            yield Text(f'  and {many(len(lines) - FIRST, "more", "more")}', style='dim')
