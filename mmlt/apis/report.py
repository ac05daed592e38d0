"""A run's page: written when the run ends, and anew when asked."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmlt.analysis.report import REPORT_FILE, write_report
from mmlt.analysis.run_files import read_run
from mmlt.apis.cli import run_tool
from mmlt.engine.console import say
from mmlt.errors import UserError, reason


def leave_report(folder: Path, test_data: Any) -> None:
    """Write a run's page; if that fails, for whatever reason, the run stands all the same, and a line says so.

    Args:
        folder: of the run, whose results are written.
        test_data: the data set that it was evaluated on.
    """
    try:
        write_report(folder, test_data)
    except Exception as error:
        say(f'  {folder / REPORT_FILE} could not be written ({reason(error)}); the results are whole, and '
            f'tools/report.py {folder} tries again')  # fmt: skip


def ensure_report(folder: Path, test_data: Any) -> None:
    """See `leave_report`; nothing happens where the page is there. A run killed just before its page gets it so."""
    if not (folder / REPORT_FILE).is_file():
        leave_report(folder, test_data)


def report(folder: str | Path) -> Path:
    """Write a finished run's page anew, with its pictures if the test data are there.

    Args:
        folder: of the run.

    Returns:
        The page.

    Raises:
        UserError: there is no valid results.json.
    """
    run = read_run(folder, before=False)
    return write_report(run.folder, _test_data(run.folder, run.record) if run.images else None)


def _test_data(folder: Path, record: dict[str, Any]) -> Any:
    """The data set that a run was evaluated on, by the config that it left in its folder; None where that does not work."""
    from mmlt.config.load import load_config
    from mmlt.engine.loader import build_loader

    left = folder / f'{Path(record["config"]).name}.py'
    try:
        cfg = load_config(left if left.is_file() else record['config'], None if left.is_file() else record['overrides'])
        part = cfg.get('val_dataloader') if record['evaluated_epochs'] else cfg.get('test_dataloader')
        return build_loader(part).dataset
    except Exception as error:  # a config or data that are gone: a page without pictures is better than none
        why = str(error) if isinstance(error, UserError) else reason(error)
        say(f'{folder}: no pictures, as the test images cannot be read: {why}')
        return None


def write_pages(folders: Iterable[str | Path]) -> None:
    """Write the pages of several runs, and say where each is."""
    for folder in folders:
        say(f'{report(folder)}')


def main() -> None:
    """Entry point of `tools/report.py`."""
    run_tool(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(description='Write the report.html of finished runs anew.')
    parser.add_argument('folders', nargs='+', metavar='RUN', help='folders with a results.json')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    write_pages(parser.parse_args().folders)
