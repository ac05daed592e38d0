#!/usr/bin/env python3
"""Keep the results tables in the READMEs: collect finished runs, rewrite the tables, or check them."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def main() -> None:
    """Parse the command line and do what it asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        '--collect',
        metavar='WORK_DIRS',
        help='first copy the results.json of every finished run below this folder to configs/<method>/results/',
    )
    action.add_argument('--check', action='store_true', help='change nothing; exit code 1 if a README is out of date')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    args = parser.parse_args()

    from mmlt.analysis import stored_results

    if args.check:
        stored_results.check(ROOT)
        print('every table is up to date.')
        return
    lines = []
    if args.collect:
        stored, skipped = stored_results.collect(args.collect, ROOT)
        lines += [*skipped, *(f'stored {path.relative_to(ROOT)}' for path in stored)]
    lines += [f'rewrote {path.relative_to(ROOT)}' for path in stored_results.rewrite(ROOT)] or ['no table has changed.']
    print(*lines, sep='\n')


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
