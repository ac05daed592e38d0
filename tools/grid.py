#!/usr/bin/env python3
"""Train configs with seeds, resumable: python tools/grid.py configs/{ce,bkd}/resnet32_cifar100lt.py --seeds 0 1 2"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Train every config with every seed, or the runs of a file, one after the other; finished runs are '
        'reused, killed ones go on. Shared teachers are trained once.'
    )
    parser.add_argument('configs', nargs='*', help='paths of configs')
    parser.add_argument('--runs', metavar='FILE', help='a file of runs, one a line: CONFIG --seeds 0 1 --precision bf16')
    parser.add_argument('--seeds', type=int, action='extend', nargs='+', metavar='K', help='training seeds; default 0')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time (several fit on one GPU); default 1')
    parser.add_argument('--until', metavar='TIME', help="stop then, each run saved: HH:MM or 'YYYY-MM-DD HH:MM'")
    parser.add_argument('--nice', type=int, default=0, metavar='N', help='run at lower priority, 0 to 19; default 0')
    parser.add_argument('--threads', type=int, metavar='N', help='threads of each run (OMP_NUM_THREADS)')
    parser.add_argument('--status', action='store_true', help='train nothing: show which runs are done, running, owed')
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help='instead of the precision in the configs')
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Run the grid and show its table, or its status."""
    args = parse_args()
    from mmlt.apis.grid import parse_until, plan, read_runs, run_grid, status_table
    from mmlt.engine.console import console
    from mmlt.errors import UserError

    if bool(args.runs) == bool(args.configs):
        raise UserError('name configs, or a file of runs with --runs, one of the two.')
    if args.runs and (args.seeds or args.precision or args.cfg_options):
        raise UserError('--seeds, --precision and --cfg-options stand in the file of --runs: leave them out.')
    until = parse_until(args.until) if args.until else None
    if args.runs:
        planned = read_runs(args.runs)
    else:
        planned = plan(args.configs, args.seeds or [0], args.precision, args.cfg_options)
    if args.status:
        console.print(status_table(planned))
        return
    run_grid(planned, args.jobs, until, args.nice, args.threads)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
