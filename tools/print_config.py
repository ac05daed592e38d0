#!/usr/bin/env python3
"""Show a config with its bases and overrides resolved: python tools/print_config.py CONFIG"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Print the resolved config as Python."""
    parser = argparse.ArgumentParser(description='Print a config with its bases and overrides resolved.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    args = parser.parse_args()
    from mmlt.config.load import load_config
    from mmlt.config.overrides import parse_options

    print(load_config(args.config, parse_options(args.cfg_options)).pretty_text)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
