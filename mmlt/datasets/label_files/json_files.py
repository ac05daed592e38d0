"""JSON with labels: COCO's and iNaturalist's, mmpretrain's, records, and paths with labels."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.datasets.label_files.marks import set_marks
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.datasets.label_files.several import take_rows
from mmlt.datasets.label_files.sheet import Sheet
from mmlt.datasets.label_files.tables import read_table
from mmlt.errors import UserError, brief, reason

FORMS = (
    'COCO or iNaturalist (images, annotations, categories), mmpretrain (metainfo, data_list), a list of records, or an '
    'object of paths and labels'
)


def read_json_labels(file: Path, text: str, options: Options) -> Raw:
    """Read JSON, or JSON lines.

    Args:
        file: it stands in.
        text: its content.
        options: see `read_labels`.

    Raises:
        UserError: it is no JSON, or none of the forms that are read; what is missing is named.
    """
    content = _parsed(file, text)
    if isinstance(content, dict) and 'images' in content:
        return _coco(file, content, options)
    if isinstance(content, dict) and 'data_list' in content:
        return _mmpretrain(file, content, options)
    if isinstance(content, dict) and content and all(isinstance(value, (str, int, list)) for value in content.values()):
        pairs = json.loads(text, object_pairs_hook=list)  # with the paths that stand there again
        content = [dict(path=path, label=label) for path, label in pairs]
    if isinstance(content, list) and content and all(isinstance(record, dict) for record in content):
        return read_table(_records(file, content), options)
    raise UserError(f'{file} is JSON of another kind than is read: {FORMS}.')


def _parsed(file: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [(number, line) for number, line in enumerate(text.split('\n'), 1) if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith('{') for _, line in lines[:2]):
            where = f'line {error.lineno} of {file}' if isinstance(error, json.JSONDecodeError) else file
            raise UserError(f'{where} cannot be read: it is JSON, and damaged ({reason(error)}): write it again.') from error
    records = []
    for number, line in lines:
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise UserError(f'line {number} of {file} cannot be read as JSON ({reason(error)}): correct it.') from error
    return records


def _records(file: Path, records: list[dict]) -> Sheet:
    header = list(dict.fromkeys(key for record in records for key in record))

    def text(value: Any) -> str:
        return '' if value is None else str(int(value)) if isinstance(value, bool) else str(value)

    def cell(value: Any) -> str:
        return '|'.join(map(text, value)) if isinstance(value, list) else text(value)

    def items(value: Any) -> list[str]:
        return list(map(text, value if isinstance(value, list) else [value]))

    columns = {name: [cell(record.get(name)) for record in records] for name in header}
    with_lists = [name for name in header if any(isinstance(record.get(name), list) for record in records)]
    lists = {name: [list(filter(None, items(record.get(name)))) for record in records] for name in with_lists}
    return Sheet(file, columns, np.arange(1, len(records) + 1), 'entry', lists)


def _coco(file: Path, content: dict, options: Options) -> Raw:
    images, annotations, categories = (_list(file, content, key) for key in ('images', 'annotations', 'categories'))
    known = sorted({_whole(file, 'categories', one, 'id'): str(one.get('name', one['id'])) for one in categories}.items())
    names = [name for _, name in known]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    names = [f'{name} ({number})' if name in twice else name for number, name in known]
    place_of = {number: place for place, (number, _) in enumerate(known)}
    ids = [_id(file, 'images', one, 'id') for one in images]
    if not ids:
        raise UserError(f'{file} names no image.')
    shown: dict[Any, set[int]] = {number: set() for number in ids}
    if len(shown) < len(ids):
        number = next(number for place, number in enumerate(ids) if number in ids[:place])
        raise UserError(f'{file}: two of images have the id {brief(repr(number))}: number them anew.')
    for place, one in enumerate(annotations):
        image, category = _id(file, 'annotations', one, 'image_id'), one.get('category_id')
        if image not in shown or category not in place_of:
            lacks = f'image_id {image!r}' if image not in shown else f'category_id {category!r}'
            raise UserError(f'{file}: annotation {place + 1} has the {brief(lacks)}, which is not there: correct it.')
        shown[image].add(place_of[category])
    paths = [_text(file, one, 'file_name') for one in images]
    numbers, notes = np.arange(1, len(ids) + 1), []
    if any(place != number for place, (number, _) in enumerate(known)):
        notes.append(f'categories by their ids ({known[0][0]} to {known[-1][0]}) are classes 0 to {len(known) - 1}')
    raw = Raw(file, 'COCO-style JSON', paths, numbers, classes=names, line_word='image', notes=notes)
    rows = list(shown.values())
    several = options.several if options.several is not None else max(map(len, rows)) > 1
    if several:
        raw.hot = np.zeros((len(rows), len(names)), dtype=np.float32)
        for place, row in enumerate(rows):
            raw.hot[place, list(row)] = 1
        return raw
    for place in [place for place, row in enumerate(rows) if len(row) > 1][:1]:
        some = ', '.join(names[k] for k in sorted(rows[place])[:3])
        raise UserError(f'{raw.line(place)} has several labels ({brief(some, 60)}), and an image has one here: read them with '
                        'MultiLabelDataset.')  # fmt: skip
    if without := sum(not row for row in rows):
        if without == len(rows):
            raise UserError(f'{file} has no annotation, so no image has a label: give the file that has them.')
        kept = [place for place, row in enumerate(rows) if row]
        raw.left_out['images without a label'] = without
        raw.paths, raw.numbers, rows = [paths[place] for place in kept], numbers[kept], [rows[place] for place in kept]
    raw.values = np.fromiter((next(iter(row)) for row in rows), dtype=np.int64, count=len(rows))
    return raw


def _mmpretrain(file: Path, content: dict, options: Options) -> Raw:
    records = _list(file, content, 'data_list')
    if not records:
        raise UserError(f'{file} names no image.')
    info = content.get('metainfo')
    classes = info.get('classes') if isinstance(info, Mapping) else None
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise UserError(f'{file}: metainfo.classes must be a list of names.')
    paths = [_text(file, one, 'img_path') for one in records]
    raw = Raw(file, "mmpretrain's JSON", paths, np.arange(1, len(paths) + 1), classes=classes, line_word='entry')
    if all(one.get('gt_label') is None for one in records) and any('gt_score' in one for one in records):
        _scores(raw, [one.get('gt_score') for one in records], options)
        return raw
    labels = [one.get('gt_label') for one in records]
    lists = any(isinstance(label, list) for label in labels)
    for place, label in enumerate(labels):
        whole = label if isinstance(label, list) else [label]
        if not all(type(one) is int and 0 <= one < 10**18 for one in whole):
            raise UserError(f'{raw.line(place)} has the gt_label {brief(repr(label))}, where a number from 0 or a list of them '
                            'must stand: correct it.')  # fmt: skip
        if classes is not None and max(whole, default=0) >= len(classes) and options.labels is None:
            raise UserError(f'{raw.line(place)} has the gt_label {max(whole)}, and metainfo.classes names {len(classes)} (0 to '
                            f'{len(classes) - 1}): correct one of them.')  # fmt: skip
        if options.several is False and isinstance(label, list) and len(label) != 1:
            raise UserError(f'{raw.line(place)} has several labels ({brief(label, 60)}), and an image has one here: read them '
                            'with MultiLabelDataset.')  # fmt: skip
    if options.several or (options.several is None and lists):
        take_rows(raw, [list(map(str, label if isinstance(label, list) else [label])) for label in labels], options)
        if raw.shown is not None and classes is not None:  # the numbers are places among its own names
            raw.shown = [[classes[int(one)] for one in row] for row in raw.shown]
    else:
        raw.values = np.array([label[0] if isinstance(label, list) else label for label in labels], dtype=np.int64)
    return raw


def _scores(raw: Raw, scores: list, options: Options) -> None:
    """Take a 0 or a 1 for each class (`gt_score`)."""
    width = len(raw.classes or (scores[0] if isinstance(scores[0], list) else ()))
    for place, row in enumerate(scores):
        if not isinstance(row, list) or len(row) != width or not all(one in (0, 1) for one in row):
            count = f'of the {width} classes' if width else 'class'
            raise UserError(f'{raw.line(place)} has the gt_score {brief(repr(row))}, where a list must stand with a 1 (shown) '
                            f'or 0 (not) for each {count}: correct it.')  # fmt: skip
    names = list(raw.classes or map(str, range(width)))
    set_marks(raw, [[str(int(one)) for one in row] for row in scores], names, names, options)


def _list(file: Path, content: dict, key: str) -> list[dict]:
    value = content.get(key)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise UserError(
            f'{file} must have a list of objects {key!r}, as files of its kind have: it is another file, or damaged.'
        )
    return value


def _id(file: Path, kind: str, one: dict, key: str) -> Any:
    value = one.get(key)
    if type(value) not in (int, str):
        raise UserError(f'{file}: one of {kind} has no {key} ({brief(repr(one), 80)}): correct it.')
    return value


def _whole(file: Path, kind: str, one: dict, key: str) -> int:
    value = _id(file, kind, one, key)
    if type(value) is not int:
        raise UserError(f'{file}: one of {kind} has the {key} {brief(repr(value))}, which is no whole number: correct it.')
    return value


def _text(file: Path, one: dict, key: str) -> str:
    value = one.get(key)
    if not isinstance(value, str) or not value:
        raise UserError(f'{file}: an image has no {key} ({brief(repr(one), 80)}): correct it.')
    return value
