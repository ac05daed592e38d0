"""A file that names runs, one a line: `CONFIG [--seeds K ...] [--precision P] [--cfg-options KEY=VALUE ...]`."""

import argparse
import shlex
from pathlib import Path
from typing import NamedTuple

from mmlt.errors import UserError


class RunLine(NamedTuple):
    """A line of the file.

    Args:
        place: its file and number, for messages.
        config: path of a config.
        seeds: training seeds.
        precision: instead of the config's; None for that.
        options: `KEY=VALUE` overrides.
    """

    place: str
    config: str
    seeds: list[int]
    precision: str | None
    options: list[str]


def read_run_list(file: str | Path) -> list[RunLine]:
    """The lines of a file of runs; empty lines and what follows a `#` are left out.

    Raises:
        UserError: the file cannot be read, or a line does not name a run.
    """
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument('config')
    parser.add_argument('--seeds', '--seed', type=int, nargs='+', default=[0])
    parser.add_argument('--precision', choices=('fp32', 'bf16'))
    parser.add_argument('--cfg-options', nargs='+', default=[])
    try:
        lines = Path(file).read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'cannot read the runs from {file} ({error}): name a text file, one run a line.') from error
    found = []
    for number, line in enumerate(lines, 1):
        place = f'{file}, line {number}'
        try:
            words = shlex.split(line, comments=True)
            if not words:
                continue
            args, unknown = parser.parse_known_args(words)
        except (ValueError, argparse.ArgumentError, SystemExit) as error:
            raise UserError(f'{place}: {error or "no config"}; write CONFIG --seeds 0 1.') from error
        if unknown:
            raise UserError(f'{place}: {unknown[0]!r} is no option of a run: write CONFIG --seeds 0 1.')
        found.append(RunLine(place, args.config, args.seeds, args.precision, args.cfg_options))
    return found
