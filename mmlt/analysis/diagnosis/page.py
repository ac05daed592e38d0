"""The diagnosis as a page, and its whole list as a table."""

import csv
import io
import os
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from mmlt.analysis.diagnosis.file_check import KINDS
from mmlt.analysis.diagnosis.findings import ALL, Diagnosis
from mmlt.analysis.diagnosis.histogram import histogram
from mmlt.analysis.diagnosis.sizes import labels_an_image, shown_together, size_rows
from mmlt.analysis.diagnosis.words import findings, headline, imbalance, many, method_of_looking, some
from mmlt.analysis.pages import (
    Html,
    Thumbnail,
    columns,
    folded,
    join,
    note,
    page,
    section,
    table,
    tag,
    thumbnails,
    tiles,
)
from mmlt.datasets.decode import read_rgb
from mmlt.errors import brief
from mmlt.priors import CONVENTIONS, GROUPS

SHOWN = 8  # groups with pictures
MEMBERS = 4  # pictures of a group
LISTED = 200  # lines of a table
MARKS = {'bad': ('✗', 'bad'), 'look': ('!', ''), 'good': ('✓', 'good')}


def diagnosis_page(diagnosis: Diagnosis, start: Html | None, list_name: str) -> str:
    """The page as text.

    Args:
        diagnosis: what was found.
        start: how to go on, see `mmlt.analysis.diagnosis.card`; None where no config was written.
        list_name: of the file with `findings_csv`.
    """
    return page(
        f'Diagnosis of {diagnosis.table.source.name or diagnosis.table.source}',
        _tiles(diagnosis),
        section('What was found', _findings(diagnosis)),
        section('How to start', start),
        section('Classes', tag('p', imbalance(diagnosis)),
                histogram(diagnosis.class_counts, diagnosis.table.classes, diagnosis.shot_groups), _groups(diagnosis)),
        section('Several labels', _several(diagnosis)),
        section('Same picture, different labels', _groups_of(diagnosis, diagnosis.contradictions, 'At least one label of each '
                'group is wrong.')),
        section('Same look, different labels', _groups_of(diagnosis, [np.array(pair[:2]) for pair in diagnosis.doubtful],
                'One of each pair may be mislabelled; or the two classes look alike.')),
        section('In two splits', _groups_of(diagnosis, _across(diagnosis), 'What is trained on and evaluated on makes results '
                'look better than they are.')),
        section('Look-alikes', _groups_of(diagnosis, _alike(diagnosis), 'The largest groups: copies, or frames of one scene. '
                'Keep each on one side of a split.')),
        section('Files that cannot be used', _broken(diagnosis)),
        section('Images', table([], size_rows(diagnosis), label='sizes, modes and formats')),
        tag('div', folded(f'All {many(len(diagnosis.table.classes), "class", "classes")}', _classes(diagnosis)),
            folded('How it was looked at', *(note(line) for line in method_of_looking()),
                   *(note(f'Reading the labels: {line}.') for line in diagnosis.table.notes),
                   note(f'All groups and files: {list_name}.'))),
        subtitle=f'{headline(diagnosis)}; {diagnosis.table.form}',
    )  # fmt: skip


