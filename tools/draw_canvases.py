#!/usr/bin/env python3
"""Generated canvases as files in LVIS's format: python tools/draw_canvases.py digits data/digit_canvases"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Write pictures with several objects each, and their boxes, masks and classes as train.json and test.json.'
    )
    parser.add_argument('objects', choices=('digits', 'signs'), help="what is pasted: scikit-learn's digits, or GTSRB's signs")
    parser.add_argument('root', help='folder to write into')
    parser.add_argument('--seed', type=int, default=0, help='of the canvases (default 0)')
    parser.add_argument('--signs', default='data/gtsrb', metavar='DIR', help='folder of train.npz and test.npz of GTSRB')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Write both splits."""
    args = parse_args()
    from mmlt.detection import DigitCanvases, SignCanvases
    from mmlt.engine.console import console
    from mmlt.errors import UserError

    if args.seed < 0:
        raise UserError(f'the seed must be at least 0, not {args.seed}.')
    if Path(args.root).exists() and any(Path(args.root).iterdir()):
        raise UserError(f'{args.root} is not empty: name another folder.')
    for split in ('train', 'test'):
        options = dict(split=split, seed=args.seed)
        data = SignCanvases(args.signs, **options) if args.objects == 'signs' else DigitCanvases(**options)
        written = data.write(args.root, split)
        console.print(f'{written}: {len(data):,} pictures, {len(data.annotations.labels):,} objects', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
