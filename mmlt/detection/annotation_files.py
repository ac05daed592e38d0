"""COCO's and LVIS's annotation files as they lie there: read, looked over, and cut down to the classes that are wanted."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmlt.errors import UserError, brief, quoted

LVIS_LISTS = ('neg_category_ids', 'not_exhaustive_category_ids')  # of an image


def read_annotations(path: Path) -> dict:
    """The content of an annotation file.

    Raises:
        UserError: it is not there, no JSON object with images, annotations and categories, or an entry lacks what it must
            have, names an image or category that is not there, or has the id of another.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f'there is no annotation file {path}: correct data_root or ann_file.') from None
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read as JSON ({error}): fetch it again.') from error
    lists = ('images', 'annotations', 'categories')
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in lists):
        raise UserError(f'{path} is no annotation file of COCO or LVIS: it must hold the lists {", ".join(lists)}.')
    try:
        _check(content, path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'{path} has an entry that is not as in COCO and LVIS ({type(error).__name__}: {error}): fetch it again.'
        ) from error
    return content


def _check(content: dict, source: str | Path) -> None:
    """Refuse entries that name what is not there, or that nothing can be computed with."""
    for name in ('images', 'categories'):
        _check_ids(content[name], name, source)
    images, categories = ({entry['id'] for entry in content[name]} for name in ('images', 'categories'))
    for number, one in enumerate(content['annotations'], start=1):
        if wrong := _problem(one, images, categories):
            raise UserError(f'annotation {number} of {source} {wrong}: correct it, or take it out.')


def _check_ids(entries: list[dict], name: str, source: str | Path) -> None:
    """Refuse images or categories whose ids are no whole numbers, or of which two have the same."""
    ids = [entry['id'] for entry in entries]
    for number in ids:
        if isinstance(number, (bool, str)) or number != int(number):
            raise UserError(f'{name} of {source} have the id {quoted(number)}, but ids are whole numbers: correct it.')
    repeated = [number for number, times in Counter(ids).items() if times > 1]
    if repeated:
        raise UserError(f'{name} of {source} have the id {repeated[0]} more than once: give each an id of its own.')


def _problem(one: dict, images: set[int], categories: set[int]) -> str | None:
    """What is wrong with an annotation, in words."""
    if one['image_id'] not in images:
        return f'is of image {quoted(one["image_id"])}, which its list of images does not have'
    if one['category_id'] not in categories:
        return f'is of category {quoted(one["category_id"])}, which its list of categories does not have'
    if one.get('iscrowd', 0) not in (0, 1, None):  # a text '0' would be taken for true
        return f'has iscrowd {quoted(one["iscrowd"])}, which must be 0 or 1'
    box = one['bbox']
    if not isinstance(box, list) or len(box) != 4 or not all(_finite(value) for value in box):
        return f'has the bbox {quoted(box)}, not four numbers (left, top, width, height)'
    return None


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def of_classes(content: dict, classes: Sequence[str], source: str | Path) -> tuple[dict, list[str]]:
    """An annotation file's content with some of its categories alone, numbered 1, 2, ... in the order given.

    Args:
        content: of the file.
        classes: names of the categories that stay; one that the file does not list has no object.
        source: the file's name, for messages.

    Returns:
        The content, and what was left out or is lacking, each in words.

    Raises:
        UserError: the file lists a class twice, none of them, or one by almost the same name.
    """
    number_of = {name: number for number, name in enumerate(classes, start=1)}
    names = [str(category['name']) for category in content['categories']]
    kept = {category['id']: number_of[name] for category, name in zip(content['categories'], names, strict=True)
            if name in number_of}  # fmt: skip
    listed = ', '.join(map(brief, names[:5]))
    if not kept:
        raise UserError(f'none of `classes` is among the categories of {source} ({listed}): correct the names.')
    if len(set(kept.values())) < len(kept):
        name = next(name for name, times in Counter(names).items() if times > 1 and name in number_of)
        raise UserError(f'{source} lists the category {brief(name)!r} more than once: give each a name of its own.')
    other = [name for name in names if name not in number_of]
    lacking = [name for name in classes if name not in names]
    alike = {name.strip().casefold(): name for name in other}
    for name in lacking:
        if near := alike.get(name.strip().casefold()):
            raise UserError(f'{source} calls a category {near!r}, `classes` calls it {name!r}: write it alike.')
    notes = []
    if other:
        dropped = sum(one['category_id'] not in kept for one in content['annotations'])
        notes.append(f'`classes` leaves out of {source}: {_some(other)} (objects: {dropped:,})')
    if lacking:
        notes.append(f'{source} has no category {_some(lacking)}')
    images = [
        {**image, **{key: [kept[number] for number in image[key] if number in kept] for key in LVIS_LISTS if key in image}}
        for image in content['images']
    ]
    annotations = [
        {**one, 'category_id': kept[one['category_id']]} for one in content['annotations'] if one['category_id'] in kept
    ]
    given = {kept[category['id']]: category for category in content['categories'] if category['id'] in kept}
    categories = [{**given.get(number, {}), 'id': number, 'name': name} for name, number in number_of.items()]
    return {**content, 'images': images, 'annotations': annotations, 'categories': categories}, notes


def _some(names: Sequence[str]) -> str:
    return ', '.join(map(brief, names[:5])) + (f' and {len(names) - 5:,} more' if len(names) > 5 else '')
