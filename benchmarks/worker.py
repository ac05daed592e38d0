"""One leg in a process of its own: JSON in by lines, JSON out by lines.

The first line on standard input describes the leg; each further one is `[warmup, steps]`. Answers go to the standard
output that the process was started with; whatever else is printed goes to standard error.
"""

import json
import os
import sys


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def answer(content: dict) -> None:
        answers.write(json.dumps(content) + '\n')
        answers.flush()

    def next_command() -> tuple[int, int] | None:
        line = sys.stdin.readline()
        return tuple(json.loads(line)) if line.strip() else None

    described = json.loads(sys.stdin.readline())
    import torch

    torch.set_num_threads(described['threads'])
    kind = described['kind']
    if kind == 'rival':
        from benchmarks.rival import RivalLeg as Leg
    elif kind == 'streaming':
        from benchmarks.streaming import StreamingLeg as Leg
    elif kind == 'memory':
        from benchmarks.streaming import MemoryLeg as Leg
    elif kind == 'bare':
        from benchmarks.own import BareLeg as Leg
    else:
        from benchmarks.own import RunnerLeg as Leg
    leg = Leg(**described['options'])
    answer(dict(ready=True))

    def report(figures: dict) -> None:
        answer({**figures, 'peak_memory_mb': leg.peak_memory_mb()})

    if kind == 'runner':
        leg.serve(next_command, report)
        return
    while (command := next_command()) is not None:
        report(leg.measure(*command))


if __name__ == '__main__':
    main()
