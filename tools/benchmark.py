#!/usr/bin/env python3
"""Speed against named rivals, measured in turn: python tools/benchmark.py [--json FILE] [--plot FILE]

Accuracy of both ways to train: python tools/benchmark.py --train CONFIG --seeds 0 1 [--json FILE]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

RIVALS = ('framework', 'rival-ce', 'rival-bkd', 'rival-augment')
PARTS = ('same', 'bf16', 'channels-last', 'fused-sgd', 'compile')
EXPERTS = ('experts-together', 'experts-separate', 'ecl-ncl')
STREAMING = ('streaming',)
FEATURES = ('features',)
EVALUATION = ('evaluation',)
CASES = RIVALS + PARTS + EXPERTS + STREAMING + FEATURES + EVALUATION


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Training images a second through the Runner, against a bare PyTorch loop over the same parts '
        '(framework) and against the loop that long-tailed repositories share: torchvision on PIL images, fp32, the '
        'better of 0 and 2 workers (rival-...); each part of the speed against doing without it; several experts against '
        'other ways to run them. Legs take turns, each in a process of its own; a ratio is the median over the pairs. Run it '
        'on an otherwise idle machine. With --train a config is trained to its end in both '
        'ways, and their accuracies stand side by side.'
    )
    parser.add_argument('--train', metavar='CONFIG', help="accuracy instead of speed: the rival's loop and mmlt, each to "
                        'the end of this config of plain cross entropy; goes on where it was stopped')  # fmt: skip
    parser.add_argument('--show', metavar='FILE', help='measure nothing: print the Markdown table of a JSON file')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1], metavar='K', help='of --train (default 0 1)')
    parser.add_argument('--cases', nargs='+', choices=CASES, default=list(RIVALS), metavar='CASE',
                        help=f'default: {" ".join(RIVALS)}; also: {" ".join(CASES[len(RIVALS):])}')  # fmt: skip
    parser.add_argument('--data', choices=('auto', 'cifar100', 'digits'), default='auto',
                        help='CIFAR-100-LT where it is there, else the embedded digits (auto)')  # fmt: skip
    parser.add_argument('--pairs', type=int, default=5, help='measurements of each leg (default 5)')
    parser.add_argument('--steps', type=int, help='timed steps of a measurement (default 20, on a GPU 500)')
    parser.add_argument('--warmup', type=int, default=5, help='untimed steps before them (default 5)')
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help="of mmlt (default bf16; with --train the config's)")
    parser.add_argument('--threads', type=int, default=2, help='of PyTorch, in every leg (default 2)')
    parser.add_argument('--workers', type=int, default=1, help='of the case streaming, which stands alone: processes that '
                        'read, in every leg (default 1)')  # fmt: skip
    parser.add_argument('--json', metavar='FILE', help='write the records')
    parser.add_argument('--plot', metavar='FILE', help='write a bar chart')
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    args = parser.parse_args()
    for alone in STREAMING + FEATURES + EVALUATION:
        if alone in args.cases and len(args.cases) > 1:
            parser.error(f'the case {alone} stands alone')
    for name in ('pairs', 'steps', 'warmup', 'threads', 'workers'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f'--{name} must be at least 1')
    return args


def main() -> None:
    """Measure, show, write."""
    args = parse_args()
    if args.show:
        from benchmarks.show import markdown

        print(markdown(args.show), end='')
        return
    import json

    from benchmarks.cases import run_cases
    from benchmarks.show import benchmark_table, plot
    from mmlt.apis.output import check_out, is_benchmark, is_picture
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import console
    from mmlt.files import atomic_write

    if args.json:
        check_out('--json', args.json, is_benchmark)
    if args.plot:
        check_out('--plot', args.plot, is_picture)
    if 'streaming' in args.cases:
        from benchmarks.streaming import main as streaming

        streaming(args.pairs, args.workers, args.json)
        return
    if 'features' in args.cases:
        from benchmarks.features import main as features

        features(args.pairs, args.threads, parse_options(args.cfg_options), args.json)
        return
    if 'evaluation' in args.cases:
        from benchmarks.evaluation import main as evaluation

        evaluation(args.pairs, args.threads, args.json)
        return
    if args.train:
        from benchmarks.accuracy import accuracy_table, compare_accuracy

        found = compare_accuracy(
            args.train, args.seeds, args.precision, args.threads, parse_options(args.cfg_options), args.json
        )
        console.print(accuracy_table(found))
        return
    records = run_cases(
        args.cases, args.data, args.pairs, args.steps, args.warmup, args.precision or 'bf16', args.threads, args.cfg_options
    )
    console.print(benchmark_table(records))
    console.print(
        "ratio: median over the pairs (least to greatest). MiB: peak of the leg's own process, DataLoader workers not "
        'counted. outside: share of the time that is not forward, backward or optimizer.',
        markup=False,
    )
    if args.json:
        atomic_write(args.json, json.dumps(records, indent=2, allow_nan=False) + '\n')
        console.print(f'records: {args.json}', markup=False)
    if args.plot:
        plot(args.plot, records)
        console.print(f'bar chart: {args.plot}', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
