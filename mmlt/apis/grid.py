"""Many runs from one command, each in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from mmlt.analysis.results import read_results
from mmlt.analysis.tables import comparison_tables
from mmlt.apis.parent import environment
from mmlt.config.find import find_config
from mmlt.config.overrides import parse_options
from mmlt.engine.console import console, say
from mmlt.engine.stages import Stage, check_seeds
from mmlt.errors import UserError


def run_grid(
    configs: list[str], seeds: list[int], jobs: int = 1, precision: str | None = None, options: list[str] | None = None
) -> list[dict]:
    """Train every config with every seed as `tools/train.py --resume` does.

    A run that fails does not stop the others; all failures are named in the end.

    Args:
        configs: paths of configs.
        seeds: training seeds.
        jobs: runs at a time.
        precision: instead of the configs'.
        options: `KEY=VALUE` overrides for every config.

    Returns:
        The results of every run, in the order of configs, then seeds.

    Raises:
        UserError: a config does not exist (before anything is trained), or runs failed (after the others are done).
    """
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get('PYTHONPATH')]))
    env = environment({**os.environ, 'PYTHONPATH': path})  # killed outright, the grid takes its runs along
    if jobs < 1:
        raise UserError(f'--jobs {jobs}: at least one run at a time is needed.')
    check_seeds(seeds)
    paths = list(dict.fromkeys(find_config(config) for config in configs))  # patterns of the shell may overlap
    stages = [Stage(path, seed, parse_options(options or []), precision) for path in paths for seed in seeds]
    waiting = list(stages)
    running: dict[subprocess.Popen, Stage] = {}
    failed: list[str] = []
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, _leave)  # a closed terminal, which the runs do not hear of; nohup ignores it
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                stage = waiting.pop(0)
                command = [sys.executable, '-m', 'mmlt.apis.main', 'train', str(stage.path), '--resume']
                command += ['--seed', str(stage.seed)]
                command += ['--precision', precision] if precision else []
                command += ['--cfg-options', *options] if options else []
                stage.folder.mkdir(parents=True, exist_ok=True)
                with open(stage.folder / 'console.log', 'a', encoding='utf-8') as log:
                    # A session of its own: Ctrl-C comes here alone and is handed on once, for a second one ends a run unsaved.
                    process = subprocess.Popen(
                        command, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
                    )
                    running[process] = stage
                say(f'started {stage.name}, seed {stage.seed}: {stage.folder}/console.log')
            time.sleep(0.5)
            for process in [process for process in running if process.poll() is not None]:
                stage = running.pop(process)
                if process.returncode:
                    failed.append(f'{stage.name} seed {stage.seed} ({stage.folder}/console.log)')
                say(f'{"FAILED" if process.returncode else "done"}    {stage.name}, seed {stage.seed}')
    finally:
        for process in running:  # interrupted: let each run save and leave
            process.terminate()
        for process in running:
            process.wait()
    results = [read_results(record['folder']) for stage in stages if (record := stage.finished())]
    for table in comparison_tables(results):  # one for each number of epochs, data set and the like
        console.print(table)
    if failed:
        names = '; '.join(failed)
        raise UserError(f'{len(failed)} of {len(stages)} runs failed: {names}; run the same command to go on.')
    return results


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)
