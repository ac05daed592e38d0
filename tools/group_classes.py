#!/usr/bin/env python3
"""Groups of classes that a model confuses: python tools/group_classes.py CONFIG CKPT --groups 3 --out groups.json"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='Put classes that a finished model takes for one another into groups.')
    parser.add_argument('config', help='path of the config, whose training images are looked at')
    parser.add_argument('checkpoint', help='of the model')
    parser.add_argument('--groups', type=int, default=3, help='how many (default 3)')
    parser.add_argument('--out', required=True, help='file to write, for train_dataloader.classes=dict(group=..., file=...)')
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Group, write, and show the groups."""
    args = parse_args()
    from mmlt.apis.grouping import group_classes, write_groups
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import say

    groups = group_classes(args.config, args.checkpoint, args.groups, parse_options(args.cfg_options))
    path = write_groups(args.out, groups)
    for name, classes in groups.items():
        say(f'{name} ({len(classes)}): {", ".join(classes[:12])}{", ..." if len(classes) > 12 else ""}')
    say(f'written to {path}')


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
