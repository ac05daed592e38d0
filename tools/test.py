#!/usr/bin/env python3
"""Evaluate a checkpoint: python tools/test.py CONFIG CHECKPOINT [--out results.json]"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint on the test set of a config.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path of a checkpoint of mmlt')
    parser.add_argument('--out', help='write the results to this JSON file')
    parser.add_argument('--work-dir', help="folder for per_class.csv (default: the checkpoint's)")
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help="instead of the checkpoint's own")
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override the config')
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Evaluate and show the metrics."""
    args = parse_args()
    from mmengine.dist import is_main_process

    from mmlt.analysis.metrics_table import metrics_table
    from mmlt.apis.options import parse_options
    from mmlt.apis.test import test
    from mmlt.engine.console import console
    from mmlt.files import atomic_write

    record = test(
        args.config,
        args.checkpoint,
        precision=args.precision,
        overrides=parse_options(args.cfg_options),
        launcher=args.launcher,
        work_dir=args.work_dir,
    )
    if is_main_process():
        console.print(metrics_table(record))
        if args.out:
            atomic_write(args.out, json.dumps(record, indent=2, allow_nan=False) + '\n')
            console.print(f'written to {args.out}', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
