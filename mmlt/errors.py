"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can put right: one sentence saying what is wrong, where, and what to do.

    The command-line tools print it without a stack trace and exit with code 1 (``--debug`` keeps the trace).
    """
