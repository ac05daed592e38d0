"""Many runs from one command, each in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from mmlt.analysis.results import read_results
from mmlt.analysis.tables import comparison_tables
from mmlt.apis.parent import environment
from mmlt.arguments import number
from mmlt.config.find import find_config
from mmlt.config.overrides import parse_options
from mmlt.config.run_list import read_run_list
from mmlt.engine.checkpoint import checkpoints_of
from mmlt.engine.console import console, say
from mmlt.engine.lock import is_locked
from mmlt.engine.stages import Stage, check_seeds
from mmlt.errors import UserError

CONSOLE = 'console.log'
PROGRESS = re.compile(r'^epoch (?P<epoch>\d+)/\d+  lr .*?(?:top1 (?P<top1>[\d.]+)  )?[\d,.]+ images/s  ETA (?P<eta>[\d:]+)')


class Planned(NamedTuple):
    """One run of a grid: the resolved run, and the arguments of `tools/train.py` that name it."""

    stage: Stage
    arguments: list[str]

    @property
    def title(self) -> str:
        """Its name in messages."""
        return f'{self.stage.name}, seed {self.stage.seed}'


def plan(
    configs: Sequence[str], seeds: Sequence[int], precision: str | None = None, options: Sequence[str] = ()
) -> list[Planned]:
    """Every config with every seed.

    Args:
        configs: paths of configs.
        seeds: training seeds.
        precision: instead of the configs'.
        options: `KEY=VALUE` overrides for every config.

    Raises:
        UserError: a config does not exist, or seeds are none.
    """
    check_seeds(list(seeds))
    more = [*(['--precision', precision] if precision else []), *(['--cfg-options', *options] if options else [])]
    paths = dict.fromkeys(find_config(config) for config in configs)  # patterns of the shell may overlap
    return [
        Planned(Stage(path, seed, parse_options(list(options)), precision), [str(path), '--seed', str(seed), *more])
        for path in paths
        for seed in seeds
    ]


def read_runs(file: str | Path) -> list[Planned]:
    """The runs that a file names, see :mod:`mmlt.config.run_list`.

    Raises:
        UserError: the file cannot be read, or a line does not name a run.
    """
    planned = []
    for line in read_run_list(file):
        try:
            planned += plan([line.config], line.seeds, line.precision, line.options)
        except UserError as error:
            raise UserError(f'{line.place}: {error}') from error
    if not planned:
        raise UserError(f'{file} names no run: write CONFIG --seeds 0 1, one line a config.')
    return planned


def parse_until(text: str, now: datetime | None = None) -> datetime:
    """The next moment with this time of the day, `HH:MM`, or the moment `YYYY-MM-DD HH:MM`, in local time.

    Raises:
        UserError: it is neither.
    """
    now = now or datetime.now()
    try:
        if len(text) <= 5:
            hour, minute = map(int, text.split(':'))
            moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            return moment if moment > now else moment + timedelta(days=1)
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--until {text!r} is no time: write HH:MM or 'YYYY-MM-DD HH:MM'.") from error


def run_grid(
    planned: Sequence[Planned],
    jobs: int = 1,
    until: datetime | None = None,
    niceness: int = 0,
    threads: int | None = None,
) -> list[dict]:
    """Train every run as `tools/train.py --resume` does, each in a process of its own.

    A run that fails does not stop the others; all failures are named in the end. Killed or stopped, the same command goes on.

    Args:
        planned: the runs, in their order.
        jobs: runs at a time.
        until: when to stop: the runs under way save and leave, and no other begins.
        niceness: added to that of the runs' processes, 0 to 19.
        threads: of each run (`OMP_NUM_THREADS`); None for what the environment says.

    Returns:
        The results of every finished run, in the order of `planned`.

    Raises:
        UserError: numbers out of their range, or runs that failed (after the others are done).
    """
    if jobs < 1:
        raise UserError(f'--jobs {jobs}: at least one run at a time is needed.')
    number('grid', '--nice', niceness, least=0, most=19, whole=True)
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get('PYTHONPATH')]))
    env = environment({**os.environ, 'PYTHONPATH': path})  # killed outright, the grid takes its runs along
    if threads is not None:
        env['OMP_NUM_THREADS'] = str(number('grid', '--threads', threads, least=1, whole=True))
    waiting = list(planned)
    running: dict[subprocess.Popen, Planned] = {}
    failed: list[str] = []
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, _leave)  # a closed terminal, which the runs do not hear of; nohup ignores it
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                command = [sys.executable, '-m', 'mmlt.apis.main', 'train', *run.arguments, '--resume']
                folder = run.stage.folder
                folder.mkdir(parents=True, exist_ok=True)
                with open(folder / CONSOLE, 'a', encoding='utf-8') as log:
                    # A session of its own: Ctrl-C comes here alone and is handed on once, for a second one ends a run unsaved.
                    process = subprocess.Popen(
                        ['nice', '-n', str(niceness), *command] if niceness else command,
                        stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True,
                    )  # fmt: skip
                running[process] = run
                say(f'started {run.title}: {folder}/{CONSOLE}')
            time.sleep(0.5)
            for process in [process for process in running if process.poll() is not None]:
                run = running.pop(process)
                if process.returncode:
                    failed.append(f'{run.title} ({run.stage.folder}/{CONSOLE})')
                say(f'{"FAILED" if process.returncode else "done"}    {run.title}')
            if until and datetime.now() >= until:
                say(f'it is {until:%H:%M}: the runs under way save and leave; the same command goes on.')
                break
    finally:
        for process in running:  # interrupted: let each run save and leave
            process.terminate()
        for process in running:
            process.wait()
    results = [read_results(record['folder']) for run in planned if (record := run.stage.finished())]
    for table in comparison_tables(results):  # one for each number of epochs, data set and the like
        console.print(table)
    if failed:
        names = '; '.join(failed)
        raise UserError(f'{len(failed)} of {len(planned)} runs failed: {names}; run the same command to go on.')
    return results


def status_of(run: Planned) -> dict[str, str]:
    """How a run stands: `state` (done, running, stopped, owed), `epoch`, `eta` and `top1`, as text; empty where unknown."""
    epochs = str(run.stage.cfg.train_cfg.max_epochs)
    if record := run.stage.finished():
        top1 = record['last']['metrics'].get('accuracy/top1')
        return dict(state='done', epoch=epochs, eta='', top1='' if top1 is None else f'{top1:.2f}')
    found = checkpoints_of(run.stage.folder)
    lines = _tail(run.stage.folder / 'train.log')
    last = next((match for line in reversed(lines) if (match := PROGRESS.search(line))), None)
    state = 'running' if is_locked(run.stage.folder) else 'stopped' if found else 'owed'
    return dict(
        state=state,
        epoch=f'{last["epoch"]}/{epochs}' if last and state != 'owed' else '',
        eta=last['eta'] if last and state == 'running' else '',
        top1=last['top1'] or '' if last and state != 'owed' else '',
    )


def _tail(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8', errors='replace').splitlines()[-20:]
    except OSError:
        return []


def status_table(planned: Sequence[Planned]) -> Table:
    """One line a run, and how many are done."""
    rows = [(run, status_of(run)) for run in planned]
    done = sum(row['state'] == 'done' for _, row in rows)
    table = Table('run', 'seed', 'state', 'epoch', 'ETA', 'top-1', title=f'{done} of {len(rows)} runs done')
    for run, row in rows:
        table.add_row(run.stage.name, str(run.stage.seed), row['state'], row['epoch'], row['eta'], row['top1'])
    return table


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)
