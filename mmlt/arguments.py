"""One check for the numbers that a config gives to a constructor."""

import math
from numbers import Integral, Real

from mmlt.errors import UserError


def number(
    owner: object,
    name: str,
    value: float,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    whole: bool = False,
) -> float:
    """`value`, if it is a finite number in its range.

    Args:
        owner: the part it is given to, or that part's name.
        name: of the argument.
        value: what was given.
        least: smallest number allowed.
        most: largest number allowed.
        above: the number must be larger than this one.
        whole: only whole numbers.

    Raises:
        UserError: it is none, or out of its range.
    """
    kind = Integral if whole else Real
    fine = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    fine = fine and (least is None or value >= least) and (most is None or value <= most)
    if fine and (above is None or value > above):
        return value
    wanted = 'a whole number' if whole else 'a number'
    if above is not None:
        wanted += f' above {above}'
    if least is not None:
        wanted += f' of at least {least}'
    if most is not None:
        wanted += f' and at most {most}' if (least, above) != (None, None) else f' of at most {most}'
    who = owner if isinstance(owner, str) else type(owner).__name__
    raise UserError(f'{who}: {name} must be {wanted}, got {value!r}.')
