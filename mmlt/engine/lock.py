"""One process at a time in a run's folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mmengine.dist import barrier, broadcast_object_list, is_main_process

from mmlt.engine.console import say
from mmlt.errors import UserError

_held: set[IO] = set()


@contextmanager
def run_lock(folder: str | Path, wait: bool) -> Iterator[None]:
    """Hold a run's folder; the lock goes with the process, however that ends.

    Args:
        folder: the run's folder, made if missing.
        wait: wait for another process that trains here (a shared prerequisite) instead of refusing.

    Raises:
        UserError: another process trains into this folder and `wait` is false.
    """
    folder = Path(folder)
    handle = None
    problem = [None]
    if is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / '.lock', 'w')  # noqa: SIM115 - held for the whole run
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait:
                say(f'waiting for another process that trains {folder}')
                fcntl.flock(handle, fcntl.LOCK_EX)
            else:
                problem = [f'another process is training into {folder}: wait for it, or choose another --work-dir.']
    broadcast_object_list(problem)
    if problem[0]:
        raise UserError(problem[0])
    if handle:
        _held.add(handle)
    try:
        yield
        barrier()  # not after an error, which the other ranks may know nothing of
    finally:
        if handle:
            _held.discard(handle)
            handle.close()


def _let_go() -> None:
    # A loader's worker, forked while the lock is held, would keep it for a while after the run was killed.
    for handle in _held:
        handle.close()


os.register_at_fork(after_in_child=_let_go)
