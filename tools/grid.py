#!/usr/bin/env python3
"""Train configs with seeds, resumable: python tools/grid.py configs/{ce,bkd}/resnet32_cifar100lt.py --seeds 0 1 2"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Train every config with every seed; finished runs are reused, killed ones go on. '
        'Shared teachers are trained once.'
    )
    parser.add_argument('configs', nargs='+', help='paths of configs')
    parser.add_argument('--seeds', type=int, action='extend', nargs='+', metavar='K', help='training seeds; default 0')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time (several fit on one GPU); default 1')
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help='instead of the precision in the configs')
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Run the grid and show its table."""
    args = parse_args()
    from mmlt.apis.grid import run_grid

    run_grid(args.configs, args.seeds or [0], args.jobs, args.precision, args.cfg_options)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
