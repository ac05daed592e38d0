"""A set of images looked at: labels read, files scanned, duplicates found."""

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmlt.analysis.diagnosis.duplicates import find_duplicates
from mmlt.analysis.diagnosis.findings import Diagnosis
from mmlt.analysis.diagnosis.scan import pixel_digests, scan
from mmlt.datasets.label_files import LabelTable
from mmlt.engine.console import console, on_terminal
from mmlt.errors import UserError
from mmlt.priors import CONVENTIONS


def look(table: LabelTable, convention: str = 'standard', workers: int | None = None) -> Diagnosis:
    """Look at all files of a set, with a bar on a terminal.

    Args:
        table: the images and their labels.
        convention: of the shot groups.
        workers: processes; None for one a processor.

    Raises:
        UserError: no such convention, fewer than one process.
    """
    if convention not in CONVENTIONS or (convention == 'mislas' and len(table.classes) != 100):
        fitting = [name for name in CONVENTIONS if name != 'mislas' or len(table.classes) == 100]
        raise UserError(f'there is no shot-group convention {convention!r} for {len(table.classes)} classes: choose one of '
                        f'{", ".join(fitting)}.')  # fmt: skip
    if workers is not None and workers < 1:
        raise UserError(f'--workers must be at least 1, not {workers}.')
    files = [os.path.join(table.root, path) for path in table.paths]
    progress = Progress(TextColumn('looking at the files'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                        console=console, transient=True)  # fmt: skip
    started = time.perf_counter()
    with progress if on_terminal() else nullcontext():
        task = progress.add_task('', total=len(files))
        found = scan(files, workers, lambda done: progress.advance(task, done))
    found.seconds = time.perf_counter() - started

    def digests_of(places: Sequence[int]) -> list[bytes]:
        return pixel_digests([files[place] for place in places], workers)

    return Diagnosis(table, found, find_duplicates(found, digests_of), convention)
