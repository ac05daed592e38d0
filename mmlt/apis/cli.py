"""The outermost layer of the command-line tools."""

import contextlib
import re
import signal
import sys
from collections.abc import Callable

from mmlt.apis.parent import follow_parent
from mmlt.errors import UserError

UNEXPECTED = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
MISSING = re.compile(r'(\w+)(?:\.__init__)?\(\) missing \d+ required (?:positional|keyword-only) arguments?: (.+)')
POSIX = ('fcntl', 'pwd', 'resource', 'termios')  # standard modules of POSIX systems alone
GLOO = re.compile(r'Connection closed|Connection reset|Broken pipe|\[[^]]*gloo|NCCL|Timed out waiting', re.IGNORECASE)


def run_tool(function: Callable[[], object]) -> None:
    """Run a tool's main function; a mistake of the user ends in one sentence and exit code 1.

    `--debug` on the command line keeps the stack trace. Ctrl-C ends it with 130, SIGTERM with 143.
    """
    before = None
    with contextlib.suppress(ValueError):  # not in the main thread: leave the signal alone
        before = signal.signal(signal.SIGTERM, _leave)
    follow_parent()
    try:
        function()
    except KeyboardInterrupt:
        complain('stopped.')
        sys.exit(128 + signal.SIGINT)
    except SystemExit as error:
        if error.code == 2:  # argparse's, which has said what is wrong: every mistake of the user ends with 1
            sys.exit(1)
        raise
    except Exception as error:
        sentence = explain(error)
        if sentence is None or '--debug' in sys.argv:
            raise
        complain(f'error: {sentence}')
        sys.exit(1)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def complain(line: str) -> None:
    """Put one line on standard error in one piece: other processes of the run write there too."""
    sys.stderr.write(f'{line}\n')
    sys.stderr.flush()


def explain(error: Exception) -> str | None:
    """One sentence for an error that a user can put right; None for any other, which is a mistake of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, ImportError) and error.name in POSIX:
        return f'this system lacks {error.name}, a part of Python on Linux and macOS: mmlt runs there, on Windows in WSL.'
    if isinstance(error, ImportError):
        return f'an import failed: {error}; install what is missing, or correct the config.'
    if isinstance(error, OSError) and error.strerror:
        where = f'{error.filename}: ' if error.filename else ''
        return f'{where}{error.strerror}; check the path, the permissions and the space on the disk.'
    if isinstance(error, TypeError):
        if match := UNEXPECTED.search(str(error)):
            return f'{match[1]} takes no argument {match[2]!r}: correct the config.'
        if match := MISSING.search(str(error)):
            return f'{match[1]} needs {match[2]}: give it in the config.'
    if isinstance(error, RuntimeError) and _in_a_group() and GLOO.search(str(error)):
        return 'another process of this run ended, its own message says why; --resume goes on from the last checkpoint.'
    return None


def _in_a_group() -> bool:
    torch = sys.modules.get('torch')
    return torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized()


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)
