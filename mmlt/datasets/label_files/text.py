"""The text of a file with labels, in whatever encoding it is, and what kind of text it is."""

import codecs
import gzip
import lzma
import zlib
from pathlib import Path

from mmlt.errors import UserError

OPENERS = {'.xz': lzma.open, '.gz': gzip.open}


def read_text(file: Path) -> str:
    """The whole text, line ends as `\\n`: UTF-8 or UTF-16 (which has a byte-order mark), packed by xz or gzip or not.

    Bytes that are not UTF-8 are kept as Python keeps those of file names.

    Raises:
        UserError: it cannot be read, or is no text.
    """
    try:
        with OPENERS.get(file.suffix.lower(), open)(file, 'rb') as stream:
            content = stream.read()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode('utf-16')
        else:
            text = content.removeprefix(codecs.BOM_UTF8).decode('utf-8', 'surrogateescape')
    except (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeError) as error:
        raise UserError(f'the annotation list {file} cannot be read ({error}): save it as UTF-8 text.') from error
    if (place := text.find('\0')) >= 0:
        line = text.count('\n', 0, place) + 1
        raise UserError(f'line {line} of {file} holds NUL characters: save the list as UTF-8 text.')
    return text.replace('\r\n', '\n').replace('\r', '\n') if '\r' in text else text


def bare_suffix(file: Path) -> str:
    """What the file's name ends in, packing left aside: `.csv` of `a.csv.gz`."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in OPENERS), '')
