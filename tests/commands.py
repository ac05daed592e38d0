"""The command line, driven from tests: in the test's own process, or in one of its own that need not import torch again.

`call` runs a tool's script in this process and takes 4 to 8 s less than a new Python. It is the way to drive a tool wherever
the process is not what is tested. `Started` runs it in a process of its own, forked from one that has imported everything,
for kills, signals, locks, process groups and ranks. `subprocess` is left for what neither has: torchrun, shell scripts, the
interpreter's own start.

`tests/conftest.py` makes fixtures of both: `run` and `call`, in the test's own empty folder.
"""

import contextlib
import io
import json
import logging
import multiprocessing
import os
import random
import runpy
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SIGNALS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
TINY = ('train_cfg.max_epochs=3', 'param_scheduler.0.milestones=[2]')
WIDTH = 200  # of the console, so that no line of a table is broken
# What tools and runs import, some of it at its first use: a forked process finds it there.
IMPORTED = [
    *('torch._dynamo', 'torch.distributed', 'sklearn.datasets', 'matplotlib.pyplot', 'mpl_toolkits.mplot3d', 'mmcv.transforms'),
    *('mmlt.apis.main', 'mmlt.apis.train', 'mmlt.apis.test', 'mmlt.analysis.tables', 'mmlt.models', 'mmlt.datasets.transforms'),
    *('mmlt.evaluation', 'mmlt.engine', 'commands'),
]


class Done(NamedTuple):
    """How a command ended: its exit code (minus the signal that killed it), its standard output and standard error."""

    code: int
    out: str
    err: str


def call(tool: str | Path, *args: object, folder: str | Path | None = None) -> Done:
    """Run `tools/TOOL ARGS` in this process; nothing of it is left behind in the process.

    An exception that the tool does not handle is a stack trace on standard error and exit code 1, as Python has it.

    Args:
        tool: `train` or `train.py`, or the path of another script.
        args: of its command line.
        folder: the current folder meanwhile (default: the one that is current).
    """
    path = script_of(tool)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with isolated(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = [str(path), *map(str, args)]
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as error:
            code = _code_of(error)
        except Exception:
            traceback.print_exc()
            code = 1
    return Done(code, out.getvalue(), err.getvalue())


def script_of(tool: str | Path) -> Path:
    """The script of `train` or `train.py`; of a path, the path."""
    return tool if isinstance(tool, Path) else ROOT / 'tools' / f'{tool.removesuffix(".py")}.py'


def _code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


@contextlib.contextmanager
def isolated(folder: str | Path | None = None) -> Iterator[None]:
    """A process state as a new process has it; whatever is changed within is put back.

    Put back are the current folder, `sys.argv` and `sys.path`, the environment, the handlers of signals, the random numbers'
    and determinism settings of torch, MMEngine's managers (default scope, message hubs, loggers, whose files are closed),
    logging and warnings, and a user's own modules with the parts that they registered.
    """
    import numpy as np
    import torch
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.registry import DefaultScope
    from mmengine.visualization import Visualizer

    from mmlt.engine import shared_data
    from mmlt.engine.console import console

    handlers = {number: signal.signal(number, handler) for number, handler in SIGNALS.items()}
    before = (sys.argv, sys.path[:], dict(os.environ), set(sys.modules), console._width, logging.root.manager.disable)
    draws = random.getstate(), np.random.get_state(), torch.get_rng_state()
    determinism = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    managers = {kind: dict(kind._instance_dict) for kind in (DefaultScope, MMLogger, MessageHub, Visualizer)}
    console.width, os.environ['COLUMNS'] = WIDTH, str(WIDTH)
    shared_data._built.clear()  # data sets are shared within a process
    try:
        for kind in managers:
            kind._instance_dict.clear()
        with contextlib.chdir(folder or Path.cwd()), warnings.catch_warnings():
            yield
    finally:
        for logger in MMLogger._instance_dict.values():
            for handler in logger.handlers:
                handler.close()
        for kind, instances in managers.items():
            kind._instance_dict.clear()
            kind._instance_dict.update(instances)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        torch.use_deterministic_algorithms(determinism[0], warn_only=determinism[1])
        random.setstate(draws[0])
        np.random.set_state(draws[1])
        torch.set_rng_state(draws[2])
        sys.argv, sys.path[:], environment, modules, console._width, logging.root.manager.disable = before
        os.environ.clear()
        os.environ.update(environment)
        _forget({name for name in set(sys.modules) - modules if _is_users(name)})
        shared_data._built.clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _is_users(name: str) -> bool:
    """Whether a module is a user's own file: neither installed nor mmlt's."""
    file = getattr(sys.modules.get(name), '__file__', None)
    return file is not None and not any(Path(file).is_relative_to(place) for place in (sys.prefix, sys.base_prefix, ROOT))


def _forget(modules: set[str]) -> None:
    """Take out a user's modules, and the parts that they, or one that failed half-way, registered."""
    import mmengine.registry
    from mmengine.registry import Registry

    import mmlt.registry

    for name in modules:
        del sys.modules[name]
    for registry in (*mmlt.registry._registries.values(), *vars(mmengine.registry).values()):
        parts = registry._module_dict if isinstance(registry, Registry) else {}
        for name in [name for name, part in parts.items() if getattr(part, '__module__', 'sys') not in sys.modules]:
            del parts[name]


class Started:
    """A tool in a process of its own, used as a `subprocess.Popen`.

    Args:
        tool: `train` or `train.py`, or the path of another script.
        args: of its command line.
        folder: its current folder.
        first: Python that it executes before the tool's script, for instance a patch that makes a run slow.
        env: further environment.
        session: whether it leads a session, and so a process group, of its own.
    """

    def __init__(
        self, tool: str | Path, *args: object, folder: str | Path, first: str = '', session: bool = False, **env: str
    ) -> None:
        folder = Path(folder)
        self.argv = [str(script_of(tool)), *map(str, args)]
        number = time.monotonic_ns()
        self.files = [folder / f'.{number}.{name}' for name in ('out', 'err')]
        for file in self.files:
            file.touch()
        environment = {**os.environ, 'COLUMNS': str(WIDTH), **env}
        arguments = (self.argv, str(folder), list(map(str, self.files)), first, environment, session)
        self.process = _server().Process(target=_main, args=arguments)
        self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal's number where one killed it; None while it lives."""
        return self.process.exitcode

    def poll(self) -> int | None:
        """See `returncode`."""
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = 300) -> int:
        """The exit code, once it has ended.

        Raises:
            TimeoutError: it lives after `timeout` seconds; it is killed.
        """
        if not wait_for([self.process.sentinel], timeout):
            self.kill()
            raise TimeoutError(f'{self.argv} did not end in {timeout} s\n{self.read()}')
        self.process.join()
        return self.returncode

    def read(self) -> tuple[str, str]:
        """What it has written up to now."""
        return tuple(file.read_text(errors='replace') for file in self.files)

    def wait_for_line(self, text: str, timeout: float = 120) -> None:
        """Return once it has written `text`."""
        end = time.monotonic() + timeout
        while text not in ''.join(self.read()):
            assert self.poll() is None and time.monotonic() < end, (self.poll(), *self.read())
            time.sleep(0.01)

    def communicate(self, timeout: float | None = 300) -> tuple[str, str]:
        """Standard output and standard error, once it has ended."""
        self.wait(timeout)
        return self.read()

    def done(self, timeout: float | None = 300) -> Done:
        """How it ended, once it has."""
        code = self.wait(timeout)
        return Done(code, *self.read())


