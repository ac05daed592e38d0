#!/usr/bin/env python3
"""Set finished runs side by side: python tools/compare_runs.py RUN_FOLDER... [--plot per_class.png]"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='A table of finished runs, and a plot of accuracy against class frequency.')
    parser.add_argument('folders', nargs='+', metavar='RUN_FOLDER', help='folders with a results.json')
    parser.add_argument('--plot', metavar='PNG', help='plot per-class accuracy into this file')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Print the table, write the plot."""
    args = parse_args()
    from mmlt.analysis.plots import plot_runs
    from mmlt.analysis.results import read_results
    from mmlt.analysis.tables import comparison_table
    from mmlt.engine.console import console

    results = [{**read_results(Path(folder) / 'results.json'), 'folder': folder} for folder in args.folders]
    console.print(comparison_table(results))
    for folder in args.folders:
        console.print(f'{folder}/: results.json, per_class.csv, report.html', markup=False)
    if args.plot:
        plot_runs(args.plot, [Path(folder) for folder in args.folders])
        console.print(f'plot of accuracy against class frequency: {args.plot}', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
