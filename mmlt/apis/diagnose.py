"""Diagnosis of one's own images, in a notebook (`diagnose`) and from the command line (`mmlt-diagnose`)."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmlt.apis.cli import run_tool

if TYPE_CHECKING:
    from mmlt.analysis.diagnosis import Diagnosis

COLUMNS = ('root', 'image_column', 'label_column', 'split_column', 'group_column', 'several', 'uncertain', 'blank')
POLICIES = ('zeros', 'ones', 'leave_out')


def diagnose(
    data: str | Path,
    convention: str = 'standard',
    workers: int | None = None,
    root: str | Path | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    split_column: str | None = None,
    group_column: str | None = None,
    several: bool | None = None,
    uncertain: str | None = None,
    blank: str | None = None,
) -> 'Diagnosis':
    """Read labels in whatever form they have, and look at all files that they name.

    Args:
        data: folder of class folders, or a list, CSV or JSON file of labels.
        convention: of the shot groups, see `mmlt.priors.shot_groups`.
        workers: processes that look at files; None for one a processor.
        root, image_column, label_column, split_column, group_column, several, uncertain, blank: see
            `mmlt.datasets.label_files.read_labels`.

    Raises:
        UserError: there are no such data, or they are not understood.
    """
    from mmlt.analysis.diagnosis import look
    from mmlt.datasets.label_files import read_labels

    table = read_labels(
        data, root, several=several, image_column=image_column, label_column=label_column, split_column=split_column,
        group_column=group_column, uncertain=uncertain, blank=blank,
    )  # fmt: skip
    return look(table, convention, workers)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Look at a set of images before training: class counts, broken files, duplicates, labels that disagree; '
        'and write a config to start from.'
    )
    parser.add_argument('data', help='folder of class folders (with train, val, test above them or not), or a list, CSV or '
                        'JSON file of labels')  # fmt: skip
    parser.add_argument('--out', metavar='CONFIG', help='write a config that trains at once, the list of its images beside it')
    parser.add_argument('--page', metavar='HTML', help='write the diagnosis as a page, a PNG of the classes and a CSV of all '
                        'findings beside it')  # fmt: skip
    parser.add_argument('--root', metavar='DIR', help='folder that the paths in a file of labels start from (default: found)')
    for name, what in (('image', 'the images'), ('label', 'the labels'), ('split', 'train, val or test'),
                       ('group', 'what belongs together: patient, lesion')):  # fmt: skip
        parser.add_argument(f'--{name}-column', metavar='HEADER', help=f'column of a table with {what} (default: found)')
    parser.add_argument('--several', action=argparse.BooleanOptionalAction, help='whether an image may have any number of '
                        'labels (default: found)')  # fmt: skip
    parser.add_argument('--uncertain', choices=POLICIES, help='what -1 is in a column of a class')
    parser.add_argument('--blank', choices=POLICIES, help='what an empty cell is in a column of a class')
    parser.add_argument('--convention', default='standard', help='of the shot groups (default: standard)')
    parser.add_argument('--workers', type=int, help='processes that look at files (default: one a processor)')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def diagnose_main() -> None:
    """Diagnose, print, and write what was asked for."""
    args = arguments()
    print(f'reading {args.data}', flush=True)  # the imports below take seconds
    from mmlt.analysis.diagnosis import (
        check_free,
        diagnosis_page,
        findings_csv,
        histogram_png,
        report,
        summary,
        write_start,
    )
    from mmlt.apis.output import check_out, is_page, is_picture
    from mmlt.engine.console import console
    from mmlt.errors import UserError
    from mmlt.files import atomic_write

    config, page = (None if given is None else Path(given) for given in (args.out, args.page))
    if config:
        check_free(config)
    if page:
        if page.suffix.lower() not in ('.html', '.htm'):
            raise UserError(f'--page {page}: let its name end in .html.')
        picture, listed = page.with_suffix('.png'), page.with_suffix('.csv')
        check_out('--page', page, is_page)
        check_out('--page', picture, is_picture)
        check_out('--page', listed, lambda path: path.read_bytes().startswith(b'finding,group,image,'))
    diagnosis = diagnose(args.data, args.convention, args.workers, **{name: getattr(args, name) for name in COLUMNS})
    for part in report(diagnosis):
        console.print(part, soft_wrap=False)
    start = None
    if config:
        start = write_start(diagnosis, config, shlex.join(['mmlt-diagnose', *sys.argv[1:]]))
    if page:
        title = f'{diagnosis.table.source.name}: training images of {len(diagnosis.table.classes):,} classes'
        groups, names = diagnosis.shot_groups, diagnosis.table.classes
        atomic_write(picture, histogram_png(diagnosis.class_counts, names, groups, title))
        atomic_write(listed, findings_csv(diagnosis).encode('utf-8', 'surrogateescape'))
        text = diagnosis_page(diagnosis, start.html() if start else None, listed.name)
        atomic_write(page, text.encode('utf-8', 'replace'))
    console.print()
    if start:
        for line in summary(start):
            console.print(line, soft_wrap=False)
    if page:
        console.print(f'page: {page}; picture: {picture.name}; all findings: {listed.name}', markup=False)


def main() -> None:
    """Entry point of `mmlt-diagnose`."""
    run_tool(diagnose_main)


if __name__ == '__main__':
    main()
