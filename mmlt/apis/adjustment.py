"""A correction of a finished model as the command line of `tools/test.py` states it."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from mmlt.errors import UserError
from mmlt.schema import read_json

TUNE, ESTIMATE, HOLDOUT = 'tune', 'estimate', 'holdout'
VALUES = 'a number, tune (on images set aside: --holdout), or the --out file of such an evaluation'
SETTINGS = {  # the setting that belongs to a kind, and its default
    'logit_adjustment': ('tau', '1.0'),
    'tau_norm': ('tau', None),
    'temperature': ('temperature', None),
    'prior': ('test_prior', 'uniform'),
    'ncm': (None, None),
}


@dataclass(frozen=True)
class Adjustment:
    """A correction as the command line states it.

    Attributes:
        adjust: a key of `SETTINGS`.
        tau: for `logit_adjustment` and `tau_norm`: a number, `tune`, or the file that an evaluation with `tune` wrote.
        temperature: for `temperature`: a number above 0, `tune`, or such a file.
        test_prior: for `prior`: `uniform`, `estimate` (from the unlabelled test images), or a JSON file with a list of
            one number a class.

    Raises:
        UserError: an unknown kind, a setting of another kind, a missing one, or one that is no number.
    """

    adjust: str
    tau: str | None = None
    temperature: str | None = None
    test_prior: str | None = None

    def __post_init__(self) -> None:
        if self.adjust not in SETTINGS:
            raise UserError(f'--adjust {self.adjust} is not known: use one of {", ".join(SETTINGS)}.')
        own, default = SETTINGS[self.adjust]
        for name in ('tau', 'temperature', 'test_prior'):
            if name != own and getattr(self, name) is not None:
                raise UserError(f'--{name.replace("_", "-")} does not belong to --adjust {self.adjust}.')
        if own and self.setting is None:
            raise UserError(f'--adjust {self.adjust} needs --{own}: a number, or {TUNE} on a holdout.')
        if own in ('tau', 'temperature') and self.setting != TUNE and not Path(self.setting).is_file():
            try:
                number = float(self.setting)
            except ValueError:
                raise UserError(
                    f'--{own} {self.setting}: give a number, {TUNE}, or the file that an evaluation with {TUNE} wrote.'
                ) from None
            if own == 'temperature' and not number > 0:
                raise UserError(f'--temperature {self.setting}: it must be above 0.')

    @property
    def setting(self) -> str | None:
        """The value of the setting that belongs to this kind."""
        own, default = SETTINGS[self.adjust]
        return (getattr(self, own) or default) if own else None

    def fixed_value(self, config: str) -> tuple[float, str | None]:
        """The value of `tau` or `temperature` that is given, and what it was found on: `holdout` if a file says so.

        Args:
            config: name of the config that is evaluated; a value that was tuned for another one is refused.

        Raises:
            UserError: the file does not hold an evaluation of this config whose value was tuned for this correction.
        """
        if not Path(self.setting).is_file():
            return float(self.setting), None
        try:
            record = read_json(self.setting)
            tuned, tuned_for = record['adjustment'], record['config']
            value, found = float(tuned['value']), (tuned_for, tuned['adjust'], tuned['found_on'])
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            raise UserError(f'{self.setting} was not written by tools/test.py --adjust {self.adjust} --out.') from None
        if found != (config, self.adjust, HOLDOUT):
            raise UserError(
                f'{self.setting} holds a value for {found[1]} of {found[0]}, found on {found[2]}: give one that was tuned '
                f'on a holdout for {self.adjust} of {config}.'
            )
        return value, HOLDOUT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/test.py` that state an `Adjustment`."""
    parser.add_argument('--adjust', choices=tuple(SETTINGS), help='correct the finished model first, without training')
    parser.add_argument('--tau', help=f'of logit_adjustment (default 1) and tau_norm: {VALUES}')
    parser.add_argument('--temperature', help=f'of --adjust temperature: {VALUES}')
    parser.add_argument(
        '--test-prior', help='of --adjust prior: uniform (default), estimate (unlabelled), or a JSON list of shares'
    )


def from_arguments(args: argparse.Namespace) -> Adjustment | None:
    """What the command line asks for.

    Raises:
        UserError: see `Adjustment`; or a setting without `--adjust`.
    """
    if args.adjust:
        return Adjustment(args.adjust, args.tau, args.temperature, args.test_prior)
    if args.tau or args.temperature or args.test_prior:
        raise UserError('--tau, --temperature and --test-prior belong to --adjust: name the correction too.')
    return None


def in_words(record: dict) -> str:
    """One line about the correction that `mmlt.apis.posthoc.adjust_model` records."""
    value = f': {record["value"]:.6g}' if isinstance(record['value'], float) else ''
    found = f', found on the {record["found_on"]}' if record['found_on'] else ''
    return f'adjusted by {record["adjust"]}{value}{found}'
