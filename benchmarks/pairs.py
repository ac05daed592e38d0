"""Legs as processes, measured in turn."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mmlt.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


class LegProcess:
    """A leg in a process of its own, so that its memory is its own.

    Args:
        name: what it is called in messages.
        kind: `runner`, `bare` or `rival`.
        options: keywords of the leg.
        threads: of PyTorch.
    """

    def __init__(self, name: str, kind: str, options: dict[str, Any], threads: int) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115 - closed with the process
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH'))))
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'benchmarks.worker'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': str(threads)},
        )
        self._tell(dict(kind=kind, options=options, threads=threads))

    def _tell(self, content: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # the answer that does not come tells more
            self._process.stdin.write(json.dumps(content) + '\n')
            self._process.stdin.flush()

    def _hear(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = self._errors.read().strip().splitlines()[-1:] or ['no message']
            raise UserError(f'the leg {self.name} stopped: {last[0]}')
        return json.loads(line)

    def wait(self) -> None:
        """Until it is ready to be measured."""
        self._hear()

    def measure(self, warmup: int, steps: int) -> dict:
        """Images a second of `steps` steps (`images_per_s`), `peak_memory_mb`, and the leg's other figures."""
        self._tell([warmup, steps])
        figures = self._hear()
        return {**figures, 'images_per_s': figures['images'] / figures['seconds']}

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def measure_in_turn(legs: list[LegProcess], pairs: int, warmup: int, steps: int) -> list[list[dict]]:
    """Measure A B, B A, A B ...: one list of `pairs` measurements for each leg. The first round warms up twice as long."""
    for leg in legs:
        leg.wait()
    measured: list[list[dict]] = [[] for _ in legs]
    for turn in range(pairs):
        order = list(zip(legs, measured, strict=True))
        for leg, found in order[:: 1 if turn % 2 == 0 else -1]:  # whoever follows has no standing advantage
            found.append(leg.measure(warmup * (2 if turn == 0 else 1), steps))
    return measured


def compare(own: list[dict], rivals: dict[str, list[dict]]) -> dict:
    """Medians of both sides and of their ratio, pair by pair, against the rival that is fastest in the median.

    Args:
        own: measurements of mmlt.
        rivals: measurements of each variant of the rival, in the same turns.

    Returns:
        images_per_s, rival, rival_images_per_s, ratio, spread [least, greatest ratio], peak memories, share outside.
    """

    def rate(found: list[dict]) -> float:
        return statistics.median(one['images_per_s'] for one in found)

    best = max(rivals, key=lambda name: rate(rivals[name]))
    ratios = [a['images_per_s'] / b['images_per_s'] for a, b in zip(own, rivals[best], strict=True)]
    outside = [one['outside'] for one in own if one.get('outside') is not None]
    return dict(
        images_per_s=round(rate(own), 1),
        rival=best,
        rival_images_per_s=round(rate(rivals[best]), 1),
        ratio=round(statistics.median(ratios), 3),
        spread=[round(min(ratios), 3), round(max(ratios), 3)],
        peak_memory_mb=round(own[-1]['peak_memory_mb']),
        rival_peak_memory_mb=round(rivals[best][-1]['peak_memory_mb']),
        outside_share=round(statistics.median(outside), 4) if outside else None,
        all_rivals={name: round(rate(found), 1) for name, found in rivals.items()},
    )
