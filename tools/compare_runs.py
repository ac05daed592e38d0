#!/usr/bin/env python3
"""Set finished runs side by side: python tools/compare_runs.py RUN_FOLDER... [--plot per_class.png]"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='A table of finished runs, and a plot of accuracy by class.')
    parser.add_argument('folders', nargs='+', metavar='RUN_FOLDER', help='folders with a results.json')
    parser.add_argument('--plot', metavar='PNG', help='plot per-class accuracy into this file')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Print the table, write the plot."""
    args = parse_args()
    from mmlt.analysis.plots import plot_per_class
    from mmlt.analysis.results import read_per_class_csv, read_results
    from mmlt.analysis.tables import comparison_table
    from mmlt.apis.output import check_out, is_picture
    from mmlt.engine.console import console
    from mmlt.errors import UserError
    from mmlt.priors import shot_groups

    if args.plot:
        if Path(args.plot).suffix.lower() != '.png':
            raise UserError(f'--plot {args.plot}: the picture is a PNG, let its name end in .png.')
        check_out('--plot', args.plot, is_picture)
    results = [read_results(folder) for folder in args.folders]
    console.print(comparison_table(results))
    for folder in args.folders:
        console.print(f'{folder}/: results.json, per_class.csv, report.html', markup=False)
    if args.plot:
        runs = {}
        for folder, record in zip(args.folders, results, strict=True):
            rows = read_per_class_csv(Path(folder) / 'per_class.csv')
            label = f'{record["config"]}, seed {record["seed"]}'
            runs[label] = [row['train_images'] for row in rows], [row['accuracy'] for row in rows]
        groups = shot_groups([row['train_images'] for row in rows], results[0]['shot_groups']['convention'])
        plot_per_class(args.plot, runs, groups)
        console.print(f'plot of accuracy against class frequency: {args.plot}', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
