"""One process at a time in a run's folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mmengine.dist import barrier, broadcast_object_list, is_main_process

from mmlt.engine.checkpoint import sweep
from mmlt.engine.console import say
from mmlt.errors import UserError

POLL = 1.0  # seconds between two tries to take a lock that another process holds
ROUND = 60.0  # seconds after which rank 0 tells the others that it still waits: a collective call is given 10 minutes

_held: set[IO] = set()


@contextmanager
def run_lock(folder: str | Path, wait: bool) -> Iterator[None]:
    """Hold a run's folder, cleared of half-written files; the lock goes with the process, however that ends.

    Args:
        folder: the run's folder, made if missing.
        wait: wait for another process that trains here (a shared prerequisite) instead of refusing.

    Raises:
        UserError: another process trains into this folder and `wait` is false.
    """
    folder = Path(folder)
    handle = None
    if is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / '.lock', 'w')  # noqa: SIM115 - held for the whole run
    if not _agreed(handle, 0):
        if not wait:
            raise UserError(f'another process is training into {folder}: wait for it, or choose another --work-dir.')
        say(f'waiting for another process that trains {folder}')
        while not _agreed(handle, ROUND):
            pass
    if handle:
        _held.add(handle)
        sweep(folder)  # whatever comes next: also a finished run may have been killed while it wrote its page
    try:
        yield
        barrier()  # not after an error, which the other ranks may know nothing of
    finally:
        if handle:
            _held.discard(handle)
            handle.close()


def is_locked(folder: str | Path) -> bool:
    """Whether a process trains into this folder now."""
    try:
        with open(Path(folder) / '.lock') as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _agreed(handle: IO | None, seconds: float) -> bool:
    """Whether rank 0, which holds the handle, got the lock in that time: the same answer on every rank."""
    got = [handle is not None and _taken(handle, seconds)]
    broadcast_object_list(got)
    return got[0]


def _taken(handle: IO, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
        time.sleep(POLL)


def _let_go() -> None:
    # A loader's worker, forked while the lock is held, would keep it for a while after the run was killed.
    for handle in _held:
        handle.close()


os.register_at_fork(after_in_child=_let_go)
