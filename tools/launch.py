#!/usr/bin/env python3
"""torchrun, ending as tools/train.py ends: the reason in one line, the exit code of a signal, no stack trace of its own.

    python tools/launch.py --nproc-per-node 2 tools/train.py CONFIG --launcher pytorch    # what dist_train.sh does
"""

import logging
import os
import signal
import sys


def main() -> None:
    """Start the processes; Ctrl-C and SIGTERM are handed on to them, and time is left to finish the step and save."""
    if 'LOGLEVEL' not in os.environ:  # torchrun's own log: the processes say what happened
        logging.disable(logging.ERROR)
    os.environ['MMLT_PARENT'] = str(os.getpid())  # killed outright, it takes its processes along: mmlt.apis.parent
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main(['--shutdown-timeout', '300', *sys.argv[1:]])
    except SignalException as error:
        sys.exit(128 + int(error.sigval))
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        told = any(code > 0 for code in codes.values())  # a process that said why; torchrun then ends the others
        killed = {rank: -code for rank, code in codes.items() if code < 0 and not (told and -code == signal.SIGTERM)}
        for rank, number in killed.items():
            print(
                f'error: process {rank} of this run was ended by {signal.Signals(number).name} (out of memory, or a '
                'kill); --resume goes on from the last checkpoint.',
                file=sys.stderr,
            )
        first = error.get_first_failure()[1].exitcode
        sys.exit(1 if killed else first if first > 0 else min(code for code in codes.values() if code > 0))


if __name__ == '__main__':
    main()
