"""What a config may say of a file with labels, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmlt.arguments import number
from mmlt.errors import UserError, brief

MOST_CLASSES = 10_000_000
POLICIES = ('zeros', 'ones', 'leave_out')


@dataclass(frozen=True)
class Options:
    """How a file is read; see `read_labels`, whose arguments these are.

    Raises:
        UserError: one of the wrong kind.
    """

    classes: list[str] | None = None
    num_classes: int | None = None
    labels: str | Sequence[int] | None = None
    several: bool | None = None
    image_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    separator: str | None = None
    uncertain: str | None = None
    blank: str | None = None

    def __post_init__(self) -> None:
        if self.num_classes is not None:
            number('the labels', 'num_classes', self.num_classes, least=1, most=MOST_CLASSES, whole=True)
            if self.classes is not None and self.num_classes != len(self.classes):
                raise UserError(f'num_classes is {self.num_classes}, but classes names {len(self.classes)}: give one of them.')
        for key in ('image_column', 'label_column', 'split_column', 'group_column', 'separator'):
            given = getattr(self, key)
            if given is not None and (not isinstance(given, str) or not given):
                raise UserError(f'{key} must be a text, not {brief(repr(given))}.')
        for key in ('uncertain', 'blank'):
            given = getattr(self, key)
            if given is not None and given not in POLICIES:
                raise UserError(f'{key} must be one of {", ".join(POLICIES)}, not {brief(repr(given))}.')

    @property
    def columns(self) -> dict[str, Any]:
        """Which columns were named, by option."""
        keys = ('image_column', 'label_column', 'split_column', 'group_column')
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}
