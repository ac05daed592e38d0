"""The one exception that a user is meant to read, and what others say, made short."""


class UserError(Exception):
    """Something the user can put right: one sentence saying what is wrong, where, and what to do.

    The command-line tools print it without a stack trace and exit with code 1 (``--debug`` keeps the trace).
    """


def reason(error: Exception) -> str:
    """Another package's error for a sentence of ours: its kind and the first sentence it says.

    What torch says after that may advise to load a file with trust.
    """
    return f'{type(error).__name__}: {str(error).strip().split(". ")[0].splitlines()[0] if str(error).strip() else ""}'
