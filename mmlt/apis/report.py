"""A run's page: written when the run ends, and anew when asked."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmlt.analysis.report import REPORT_FILE, write_report
from mmlt.analysis.run_files import RunFiles, read_run
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


def report(folder: str | Path, config: str | Path | None = None, overrides: dict[str, Any] | None = None) -> Path:
    """Write a finished run's page anew, with its pictures if the test data are there.

    Args:
        folder: of the run, or of the results.json of an evaluation; or a results file of another name.
        config: that names the test data; None for the one that the run left in its folder, or else the one it names.
        overrides: of this config.

    Returns:
        The page.

    Raises:
        UserError: there is no valid results.json.
    """
    run = read_run(folder, before=False)
    return write_report(run.path, _test_data(run, config, overrides) if run.images else None)


def _test_data(run: RunFiles, config: str | Path | None, overrides: dict[str, Any] | None) -> Any:
    """The data set that a run was evaluated on; None where that does not work."""
    from mmengine.config import Config

    from mmlt.config.custom_code import import_custom_code
    from mmlt.config.load import load_config
    from mmlt.engine.loader import build_loader

    try:
        left = run.folder / f'{Path(run.record["config"]).name}.py'
        if config is None and left.is_file():  # resolved, with MMEngine's own entries in it
            cfg = Config.fromfile(left, import_custom_modules=False)
            import_custom_code(cfg, left)
        else:
            cfg = load_config(config or run.record['config'], overrides if config else run.record['overrides'])
        # A run's figures are of the set it was evaluated on while it trained, unless that one only chose its epochs.
        while_training = run.record['evaluated_epochs'] and not run.record.get('holdout')
        loader = dict(cfg.val_dataloader if while_training else cfg.test_dataloader)
        if cfg.get('train_dataloader', {}).get('classes'):
            loader['classes'] = run.classes
        return build_loader(loader).dataset
    except Exception as error:  # a config or data that are gone: a page without pictures is better than none
        why = str(error) if isinstance(error, UserError) else reason(error)
        say(f'{run.path}: no pictures, as the test images cannot be read: {why}')
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
    parser.add_argument('folders', nargs='+', metavar='RUN', help='a folder with a results.json, or a file results_NAME.json')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    write_pages(parser.parse_args().folders)
