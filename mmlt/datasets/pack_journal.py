"""The journal of a pack that is being written: what an unfinished one holds for certain."""

import struct
from pathlib import Path

from mmlt.datasets.pack import BEGIN, digest_of
from mmlt.errors import UserError

RECORD = struct.Struct('<QQHH')  # end, digest, width, height; an image left out has no width
SYNCED = 2**27  # bytes between two moments from which a stopped machine goes on

Record = tuple[int, int, int, int]


def begun(unfinished: Path, journal: Path, key: bytes) -> list[Record]:
    """The records of an unfinished pack, up to the last image that is whole, and all before it.

    What was written since the last synchronisation may have holes after a machine's crash, in any place: all of it is read,
    and ends at the first image that is not whole. Where nothing of it is whole, that much before it is read too, and so on.

    Args:
        unfinished: the pack.
        journal: beside it, a record an image.
        key: what the journal begins with, of the images and what is done with them.

    Returns:
        A record of each image in order; none where there is no such pack.

    Raises:
        UserError: it is of other images.
    """
    if not (unfinished.is_file() and journal.is_file()):
        return []
    written = journal.read_bytes()
    if written[: len(key)] != key:
        raise UserError(
            f'{unfinished} is the beginning of a pack of other images, or of another side or quality: delete it, or choose '
            'another file.'
        )
    records = [RECORD.unpack_from(written, at) for at in range(len(key), len(written) - RECORD.size + 1, RECORD.size)]
    records = records[: _ascending(records)]
    with open(unfinished, 'rb') as data:
        while records:
            first = _unsynced(records)
            whole, bad = 0, len(records)  # images of at least a byte that are whole; the first record that is not
            for number in range(first, len(records)):
                start = records[number - 1][0] if number else BEGIN
                data.seek(start)
                content = data.read(records[number][0] - start)
                if digest_of(content) != records[number][1]:
                    bad = number
                    break
                whole += bool(content)
            if bad == len(records) or whole:
                return records[:bad]
            records = records[:first]
    return records


def _ascending(records: list[Record]) -> int:
    """How many records are in order: those of a hole in the journal are zeros."""
    last = BEGIN
    for number, record in enumerate(records):
        if record[0] < last:
            return number
        last = record[0]
    return len(records)


def _unsynced(records: list[Record]) -> int:
    """The first record that the last synchronisation, at most `SYNCED` bytes before the last image, may not have reached."""
    certain = (records[-2][0] if len(records) > 1 else BEGIN) - SYNCED
    first = len(records) - 1
    while first and records[first - 1][0] > certain:
        first -= 1
    return first