def _server() -> multiprocessing.context.BaseContext:
    """Where processes are forked: a process of this one's own that has imported everything and has one thread."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(IMPORTED)
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # read when torch is imported
    return context


def _main(
    argv: list[str], folder: str, files: list[str], first: str, environment: dict[str, str], session: bool
) -> None:
    """What a forked process does."""
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout, sys.stderr = (open(number, 'w', closefd=False) for number in (1, 2))
    if session:
        os.setsid()
    hear_signals()
    multiprocessing.set_start_method(None, force=True)  # as in a new process
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    from mmlt.engine.console import console

    console.width = int(environment['COLUMNS'])
    sys.argv = argv
    try:
        if first:
            exec(compile(first, 'first', 'exec'), {'__name__': 'first'})
        runpy.run_path(argv[0], run_name='__main__')
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def hear_signals() -> None:
    """Give signals their usual effect in this process: the tests may have been started with them ignored, which is inherited.

    A shell ignores SIGINT for what it starts in the background, nohup SIGHUP. Also for `preexec_fn` of a `subprocess`.
    """
    for number, handler in SIGNALS.items():
        signal.signal(number, handler)


class CommandLine:
    """Tools run in a folder of their own.

    Args:
        folder: the folder.

    Attributes:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Started] = []

    def start(self, tool: str | Path, *args: object, **settings: object) -> Started:
        """A tool in a process of its own, see `Started`; the fixture ends what still lives after the test."""
        self.started.append(Started(tool, *args, **{'folder': self.folder, **settings}))
        return self.started[-1]

    def ranks(self, tool: str | Path, *args: object, **settings: object) -> list[Done]:
        """How two processes of one run ended, see `start_ranks`; `--launcher pytorch` is given."""
        return [process.done() for process in self.start_ranks(tool, '--launcher', 'pytorch', *args, **settings)]

    def start_ranks(
        self, tool: str | Path, *args: object, folders: Sequence[Path] | None = None, **settings: object
    ) -> list[Started]:
        """Two processes of one run, as torchrun starts them but without torchrun's own; `folders`: where each is started."""
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        common = dict(WORLD_SIZE='2', LOCAL_WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), **settings)
        own = [dict(RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)]
        for place, folder in enumerate(folders or ()):
            own[place]['folder'] = folder
        return [self.start(tool, *args, **common, **one) for one in own]

    def __call__(self, tool: str, *args: object, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a tool run in this process; its exit code must be `code`."""
        done = call(tool, *args, folder=self.folder)
        assert done.code == code, f'exit code {done.code}\n{done.out}\n{done.err}'
        return done.out, done.err

    def train(self, config: str, *args: object, code: int = 0) -> tuple[str, str]:
        """`tools/train.py CONFIG`, three epochs of the digits; arguments with `=` go to `--cfg-options`."""
        options = [arg for arg in args if '=' in str(arg)]
        rest = [arg for arg in args if '=' not in str(arg)]
        return self('train.py', config, *rest, '--cfg-options', *TINY, *options, code=code)

    def results(self, pattern: str) -> dict:
        """The one results.json below work_dirs that matches."""
        (path,) = self.folder.glob(f'work_dirs/{pattern}/results.json')
        return json.loads(path.read_text())

    def close(self) -> None:
        """End what still lives."""
        for started in self.started:
            started.kill()
            started.wait()
