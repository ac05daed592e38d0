"""A tool writes over a file only where it made that file itself."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmlt.analysis.evaluation_files import file_names, read_evaluation
from mmlt.analysis.results import RESULTS_FILE, read_results
from mmlt.engine.checkpoint import checkpoints_of, load_checkpoint
from mmlt.errors import UserError
from mmlt.schema import read_json

SOFTWARE = 'mmlt'  # what the pictures name as their maker


def check_out(option: str, path: str | Path, is_own: Callable[[Path], bool]) -> None:
    """Refuse to write over what the tool did not make; call it before any work is done.

    Args:
        option: of the command line, as the message names it.
        path: the file that shall be written.
        is_own: whether a file that is there was made by the same tool.

    Raises:
        UserError: there is a folder, or a file of another kind.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f'{option} {path} is a folder: name a file in it.')
    if os.path.lexists(path) and not (path.is_file() and is_own(path)):
        raise UserError(f'{option} {path} is there and was not made by this tool: name another file, or remove that one.')


def is_evaluation(path: Path) -> bool:
    """Whether a file is what `tools/test.py --out` writes: results of an evaluation, not those of a run."""
    try:
        record = read_results(path)
    except UserError:
        return False
    return not record['evaluated_epochs'] and 'test_data' in record


def is_full_evaluation(path: Path) -> bool:
    """Whether a file is the `evaluation.json` of a results file."""
    try:
        return bool(read_evaluation(path))
    except UserError:
        return False


def is_predictions(path: Path) -> bool:
    """Whether a file is the `evaluation_images.npz` of a results file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return 'target' in file.files and bool({'nll', 'probabilities'} & set(file.files))
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError):  # of one array, it gives that array
        return False


def is_picture(path: Path) -> bool:
    """Whether a file is a picture that names mmlt as its maker."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.format == 'PNG' and picture.info.get('Software') == SOFTWARE
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def is_page(path: Path) -> bool:
    """Whether a file is a page that names mmlt as its maker."""
    with open(path, 'rb') as file:
        return b'<meta name="generator" content="mmlt">' in file.read(2000)


def is_converted(path: Path) -> bool:
    """Whether a file is a checkpoint that `tools/convert_weights.py` wrote."""
    try:
        return 'converted' in load_checkpoint(path)['meta']
    except UserError:
        return False


def is_subset(path: Path) -> bool:
    """Whether a file is a subset that `tools/export_subset.py` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {'images', 'labels', 'index', 'subset'} <= set(file.files)
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError):  # of one array, it gives that array
        return False


def is_benchmark(path: Path) -> bool:
    """Whether a file holds what `tools/benchmark.py --json` writes."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return False
    if isinstance(found, list):
        return bool(found) and all(isinstance(record, dict) and 'case' in record for record in found)
    return isinstance(found, dict) and 'routes' in found


def check_evaluation(out: str | None, work_dir: str | None) -> None:
    """Refuse the places where an evaluation would write over a run: `--out` and `--work-dir` of `tools/test.py`.

    Raises:
        UserError: naming the option.
    """
    if work_dir and _is_run(Path(work_dir)):
        raise UserError(f'--work-dir {work_dir} is the folder of a run, whose files would be written over: name another.')
    if out:
        if Path(out).name == RESULTS_FILE and _is_run(Path(out).parent):
            raise UserError(f'--out {out} is the record of a run: name another file (results_NAME.json is collected too).')
        check_out('--out', out, is_evaluation)
        for path, is_own in zip(file_names(out), (is_full_evaluation, is_predictions), strict=True):
            check_out(f'--out {out} stands beside', path, is_own)


def check_record(folder: Path, config_hash: str) -> None:
    """Refuse to train into a folder whose `results.json` is not this run's own.

    Raises:
        UserError: it is another run's, an evaluation's or no record at all.
    """
    path = folder / RESULTS_FILE
    if not path.is_file():
        return
    try:
        record = read_results(path)
    except UserError as error:
        raise UserError(f'{path} is no record of this run: move it away, or choose another --work-dir.') from error
    if not record['evaluated_epochs']:
        raise UserError(f'{path} is the record of an evaluation, not of this run: move it away, or choose another --work-dir.')
    if record['config_hash'] != config_hash:
        raise UserError(
            f'{folder} holds the results of another run ({record["config"]}): move them away, or choose another --work-dir.'
        )


def _is_run(folder: Path) -> bool:
    if checkpoints_of(folder):
        return True
    try:
        return bool(read_results(folder)['evaluated_epochs'])
    except UserError:
        return False
