#!/usr/bin/env python3
"""Small pictures of pages for the documentation: python tools/draw_pages.py RUN/report.html --out docs/pictures/report.jpg

Each shows a page's top on a large screen in light, and beside it the same page on a phone in dark.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='Draw a page as a small picture, by a Chromium that is installed.')
    parser.add_argument('page', help='an HTML file')
    parser.add_argument('--out', required=True, metavar='JPEG', help='the picture, below 120 kB')
    parser.add_argument('--from-section', metavar='TITLE', help='begin at the heading that starts so, not at the top')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Draw."""
    args = parse_args()
    from mmlt.apis.draw_pages import draw_page
    from mmlt.engine.console import console

    path = draw_page(args.page, args.out, args.from_section)
    console.print(f'{path}: {path.stat().st_size:,} bytes', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
