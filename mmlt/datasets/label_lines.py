"""Lines of a path and a label, read from a text file that somebody else wrote."""

import codecs
import io
import lzma
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmlt.datasets.naming import with_slashes
from mmlt.errors import UserError, brief

LONGEST = 8192  # characters of a line; a path has at most 4,096
DIGITS = 18  # of a label, so that it fits into 64 bits
# An image's name with numbers behind it: further labels, unless there is a file of that name.
SEVERAL = re.compile(r'(.*\.[A-Za-z]\w{1,4})[\s,;]+([\d\s,;]+)')


@dataclass
class LabelLines:
    """What a list says.

    Args:
        file: the list.
        paths: N paths of images, `/` between folders.
        labels: (N,) int64 from 0, as they stand there.
        numbers: (N,) of their lines, from 1.
    """

    file: Path
    paths: list[str]
    labels: np.ndarray
    numbers: np.ndarray


def read_lines(file: Path, root: Path) -> LabelLines:
    """Read a list of lines `path label`; the path may be quoted, hold spaces, and begin with `~`.

    A byte-order mark, UTF-16 (which has one) and any line ends are understood, bytes that are not UTF-8 kept as they are.
    Backslashes are folders' ends, unless there is a file of that name.

    Args:
        file: `.txt`, or `.txt.xz` compressed.
        root: folder that the paths start from.

    Raises:
        UserError: the file cannot be read, names no image, or has a line that is something else; the line is named.
    """
    paths, labels, numbers = [], [], []
    try:
        with _opened(file) as stream:
            number = 0
            while line := stream.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise UserError(
                        f'line {number} of {file} has more than {LONGEST:,} characters ({brief(line, 60)!r}): '
                        f'{_what_else(line) or "a list has a line an image, a path and a label"}.'
                    )
                if not line.strip():
                    continue
                name, label = _parse(line, f'line {number} of {file}', root)
                paths.append(name)
                labels.append(label)
                numbers.append(number)
    except (OSError, EOFError, lzma.LZMAError, UnicodeError) as error:
        raise UserError(f'the annotation list {file} cannot be read ({error}): save it as UTF-8 text.') from error
    if not paths:
        raise UserError(f'the annotation list {file} names no image.')
    return LabelLines(file, paths, np.array(labels, dtype=np.int64), np.array(numbers))


def _opened(file: Path) -> io.TextIOWrapper:
    opener = lzma.open if file.suffix == '.xz' else open
    with opener(file, 'rb') as stream:
        head = stream.read(4)
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding, errors = ('utf-16', 'strict') if utf16 else ('utf-8-sig', 'surrogateescape')
    return opener(file, 'rt', encoding=encoding, errors=errors)


def _parse(line: str, where: str, root: Path) -> tuple[str, int]:
    parts = line.rsplit(maxsplit=1)
    if '\0' in line:
        raise UserError(f'{where} holds NUL characters: save the list as UTF-8 text.')
    name, label = (parts[0].strip(), parts[1]) if len(parts) == 2 else (line.strip(), '')
    if len(name) > 1 and name[0] == name[-1] and name[0] in '"\'':
        name = name[1:-1].strip()
    if not name or not (label.isascii() and label.isdecimal()):
        raise UserError(f'{where} is not a path and a label: {brief(line.strip())!r}{_hint(line, label)}.')
    if len(label) > DIGITS:
        raise UserError(f'{where} has the label {brief(label, 40)}, which is no number of a class.')
    if name[-1].isdigit() and (more := SEVERAL.fullmatch(name)) and not os.path.lexists(root / name):
        raise UserError(f'{where} has several labels ({brief(f"{more[2].strip()} {label}", 40)}), and an image has one here: '
                        'keep one of them on each line.')
    if name[0] == '~':
        name = os.path.expanduser(name)
    return with_slashes(name, root), int(label)


def _hint(line: str, label: str) -> str:
    if other := _what_else(line):
        return f'; {other}'
    if re.fullmatch(r'-\d+', label):
        return '; labels are numbers from 0: leave images without a class out'
    if re.fullmatch(r'\d+(?:[,;|]\d+)+', label):
        return '; several labels are not read, keep one'
    if re.fullmatch(r'\d+\.\d*', label):
        return '; labels are whole numbers'
    if ',' in line or ';' in line:
        return '; put a space between path and label, no comma, and leave a header out'
    if label and not any(char.isdigit() for char in label):
        return '; labels are numbers from 0: write those of the names, and the names into `classes`'
    return ''


def _what_else(line: str) -> str | None:
    if line.lstrip().startswith(('{', '[')):
        return 'it is JSON, and ann_file is a text with a line `path label` an image: write one from it'
    if line.lstrip().startswith('<'):
        return 'it is XML or HTML, and ann_file is a text with a line `path label` an image'
    return None
