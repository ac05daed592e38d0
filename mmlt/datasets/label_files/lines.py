"""Lists: a line an image, its path and its label or labels."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlt.datasets.class_folders import EXTENSIONS
from mmlt.datasets.label_files.options import Options
from mmlt.datasets.label_files.raw import Raw
from mmlt.datasets.label_files.several import rows_of, take_rows
from mmlt.errors import UserError, brief

LONGEST = 8192  # characters of a line; a path has at most 4,096
DIGITS = 18  # of a label, so that it fits into 64 bits
# An image's name with numbers behind it: further labels, unless there is a file of that name.
SEVERAL = re.compile(r'(.*\.[A-Za-z]\w{1,4})[\s,;]+([\d\s,;]+)')
# The beginning of a line that is neither empty nor a bare path and a number.
NOT_PLAIN = re.compile(r'^(?![ \t]*(?:[^\s"\'~\\][^\s\\]*[ \t]+[0-9]{1,18}[ \t]*)?$)', re.MULTILINE)
ENDS = '|'.join(map(re.escape, EXTENSIONS))
IMAGE_THEN = re.compile(rf'(.+?(?:{ENDS}))(?:\s*[,;\t]\s*|\s+)(\S.*)', re.IGNORECASE)


def read_lines(file: Path, text: str, root: Path, options: Options) -> Raw:
    """Read lines `path label`; the path may be quoted, hold spaces, and begin with `~`; empty lines are skipped.

    The label is a number or, in a list whose first line says so, a name. Where several are asked for, labels stand in one word
    with commas, and `-` is none.

    Args:
        file: the list.
        text: its content.
        root: folder that the paths start from.
        options: `several` and `separator`.

    Raises:
        UserError: it names no image, or has a line that is something else; the line is named.
    """
    if not options.several and text and not text.isspace() and not NOT_PLAIN.search(text):
        words = text.split()  # most of a long list's time is saved here
        paths, labels = words[::2], words[1::2]
        numbers = np.arange(1, len(paths) + 1)
        if len(paths) < text.count('\n') + (not text.endswith('\n')):
            numbers = np.array([number for number, line in enumerate(text.split('\n'), 1) if line and not line.isspace()])
        return Raw(file, 'a list of paths and numbers', paths, numbers, values=_whole(labels))
    rows = [(number, line) for number, line in enumerate(text.split('\n'), 1) if line and not line.isspace()]
    if not rows:
        raise UserError(f'the annotation list {file} names no image.')
    for number, line in rows:
        if len(line) > LONGEST:
            raise UserError(
                f'line {number} of {file} has more than {LONGEST:,} characters ({brief(line, 60)!r}): '
                f'{_what_else(line) or "a list has a line an image, a path and a label"}.'
            )
    if options.several:
        return _several(file, rows, options)
    numeric = _looks_numeric(rows[0][1])
    pairs = [_parse(line, f'line {number} of {file}', root, numeric) for number, line in rows]
    paths, labels = zip(*pairs, strict=True)
    numbers = np.array([number for number, _ in rows])
    if numeric:
        return Raw(file, 'a list of paths and numbers', paths, numbers, values=_whole(labels))
    return Raw(file, 'a list of paths and names', paths, numbers, values=labels)


def _whole(labels: Sequence[str]) -> np.ndarray:
    return np.fromiter(map(int, labels), dtype=np.int64, count=len(labels))


def _looks_numeric(line: str) -> bool:
    """Whether a line ends in a number, or in what was meant as one and is told so."""
    _, label = _split(line)
    return not label or bool(re.fullmatch(r'-?\d[\d.,;|\s]*', label)) or _what_else(line) is not None


def _split(line: str) -> tuple[str, str]:
    """The path, which may be quoted, and what stands behind it."""
    line = line.strip()
    if line[0] in '"\'' and (end := line.find(line[0], 1)) > 0 and (not line[end + 1 :] or line[end + 1] in ' \t,;'):
        return line[1:end].strip(), line[end + 1 :].strip(' \t,;').strip('"')
    if '\t' in line:
        path, label = line.rsplit('\t', 1)
    elif found := IMAGE_THEN.fullmatch(line):
        path, label = found.groups()
    else:
        path, label = (line.rsplit(maxsplit=1) + [''])[:2]
    return path.strip().strip('"'), label.strip().strip('"')


def _parse(line: str, where: str, root: Path, numeric: bool) -> tuple[str, str]:
    if not numeric:
        name, label = _split(line)
        if not name or not label:
            raise UserError(f'{where} is not a path and a label: {brief(line.strip())!r}{_hint(line, label)}.')
        return _home(name), label
    parts = line.rsplit(maxsplit=1)
    name, label = (parts[0].strip(), parts[1]) if len(parts) == 2 else (line.strip(), '')
    if not (label.isascii() and label.isdecimal()) and (found := IMAGE_THEN.fullmatch(line.strip())) and found[2].isdecimal():
        name, label = found.groups()  # a.jpg,3
    if len(name) > 1 and name[0] == name[-1] and name[0] in '"\'':
        name = name[1:-1].strip()
    if not name or not (label.isascii() and label.isdecimal()):
        raise UserError(f'{where} is not a path and a label: {brief(line.strip())!r}{_hint(line, label)}.')
    if len(label) > DIGITS:
        raise UserError(f'{where} has the label {brief(label, 40)}, which is no number of a class.')
    if name[-1].isdigit() and (more := SEVERAL.fullmatch(name)) and not os.path.lexists(root / name):
        raise UserError(f'{where} has several labels ({brief(f"{more[2].strip()} {label}", 40)}), and an image has one here: '
                        'keep one of them on each line, or read them with MultiLabelDataset.')  # fmt: skip
    return _home(name), label


def _home(name: str) -> str:
    return os.path.expanduser(name) if name[0] == '~' else name


def _several(file: Path, rows: list[tuple[int, str]], options: Options) -> Raw:
    paths, said = [], []
    for number, line in rows:
        path, labels = _split(line)
        if not path or not labels:
            raise UserError(f'line {number} of {file} is not a path and labels (`a.jpg 0,3`): {brief(line.strip())!r}.')
        paths.append(_home(path))
        said.append(labels)
    raw = Raw(file, 'a list of paths and labels', paths, np.array([number for number, _ in rows]))
    if options.separator is None:  # any of them may stand between, on one line
        plain = [labels if labels[0] == '[' else re.sub('[,;]', '|', labels) for labels in said]
        said = plain if not options.classes or not set(said) <= {*options.classes, '-'} else said
    parts = rows_of(said, options, '|', raw.line, raw.notes.append)
    shown = [[part.strip() for part in row if part.strip()] for row in parts]
    take_rows(raw, [[] if row == ['-'] else row for row in shown], options)
    return raw


def _hint(line: str, label: str) -> str:
    if other := _what_else(line):
        return f'; {other}'
    if re.fullmatch(r'-\d+', label):
        return '; labels are numbers from 0: leave images without a class out'
    if re.fullmatch(r'\d+(?:[,;|]\d+)+', label):
        return '; several labels are not read, keep one (MultiLabelDataset reads them)'
    if re.fullmatch(r'\d+\.\d*', label):
        return '; labels are whole numbers'
    if ',' in line or ';' in line:
        return '; put a space between path and label, no comma, and leave a header out'
    if label and not any(char.isdigit() for char in label):
        return '; the labels before it are numbers: give all of them numbers, or all of them names'
    return ''


def _what_else(line: str) -> str | None:
    if line.lstrip().startswith(('{', '[')):
        return 'it is JSON, and this is no JSON that is read: see docs/labels.md'
    if line.lstrip().startswith('<'):
        return 'it is XML or HTML, and a list has a line `path label` an image'
    return None
