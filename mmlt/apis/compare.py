"""Finished runs side by side: `tools/compare.py`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmlt.apis.cli import run_tool

NAMES = ('comparison.md', 'comparison.csv', 'comparison.tex', 'comparison.html')
GENERATOR = '<meta name="generator" content="mmlt">'  # by which a page of ours is known


def compare(runs: Sequence[str | Path], out: str | Path | None = None):  # noqa: ANN201
    """Compare runs; those of one config are taken together as seeds, the first one named is what others are held against.

    Args:
        runs: folders of finished runs, or the results files of evaluations, such as results_NAME.json.
        out: folder for the tables (Markdown, CSV, LaTeX) and the page; None to write nothing.

    Returns:
        Each match of `mmlt.analysis.comparison`, with its differences.

    Raises:
        UserError: a run has no valid results, is named twice, or the folder holds files of these names that are others'.
    """
    from mmlt.analysis.comparison import differences, matches, texts
    from mmlt.analysis.comparison.page import comparison_html
    from mmlt.analysis.run_files import read_run
    from mmlt.files import atomic_write

    if out is not None:
        _check_folder(Path(out))
    compared = [(match, differences(match)) for match in matches([read_run(run, before=False) for run in runs])]
    if out is not None:
        content = (texts.markdown(compared), texts.comma_separated(compared), texts.latex(compared), comparison_html(compared))
        for name, text in reversed(list(zip(NAMES, content, strict=True))):  # the page, by which a folder is known, first
            atomic_write(Path(out) / name, text)
    return compared


def _check_folder(folder: Path) -> None:
    """Refuse a folder where files of these names were not made by this tool."""
    from mmlt.errors import UserError

    if folder.exists() and not folder.is_dir():
        raise UserError(f'--out {folder} is a file: name a folder.')
    there = [name for name in NAMES if (folder / name).exists()]
    page = folder / NAMES[-1]
    if there and not (page.is_file() and GENERATOR in page.read_text(encoding='utf-8', errors='replace')[:2000]):
        raise UserError(f'--out {folder} has {there[0]}, which was not made by this tool: name another folder.')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Tables of finished runs with mean and deviation over seeds, differences with confidence, and plots.'
    )
    which = 'folders with a results.json, or files like results_NAME.json; the first is the baseline'
    parser.add_argument('runs', nargs='+', metavar='RUN', help=which)
    parser.add_argument('--out', metavar='DIR', help=f'write {", ".join(NAMES)} into this folder')
    parser.add_argument('--format', choices=('markdown', 'csv', 'latex'), help='print this instead of tables for the terminal')
    parser.add_argument('--plot', metavar='PNG', help='accuracy against class frequency as a picture, of six runs at most')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Entry point of `tools/compare.py`."""
    run_tool(_main)


def _main() -> None:
    args = parse_args()
    from mmlt.analysis.comparison import texts
    from mmlt.apis.output import check_out, is_picture
    from mmlt.engine.console import console
    from mmlt.errors import UserError

    if args.plot:
        if Path(args.plot).suffix.lower() != '.png':
            raise UserError(f'--plot {args.plot}: the picture is a PNG, let its name end in .png.')
        check_out('--plot', args.plot, is_picture)
    with console.status('resampling the test images'):
        compared = compare(args.runs, args.out)
    written = {'markdown': texts.markdown, 'csv': texts.comma_separated, 'latex': texts.latex}
    if args.format:
        print(written[args.format](compared), end='')
    else:
        for table in texts.for_terminal(compared):
            console.print(table)
        for run in (run for match, _ in compared for one in match.contestants for run in one.runs):
            for trouble in run.troubles:
                console.print(trouble, markup=False)
    if args.plot:
        _plot(args.plot, compared)
    if not args.format:
        if args.plot:
            console.print(f'accuracy against class frequency: {args.plot}', markup=False)
        if args.out:
            console.print(f'page of plots: {Path(args.out) / NAMES[-1]}', markup=False)
            console.print(f'tables: {", ".join(NAMES[:-1])} in {args.out}', markup=False)
        else:
            console.print('--out DIR writes these tables as Markdown, CSV and LaTeX, and a page of plots', markup=False)


def _plot(path: str, compared: Sequence) -> None:
    """Draw each run's figures of the classes.

    Args:
        path: of the picture.
        compared: of `compare`.

    Raises:
        UserError: a run has no figures of the classes, there are too many runs, or they have other classes.
    """
    from mmlt.analysis.plots import plot_per_class
    from mmlt.analysis.report.details import measure
    from mmlt.errors import UserError

    named = []
    for match, _ in compared:
        for one in match.contestants:
            named += [(f'{one.label}, seed {seed}' if (seed := run.record['seed']) is not None else one.label, run)
                      for run in one.runs]  # fmt: skip
    labels = [label for label, _ in named]
    first = named[0][1]
    key, what = ('recall', measure(first.record)) if first.per_class('AP') is None else ('AP', 'average precision')
    lines = {}
    for label, run in named:
        values = run.per_class(key)
        if values is None:
            why = f'{run.path} has no {what} of each class to draw: evaluate its checkpoint by tools/test.py --out'
            raise UserError(run.troubles[0] if run.troubles else f'{why}.')
        lines[f'{label} ({run.path})' if labels.count(label) > 1 else label] = run.counts, values
    plot_per_class(path, lines, first.groups, what)


if __name__ == '__main__':
    main()
