#!/usr/bin/env python3
"""Train a config: python tools/train.py configs/bkd/resnet32_cifar100lt.py"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Train a config; a teacher it needs is trained first, what is finished is reused.'
    )
    parser.add_argument('config', help='path of the config, for instance configs/bkd/resnet32_cifar100lt.py')
    parser.add_argument('--work-dir', help='folder of this run (default: work_dirs/<path below configs>/seed<k>)')
    parser.add_argument('--resume', action='store_true', help='go on with an unfinished run')
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help='instead of the precision in the config')
    parser.add_argument('--amp', action='store_true', help='the same as --precision bf16')
    parser.add_argument('--seed', type=int, default=0, help='training seed (default 0)')
    parser.add_argument('--seeds', type=int, nargs='+', metavar='K', help='several seeds, one after the other')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override the config: a.b.c=value'
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Train each seed and show the results."""
    args = parse_args()
    from mmlt.analysis.tables import comparison_table
    from mmlt.apis.options import parse_options
    from mmlt.apis.train import train
    from mmlt.engine.console import console
    from mmlt.errors import UserError

    if args.amp and args.precision == 'fp32':
        raise UserError('--amp is bf16 and contradicts --precision fp32: give one of them.')
    seeds = args.seeds or [args.seed]
    if args.work_dir and len(seeds) > 1:
        raise UserError('--work-dir names one run and --seeds several: leave one of them out.')
    results = [
        train(
            args.config,
            seed=seed,
            work_dir=args.work_dir,
            resume=args.resume,
            precision='bf16' if args.amp else args.precision,
            overrides=parse_options(args.cfg_options),
            launcher=args.launcher,
        )
        for seed in seeds
    ]
    from mmengine.dist import is_main_process

    if is_main_process():
        if len(results) > 1:
            console.print(comparison_table(results))
        for result in results:
            console.print(f'results in {result["folder"]}: results.json, per_class.csv, report.html', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
