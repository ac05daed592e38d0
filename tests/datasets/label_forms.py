"""Photos of five kinds of bird, and what is known of them written in every form that people have such labels in."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

BIRDS = {'avocet': 4, 'bittern': 6, 'curlew': 9, 'dunlin': 2, 'egret': 1}  # photos of each
NAMES = list(BIRDS)
PHOTOS = [(f'{name}/{name[0]}{number:02}.jpg', name) for name, count in BIRDS.items() for number in range(count)]
LABELS = [NAMES.index(name) for _, name in PHOTOS]
# What a photo shows beside: any number of three things, in the order that they are sorted.
THINGS = ['ice', 'nest', 'reed']
SHOWN = np.array([[number % 3 == 0, number % 4 == 1, number % 2 == 0] for number in range(len(PHOTOS))], dtype=np.float32)
NEST = [number // 2 for number in range(len(PHOTOS))]  # two photos at each


def photos(root: Path) -> Path:
    """Write the photos, a folder a class."""
    for number, (path, _) in enumerate(PHOTOS):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (12, 9), (9 * number, 80, 3 * number)).save(root / path)
    return root


def lines(form: str, end: str = '\n') -> str:
    return ''.join(form.format(path=path, name=name, label=NAMES.index(name)) + end for path, name in PHOTOS)


def rows(header: list[str], row, sep: str = ',') -> str:  # noqa: ANN001
    """A table; `row(number, path, name)` gives its cells."""
    cells = [header, *(row(number, *photo) for number, photo in enumerate(PHOTOS))]
    return ''.join(sep.join(map(str, line)) + '\n' for line in cells)


def stem(path: str) -> str:
    return path.rpartition('.')[0]


def bare(path: str) -> str:
    return path.rpartition('/')[2]


def hot(name: str, one: str = '1', zero: str = '0') -> list[str]:
    return [one if name == other else zero for other in NAMES]


def marks(number: int) -> list[str]:
    return [str(int(mark)) for mark in SHOWN[number]]


def things(number: int, sep: str = '|', none: str = 'No Finding') -> str:
    return sep.join(thing for thing, mark in zip(THINGS, SHOWN[number], strict=True) if mark) or none


ONE = {  # one label an image: file name, content, and whether classes are named by numbers
    'list, numbers': ('a.txt', lines('{path} {label}'), True),
    'list, names': ('a.txt', lines('{path} {name}'), False),
    'list, names behind tabs': ('a.txt', lines('{path}\t{name}'), False),
    'list, commas': ('a.txt', lines('{path},{label}'), True),
    'list, names and semicolons': ('a.txt', lines('{path}; {name}'), False),
    'list, quoted names': ('a.txt', lines('"{path}"\t"{name}"'), False),
    'list, Windows': ('a.txt', lines('{path} {name}', '\r\n').replace('/', '\\').encode('utf-16'), False),
    'list under a folder': ('a.txt', lines('/home/anna/birds/{path} {name}'), False),
    'table': ('a.csv', rows(['path', 'label'], lambda n, path, name: [path, name]), False),
    'table, numbers': ('a.csv', rows(['image', 'class_id'], lambda n, path, name: [path, NAMES.index(name)]), True),
    'table, numbers as floats': ('a.csv', rows(['image', 'y'], lambda n, path, name: [path, f'{NAMES.index(name)}.0']), True),
    'table, number and name': (
        'a.csv', rows(['class_id', 'class_name', 'file'], lambda n, path, name: [NAMES.index(name), name, path]), False),
    'table, tabs': ('a.tsv', rows(['filename', 'species'], lambda n, path, name: [path, name], '\t'), False),
    'table, semicolons': ('a.csv', rows(['Path', 'Width', 'ClassId'], lambda n, path, name: [path, 12, NAMES.index(name)], ';'),
                          True),
    'table, quoted': ('a.csv', rows(['"path"', '"label"'], lambda n, path, name: [f'"{path}"', f'"{name}"']), False),
    'table called a list': ('a.txt', rows(['path', 'label'], lambda n, path, name: [path, name]), False),
    'table, UTF-16': ('a.csv', rows(['path', 'label'], lambda n, path, name: [path, name], '\t').encode('utf-16'), False),
    'lesions': ('a.csv', rows(['lesion_id', 'image_id', 'dx', 'age'],
                              lambda n, path, name: [f'L{NEST[n]}', bare(stem(path)), name, 40]), False),
    'a column a class': ('a.csv', rows(['image', *NAMES], lambda n, path, name: [bare(stem(path)), *hot(name, '1.0', '0.0')]),
                         False),
    'Roboflow': ('_classes.csv', rows(['filename', *(f' {name}' for name in NAMES)],
                                      lambda n, path, name: [path, *(f' {mark}' for mark in hot(name))]), False),
    'COCO': ('a.json', json.dumps(dict(
        images=[dict(id=7 * n + 3, file_name=path) for n, (path, _) in enumerate(PHOTOS)],
        annotations=[dict(id=n, image_id=7 * n + 3, category_id=5 * NAMES.index(name) + 2)
                     for n, (_, name) in reversed(list(enumerate(PHOTOS)))],
        categories=[dict(id=5 * k + 2, name=name) for k, name in reversed(list(enumerate(NAMES)))])), False),
    'mmpretrain': ('a.json', json.dumps(dict(
        metainfo=dict(classes=NAMES), data_list=[dict(img_path=path, gt_label=NAMES.index(name)) for path, name in PHOTOS])),
        False),
    'records': ('a.json', json.dumps([dict(file_name=path, label=name) for path, name in PHOTOS]), False),
    'JSON lines': ('a.jsonl', ''.join(json.dumps(dict(file_name=path, label=name)) + '\n' for path, name in PHOTOS), False),
    'paths with labels': ('a.json', json.dumps(dict(PHOTOS), indent=1), False),
}  # fmt: skip

SEVERAL = {  # several labels an image: file name, content
    'list': ('s.txt', ''.join(f'{path} {things(n, ",", "-")}\n' for n, (path, _) in enumerate(PHOTOS))),
    'findings': ('s.csv', rows(['Image Index', 'Finding Labels', 'Patient ID'],
                               lambda n, path, name: [bare(path), things(n), NEST[n]])),
    'findings between semicolons': ('s.csv', rows(['file', 'tags'], lambda n, path, name: [path, things(n, ';', '')])),
    'a column a class': ('s.csv', rows(['Path', 'Sex', *THINGS],
                                       lambda n, path, name: [f'birds-v1.0-small/{path}', 'F', *marks(n)])),
    'COCO': ('s.json', json.dumps(dict(
        images=[dict(id=n, file_name=path) for n, (path, _) in enumerate(PHOTOS)],
        annotations=[dict(id=n * 3 + int(k), image_id=n, category_id=int(k))
                     for n in range(len(PHOTOS)) for k in np.flatnonzero(SHOWN[n])],
        categories=[dict(id=k, name=name) for k, name in enumerate(THINGS)]))),
    'mmpretrain': ('s.json', json.dumps(dict(
        metainfo=dict(classes=THINGS),
        data_list=[dict(img_path=path, gt_label=np.flatnonzero(SHOWN[n]).tolist()) for n, (path, _) in enumerate(PHOTOS)]))),
    'records': ('s.json', json.dumps([dict(image=path, labels=things(n, '|', '').split('|') if SHOWN[n].any() else [])
                                      for n, (path, _) in enumerate(PHOTOS)])),
}  # fmt: skip


def write(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name
