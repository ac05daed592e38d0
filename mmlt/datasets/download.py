"""Fetch a published file: resumable, checked, renamed into place, by one process at a time."""

import fcntl
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from mmlt.errors import UserError
from mmlt.files import sync_folder

BLOCK = 1 << 18
MAX_CONNECTIONS = 20
TIMEOUT = 30  # seconds without a byte


class DownloadError(Exception):
    """Why a download did not finish, in a few words."""


def download(url: str, target: Path, check: Callable[[Path], None]) -> None:
    """Fetch `url` into `target`; what an interrupted download left in `target.part` is continued.

    A connection that breaks off is taken up again as long as each brings something. Several processes may call this at
    once: one downloads, the others wait for it.

    Args:
        url: http or https.
        target: the file; its folder is made.
        check: raises UserError when given a file that is not the wanted one, which is then deleted.

    Raises:
        DownloadError: the host cannot be reached, refuses, or breaks off for good (the part stays).
        UserError: what came is not the wanted file.
    """
    part = target.with_name(target.name + '.part')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target.with_name(f'.{target.name}.lock'), 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if target.exists():
                return
            _fetch(url, part)
            try:
                check(part)
            except UserError as error:
                part.unlink()
                raise UserError(f'what {url} sent is not the published file and was deleted: run again, or put '
                                f'{target.name} into {target.parent} yourself.') from error
            part.replace(target)
            sync_folder(target.parent)
    except OSError as error:
        raise DownloadError(f'{error.strerror or error}') from error


def _fetch(url: str, part: Path) -> None:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn('{task.description}'), *columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(part.stem, total=None)
        for _ in range(MAX_CONNECTIONS):
            before = part.stat().st_size if part.exists() else 0
            try:
                total = _receive(url, part, lambda done, of: progress.update(task, completed=done, total=of))
            except urllib.error.HTTPError as error:
                raise DownloadError(f'the host answered {error.code} {error.reason}') from error
            except (OSError, http.client.HTTPException) as error:
                after = part.stat().st_size if part.exists() else 0
                if after <= before:
                    reason = str(getattr(error, 'reason', '') or error)
                    raise DownloadError(reason or 'the connection broke off') from error
                continue
            if total is None or part.stat().st_size >= total:
                return
    raise DownloadError(f'the connection broke off {MAX_CONNECTIONS} times')


def _receive(url: str, part: Path, report: Callable[[int, int | None], None]) -> int | None:
    """One connection; returns the whole file's length in bytes if the host told it."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={'Range': f'bytes={have}-'} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # Nothing lies beyond `have`: the part is whole, or longer than the file and of no use.
        whole = re.fullmatch(r'bytes \*/(\d+)', error.headers.get('Content-Range', ''))
        error.close()
        if whole and int(whole[1]) == have:
            return have
        part.unlink()
        return _receive(url, part, report)
    with response:
        length = response.headers.get('Content-Length')
        place = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', response.headers.get('Content-Range', ''))
        if response.status == 206 and place and int(place[1]) == have:
            total = int(place[2]) if place[2] != '*' else None
        else:  # the host sends the file from its beginning
            have, total = 0, int(length) if length else None
        with open(part, 'ab' if have else 'wb') as file:
            report(have, total)
            while block := response.read(BLOCK):
                file.write(block)
                have += len(block)
                report(have, total)
    if total is not None and have < total:
        raise ConnectionError(f'the connection broke off at {have} of {total} bytes')
    return total
