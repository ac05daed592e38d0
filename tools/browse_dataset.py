#!/usr/bin/env python3
"""A picture of what the model sees: python tools/browse_dataset.py CONFIG --out picture.png"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Write a contact sheet of augmented training images (or of test images), one class a row, from the '
        'head to the tail.'
    )
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--out', required=True, metavar='PNG', help='picture to write')
    parser.add_argument('--rows', type=int, default=8, help='classes shown (default 8)')
    parser.add_argument('--columns', type=int, default=12, help='images a row (default 12)')
    parser.add_argument('--class', type=int, dest='label', metavar='K', help='show class K alone, in all rows')
    parser.add_argument('--mode', choices=('train', 'test'), default='train')
    parser.add_argument('--seed', type=int, default=0, help='which images, and how they are augmented (default 0)')
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Write the picture."""
    args = parse_args()
    from PIL.PngImagePlugin import PngInfo

    from mmlt.apis.browse import browse
    from mmlt.apis.output import SOFTWARE, check_out, is_picture
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import console
    from mmlt.errors import UserError
    from mmlt.files import atomic_write

    if Path(args.out).suffix.lower() != '.png':
        raise UserError(f'--out {args.out}: the picture is a PNG, let its name end in .png.')
    check_out('--out', args.out, is_picture)
    sheet, _ = browse(
        args.config, args.rows, args.columns, args.label, args.mode, args.seed, parse_options(args.cfg_options)
    )
    picture, maker = sheet.draw(), PngInfo()
    maker.add_text('Software', SOFTWARE)
    atomic_write(args.out, lambda file: picture.save(file, format='PNG', pnginfo=maker))
    console.print(f'{args.out}: {len(sheet.tiles)} images, {picture.width} x {picture.height} pixels', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
