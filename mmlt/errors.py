"""The one exception that a user is meant to read, and words for its sentence: what others say, what differs."""

from typing import Any


class UserError(Exception):
    """Something the user can put right: one sentence saying what is wrong, where, and what to do.

    The command-line tools print it without a stack trace and exit with code 1 (``--debug`` keeps the trace).
    """


def reason(error: Exception) -> str:
    """Another package's error for a sentence of ours: its kind and the first sentence it says.

    What torch says after that may advise to load a file with trust.
    """
    return f'{type(error).__name__}: {str(error).strip().split(". ")[0].splitlines()[0] if str(error).strip() else ""}'


def changed(before: Any, now: Any, path: str) -> str:
    """The first difference between two plain structures, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys(), key=str):
            if before.get(key) != now.get(key):
                return changed(before.get(key), now.get(key), f'{path}.{key}')
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for place, (old, new) in enumerate(zip(before, now, strict=True)):
            if old != new:
                return changed(old, new, f'{path}[{place}]')
    return f'{path} was {brief(repr(before))} and is now {brief(repr(now))}'


def brief(value: Any, most: int = 120) -> str:
    """What a message quotes: a text as it is, anything else as Python writes it, cut to `most` characters.

    What no terminal or UTF-8 file can take (bytes of a foreign file name) is written as an escape.
    """
    text = value if isinstance(value, str) else repr(value)
    text = text[: most + 1].encode('utf-8', 'backslashreplace').decode()
    return text if len(text) <= most else f'{text[: most - 10]} ...'


def quoted(value: Any) -> str:
    """A value as Python writes it, its beginning where that is long."""
    try:
        return brief(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists
        return f'<{type(value).__name__}>'
