"""The outermost layer of the command-line tools."""

import sys
from collections.abc import Callable

from mmlt.errors import UserError


def run_tool(function: Callable[[], object]) -> None:
    """Run a tool's main function; a mistake of the user ends in one sentence and exit code 1.

    `--debug` on the command line keeps the stack trace.
    """
    try:
        function()
    except UserError as error:
        if '--debug' in sys.argv:
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(1)
