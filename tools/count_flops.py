#!/usr/bin/env python3
"""Size and cost of a model: python tools/count_flops.py CONFIG [--shape 3 32 32]"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Count the parameters and multiply-adds of a config's model.")
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--shape', type=int, nargs=3, default=[3, 32, 32], metavar=('C', 'H', 'W'),
                        help='of an image (default 3 32 32)')  # fmt: skip
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Count, and show the parts."""
    args = parse_args()
    from rich.table import Table

    from mmlt.apis.flops import count
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import console

    whole, *parts = count(args.config, tuple(args.shape), parse_options(args.cfg_options))
    table = Table('part', title=f'{args.config}, one image of {" x ".join(map(str, args.shape))}')
    for column in ('parameters', 'GMAC', 'of all'):
        table.add_column(column, justify='right')
    predicting = [part for part in parts if not part.training_only]
    for part in predicting:
        share = f'{part.macs / max(whole.macs, 1):.1%}'
        table.add_row(part.name, f'{part.parameters:,}', f'{part.macs / 1e9:.4f}', share)
    table.add_section()
    table.add_row('all', f'{whole.parameters:,}', f'{whole.macs / 1e9:.4f}', '')
    if len(predicting) < len(parts):
        table.add_section()
        for part in parts[len(predicting) :]:
            table.add_row(f'{part.name} (while training)', f'{part.parameters:,}', '', '')
    console.print(table)
    console.print('GMAC: 10^9 multiply-adds of convolutions and matrix products.', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
