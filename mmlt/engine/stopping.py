"""Ctrl-C and SIGTERM ask a run to stop."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mmlt.engine.console import say

ECHO = 5.0  # seconds within which a SIGTERM that follows another signal counts as the same request


class StopRequest:
    """Notes the first signal, after which a run finishes its step, saves and leaves; the next one leaves at once.

    Attributes:
        number: of the signal that came; None where none did.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._at = 0.0
        self._process = os.getpid()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals while this lasts; outside of the main thread, which alone gets them, nothing is noted."""
        previous = {}
        with suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, self._note)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:  # a loader's worker, which Ctrl-C reaches too: the run stops it
            return
        now = time.monotonic()
        if self.number is not None:
            # Slurm signals every process of a step, and a parent of this one forwards the same signal: one request, not two.
            if number == signal.SIGTERM and now - self._at < ECHO:
                return
            sys.exit(128 + number)
        self.number, self._at = number, now
        with suppress(RuntimeError):  # the signal came in the midst of another line
            say('stopping after this step; once more leaves at once.')
