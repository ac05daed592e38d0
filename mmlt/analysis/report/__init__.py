"""`report.html`: a run on one page that needs nothing but itself."""

from pathlib import Path
from typing import Any

from mmlt.analysis.evaluation_files import beside
from mmlt.analysis.pages import Html, note, page
from mmlt.analysis.report import detection, multi_label, single_label
from mmlt.analysis.report.details import details, subtitle
from mmlt.analysis.report.pictures import TestPictures
from mmlt.analysis.rows import IOU_TYPES
from mmlt.analysis.run_files import RunFiles, read_run
from mmlt.files import atomic_write

REPORT_FILE = 'report.html'


def write_report(folder: str | Path, test_data: Any = None) -> Path:
    """Write `report.html` into a run's folder, from its `results.json` and whatever else is there.

    Args:
        folder: the run's folder; or another results file (`results_NAME.json`), whose page is `report_NAME.html` beside it.
        test_data: the data set that it was evaluated on, for the pictures; None for a page without.

    Returns:
        The page: one file, with the pictures inside and no link to anywhere.

    Raises:
        UserError: there is no valid `results.json`.
    """
    run = read_run(folder)
    return atomic_write(beside(run.folder / run.file, REPORT_FILE), report_html(run, test_data))


def report_html(run: RunFiles, test_data: Any = None) -> str:
    """The page as text; arguments as `write_report`."""
    pictures = TestPictures(run, test_data)
    kind = {'detection': detection, 'multi_label': multi_label, 'single_label': single_label}[task_of(run)]
    unfinished = run.record['evaluated_epochs'] and not run.record['finished']  # an evaluation says which epoch it is of
    state = note('This run is not finished.', warn=True) if unfinished else None
    changes = [f'{name}={value}' for name, value in sorted(run.record['overrides'].items())]
    return page(
        run.title,
        note(f'With {", ".join(changes)}.') if changes else None,
        state,
        *(note(trouble, warn=True) for trouble in run.troubles),
        *kind.sections(run, pictures),
        Html('<h2>Details</h2>'),
        details(run),
        subtitle=subtitle(run),
    )


def task_of(run: RunFiles) -> str:
    """`single_label`, `multi_label` or `detection`."""
    if any(f'{kind}/AP' in run.record['last']['metrics'] for kind in IOU_TYPES):
        return 'detection'
    if run.evaluation:
        return 'multi_label' if run.evaluation['task'] == 'multi_label' else 'single_label'
    return 'multi_label' if run.by_label or 'mAP' in run.record['last']['metrics'] else 'single_label'