def findings_csv(diagnosis: Diagnosis) -> str:
    """Everything found about single images as a table: finding, group, image, label, split, what is wrong."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(['finding', 'group', 'image', 'label', 'split', 'problem'])

    def put(finding: str, group: object, place: int, problem: str = '') -> None:
        split = '' if diagnosis.table.splits is None else diagnosis.table.splits[place]
        writer.writerow([finding, group, diagnosis.table.paths[place], diagnosis.label_text(place), split, problem])

    for place in diagnosis.broken.tolist():
        put(f'{KINDS[diagnosis.scan.kinds[place]]} file', '', place, diagnosis.scan.problems[place])
    for finding, groups in (
        ('same picture, different labels', diagnosis.contradictions),
        ('same look, different labels', [pair[:2] for pair in diagnosis.doubtful]),
        ('same picture', diagnosis.exact_groups),
        ('look-alikes', diagnosis.near_groups),
    ):
        for number, group in enumerate(groups, 1):
            for place in group:
                put(finding, number, int(place))
    return stream.getvalue()


def _tiles(diagnosis: Diagnosis) -> Html:
    groups = diagnosis.shot_groups
    ratio = diagnosis.imbalance_ratio
    splits = [f'{name} {diagnosis.counts_of_images(name):,}' for name in diagnosis.splits if name != ALL]
    leaks = sum(kinds['exact'] for kinds in diagnosis.leaks.values())
    repeated = sum(map(len, diagnosis.exact_groups)) - len(diagnosis.exact_groups)
    return tiles([
        ('imbalance ratio', '-' if ratio is None else f'{ratio:.3g}', '', [f'Gini {diagnosis.gini:.2f}']),
        ('images', f'{len(diagnosis.table):,}', '', splits),
        ('classes', f'{len(diagnosis.table.classes):,}', '', [f'{len(groups.get(name, ()))} {name}-shot' for name in GROUPS]),
        ('unusable files', f'{len(diagnosis.broken):,}', '', []),
        ('repeated pictures', f'{repeated:,}', '', [f'{leaks:,} across splits'] if splits else []),
        ('contradictory labels', f'{len(diagnosis.contradictions):,}', '', [f'{len(diagnosis.doubtful):,} doubtful']),
    ])  # fmt: skip


def _findings(diagnosis: Diagnosis) -> Html:
    lines = []
    for level, text in findings(diagnosis):
        mark, cls = MARKS[level]
        lines.append(tag('tr', tag('td', tag('b', mark), cls=cls, style='width:1.7rem;min-width:0;border:0'),
                         tag('td', text, style='border:0;overflow-wrap:anywhere')))  # fmt: skip
    return tag('table', tag('tbody', *lines), style='font-size:1rem;width:100%;table-layout:fixed')


def _groups(diagnosis: Diagnosis) -> Html:
    rows = [
        [f'{name}-shot', str(len(ids)), some([diagnosis.table.classes[k] for k in ids], 8)]
        for name, ids in diagnosis.shot_groups.items()
    ]
    rule = f'Shot groups, {diagnosis.convention}: {CONVENTIONS[diagnosis.convention]}.'
    return join(table(['group', 'classes', 'which'], rows, label='shot groups'), note(rule))


def _several(diagnosis: Diagnosis) -> Html | None:
    if not diagnosis.several:
        return None
    counted = [[str(labels), f'{images:,}'] for labels, images in labels_an_image(diagnosis)]
    pairs = [[a, b, f'{count:,}', f'{lift:.1f}'] for a, b, count, lift in shown_together(diagnosis)]
    return columns(
        table(['labels an image', 'images'], counted, numbers=[0, 1], label='labels an image'),
        table(['shown together', '', 'images', 'times chance'], pairs, numbers=[2, 3], label='labels shown together')
        if pairs else None,
    )  # fmt: skip


def _across(diagnosis: Diagnosis) -> list[np.ndarray]:
    """Groups in more than one split, equal pictures first, the larger before the smaller."""
    near = [group for group in diagnosis.near_groups if len(set(diagnosis.split_of[group].tolist())) > 1]
    return sorted(diagnosis.shared_groups, key=len, reverse=True) + sorted(near, key=len, reverse=True)


def _alike(diagnosis: Diagnosis) -> list[np.ndarray]:
    return sorted(diagnosis.near_groups, key=len, reverse=True)


def _groups_of(diagnosis: Diagnosis, groups: Sequence[np.ndarray], sentence: str) -> Html | None:
    if not groups:
        return None
    boxes = [
        tag('div', _pictures(diagnosis, _chosen(diagnosis, group)),
            note(f'and {len(group) - MEMBERS:,} more') if len(group) > MEMBERS else None)
        for group in groups[:SHOWN]
    ]  # fmt: skip
    more = f' Shown are {SHOWN} of {len(groups):,} groups.' if len(groups) > SHOWN else ''
    wide = '22rem' if max(map(len, groups[:SHOWN])) > 2 else '13.5rem'
    grid = f'display:grid;gap:0 1.6rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,{wide}),1fr))'
    return join(tag('p', sentence + more), tag('div', *boxes, style=grid))


def _chosen(diagnosis: Diagnosis, group: np.ndarray) -> list[int]:
    """Some members of a group: those of other labels and splits first."""
    seen: set[object] = set()
    new, rest = [], []
    for place in group.tolist():
        kind = (diagnosis.table.labels[place].tobytes(), int(diagnosis.split_of[place]))
        (rest if kind in seen else new).append(place)
        seen.add(kind)
    return (new + rest)[:MEMBERS]


def _pictures(diagnosis: Diagnosis, places: Iterable[int]) -> Html:
    shown = []
    for place in places:
        path, label = diagnosis.table.paths[place], diagnosis.label_text(place)
        file = os.path.join(diagnosis.table.root, path)
        picture = Image.new('L', (8, 8), 128)
        try:
            picture = read_rgb(file, file)
        except Exception:  # gone since: the page is written all the same
            pass
        split = '' if diagnosis.table.splits is None else str(diagnosis.table.splits[place])
        split = '' if path.startswith(split) else f'{split}: '
        shown.append(Thumbnail.of(picture, brief(label, 80), split + brief(path, 200), alt=f'{path}, {label}'))
    return thumbnails(shown)


def _broken(diagnosis: Diagnosis) -> Html | None:
    images = diagnosis.table
    rows = [
        [images.paths[place] + images.where(place), diagnosis.scan.problems[place], diagnosis.label_text(place)]
        for place in diagnosis.broken[:LISTED].tolist()
    ]
    more = note(f'The first {LISTED} of {len(diagnosis.broken):,}.') if len(diagnosis.broken) > LISTED else None
    return join(table(['file', 'what is wrong', 'label'], rows, tall=len(rows) > 20, label='files'), more) if rows else None


def _classes(diagnosis: Diagnosis) -> Html:
    group_of = {int(k): name for name, ids in diagnosis.shot_groups.items() for k in ids}
    rows = [
        [str(k), diagnosis.table.classes[k], group_of.get(k, ''), *(f'{row[k]:,}' for row in diagnosis.counts)]
        for k in np.argsort(-diagnosis.class_counts, kind='stable').tolist()
    ]
    splits = ['images' if name == ALL else name for name in diagnosis.splits]
    return table(['', 'class', 'group', *splits], rows, numbers=[0, *range(3, 3 + len(splits))], tall=True, label='classes')
