"""Finished models that a student learns from."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.step import Outputs


class Teachers:
    """The teachers of one student, by the role of their prerequisite.

    They are no sub-modules of it: they stay in eval mode, get no gradient, and are in no optimizer and in no checkpoint.
    """

    def __init__(self) -> None:
        self._attached: dict[str, list[tuple[nn.Module, Tensor | None]]] = {}

    @property
    def by_role(self) -> dict[str, list[nn.Module]]:
        """Those that are attached."""
        return {role: [teacher for teacher, _ in attached] for role, attached in self._attached.items()}

    def attach(
        self,
        role: str,
        models: Sequence[nn.Module],
        classes: Sequence[Sequence[int] | None],
        class_counts: Tensor,
        memory_format: torch.memory_format,
    ) -> None:
        """Freeze these models and keep them, where the student's class counts are and in its layout.

        Args:
            role: of the prerequisite.
            models: finished classifiers.
            classes: for each model the student's class behind each of its own; None for the same classes.
            class_counts: int64 (K,), the student's.
            memory_format: of the student's images and weights.

        Raises:
            UserError: a model of other classes, or of other counts where both are known.
        """
        attached = []
        for teacher, own in zip(models, classes, strict=True):
            places = None if own is None else torch.as_tensor(own, device=class_counts.device)
            here = class_counts if places is None else class_counts[places]
            if len(here) != teacher.num_classes:
                raise UserError(f'the teacher has {teacher.num_classes} classes and the student {len(class_counts)}.')
            counts = teacher.class_counts.tolist()
            if any(counts) and any(here.tolist()) and counts != here.tolist():
                raise UserError(
                    f'the {role} was trained on other class counts ({sum(counts):,} images of its classes) than the student '
                    f'({sum(here.tolist()):,} of these): train one on this data.'
                )
            teacher.eval().requires_grad_(False)
            attached.append((teacher.to(class_counts.device, memory_format=memory_format), places))
        self._attached[role] = attached

    def outputs(self, role: str, images: Tensor) -> list[Outputs]:
        """What each teacher of a role makes of normalised images (B, 3, H, W), without gradient.

        Raises:
            UserError: the student has no such teacher.
        """
        if not self._attached.get(role):
            raise UserError(f'the student has no {role}: name one in the config (prerequisites.{role}).')
        with torch.no_grad():
            return [teacher.outputs(images)._replace(classes=classes) for teacher, classes in self._attached[role]]

    def move(self, convert: Callable[[Tensor], Tensor]) -> None:
        """Follow the student to another device or dtype: `convert` is what `nn.Module._apply` is given."""
        for attached in self._attached.values():
            for place, (teacher, classes) in enumerate(attached):
                attached[place] = teacher._apply(convert), None if classes is None else convert(classes)
