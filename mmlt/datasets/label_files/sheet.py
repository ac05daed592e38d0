"""Tables: a header and a line an image, cells parted by commas, semicolons, tabs or bars."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmlt.datasets.class_folders import is_image
from mmlt.errors import UserError, brief

DELIMITERS = ',;\t|'


@dataclass
class Sheet:
    """A table by columns.

    Args:
        file: that it stands in.
        columns: N cells by header, spaces around them taken off.
        numbers: (N,) int64, the line of each row, or its entry.
        line_word: what `numbers` counts.
        lists: of columns that hold lists of texts, N of these; `columns` has them joined.
    """

    file: Path
    columns: dict[str, Sequence[str]]
    numbers: np.ndarray
    line_word: str = 'line'
    lists: dict[str, Sequence[Sequence[str]]] = field(default_factory=dict)

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return list(self.columns)

    def named(self, wanted: str) -> str | None:
        """The column of a name; upper and lower case count alike where no column has it exactly."""
        if wanted in self.columns:
            return wanted
        alike = [name for name in self.columns if name.lower() == wanted.strip().lower()]
        return alike[0] if len(alike) == 1 else None

    def wanted(self, name: str, option: str) -> str:
        """The column that an option names.

        Raises:
            UserError: there is none.
        """
        if (found := self.named(name)) is None:
            raise UserError(f'{self.file} has no column {brief(name)!r}; {self.has()}: correct {option}.')
        return found

    def has(self) -> str:
        """Its columns, in words."""
        return f'its columns are {", ".join(map(brief, self.header[:12]))}{", ..." if len(self.header) > 12 else ""}'


def delimiter_of(line: str) -> str | None:
    """What parts the cells of a header; None where nothing does."""
    counts = {char: line.count(char) for char in DELIMITERS}
    best = max(DELIMITERS, key=counts.__getitem__)
    return best if counts[best] else None


def read_sheet(file: Path, text: str) -> Sheet:
    """Read a table.

    Raises:
        UserError: it names no image or has no header, two columns are called alike, or a row has another number of cells; the
            line is named.
    """
    first = next((line for line in text.split('\n') if line.strip()), '')
    reader = csv.reader(io.StringIO(text), delimiter=delimiter_of(first) or ',', skipinitialspace=True, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row and any(map(str.strip, row))]
    except csv.Error as error:
        raise UserError(
            f'line {reader.line_num} of {file} cannot be read as a line of a table ({error}): close the quotes, and save it '
            'as UTF-8 text.'
        ) from error
    if len(rows) < 2:
        raise UserError(f'{file} names no image: it must have a header and a line an image.')
    header = [' '.join(cell.split()) for cell in rows[0][1]]
    if named := next((cell for cell in header if is_image(cell)), None):
        raise UserError(
            f'line {rows[0][0]} of {file} names the image {brief(named)}, and it is the header, which names the columns: put a '
            'line like image,label above it.'
        )
    while header and not header[-1]:  # a delimiter at the end of each line
        header.pop()
    blank = [cell or f'column {place + 1}' for place, cell in enumerate(header)]
    seen: dict[str, int] = {}
    for place, name in enumerate(blank):
        if name in seen:
            raise UserError(f'the header of {file} has the column {brief(name)!r} twice: name each once.')
        seen[name] = place
    width = len(blank)
    for line, row in rows:
        if len(row) != width and (len(row) < width or any(map(str.strip, row[width:]))):
            raise UserError(f'line {line} of {file} has {len(row)} cells, and the header {width}: correct it.')
    columns = {name: [row[place].strip() for _, row in rows[1:]] for place, name in enumerate(blank)}
    return Sheet(file, columns, np.array([line for line, _ in rows[1:]]))
