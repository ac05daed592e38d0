"""A process that another one of mmlt started ends with it, however that ends: a grid's runs, a launcher's ranks."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

PARENT = 'MMLT_PARENT'  # the variable that tells a process whom to follow
POLL = 2.0  # seconds between two looks where the system does not tell
PR_SET_PDEATHSIG = 1  # of prctl(2)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that shall not outlive this one; it must be started by the main thread."""
    return {**env, PARENT: str(os.getpid())}


def follow_parent() -> None:
    """Where a parent asks for it: get SIGTERM when it is no more, so that the run saves and leaves.

    A parent that is killed by SIGKILL can hand nothing on. Linux tells by itself; elsewhere, and where another program
    stands between the two, a thread looks now and then.
    """
    parent = os.environ.pop(PARENT, '')  # not for processes that this one starts
    if not parent.isdigit():
        return
    if os.getppid() == int(parent) and sys.platform == 'linux':
        with contextlib.suppress(OSError, AttributeError):
            if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) == 0:
                if os.getppid() != int(parent):  # it ended in between
                    os.kill(os.getpid(), signal.SIGTERM)
                return
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    while _lives(parent):
        time.sleep(POLL)
    os.kill(os.getpid(), signal.SIGTERM)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
