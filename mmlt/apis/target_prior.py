"""The class prior where a model is used, as a user states it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmlt.errors import UserError
from mmlt.schema import read_json

ESTIMATE, UNIFORM = 'estimate', 'uniform'


def target_prior(
    prior: str | Path | Sequence[float] | dict[str, float], names: Sequence[str], option: str = '--prior'
) -> Tensor | str:
    """Shares (K,) float64 that sum to 1, or `estimate`.

    Args:
        prior: `uniform`, `estimate`, a share by class name (a class that is not named has none), K shares in the order of the
            classes, or a JSON file with either; they may have any sum.
        names: of the K classes.
        option: that a file was given by, for messages.

    Raises:
        UserError: a file that holds no such thing, a name that no class has, another number of shares, a negative one.
    """
    if prior == ESTIMATE:
        return ESTIMATE
    if isinstance(prior, str) and prior == UNIFORM:
        return torch.full((len(names),), 1 / len(names), dtype=torch.float64)
    shares, where = prior, 'prior'
    if isinstance(prior, (str, Path)):
        where = f'{option} {prior}'
        try:
            shares = read_json(prior)
        except (OSError, ValueError) as error:
            raise UserError(
                f'{where}: give {UNIFORM}, {ESTIMATE}, or a JSON file with a share by class name, or one a class ({error}).'
            ) from error
    if isinstance(shares, dict):
        if unknown := [name for name in shares if name not in names]:
            raise UserError(f'{where} names the class {unknown[0]!r}, which the model does not have: correct the names.')
        shares = [shares.get(name, 0) for name in names]
    try:
        shares = [float(share) for share in shares]
    except (TypeError, ValueError, OverflowError):
        raise UserError(f'{where} must be {len(names)} numbers, or a number by class name.') from None
    if len(shares) != len(names) or not min(shares) >= 0 or not 0 < sum(shares) < float('inf'):
        raise UserError(f'{where} must hold {len(names)} numbers of at least 0 that are not all 0.')
    return torch.tensor(shares, dtype=torch.float64) / sum(shares)
