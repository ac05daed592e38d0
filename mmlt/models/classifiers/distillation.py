"""A student that learns from its labels and from a frozen teacher."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.heads import Outputs
from mmlt.registry import MODELS


class Taught:
    """What a classifier with a frozen teacher has; it stands before the classifier among the bases.

    The teacher is attached before training (the config's `prerequisites.teacher`). It is no sub-module: it stays in
    eval mode, gets no gradient, is in no optimizer and in no checkpoint, and sees the very images the student sees.

    Attributes:
        distill_heads: the distillation heads, which the classifier's constructor builds.
    """

    distill_heads: nn.ModuleList
    _teacher: Sequence[LongTailedClassifier] = ()  # in a list: not a sub-module

    @property
    def teacher(self) -> LongTailedClassifier | None:
        """The frozen teacher, or None before one is attached."""
        return self._teacher[0] if self._teacher else None

    def attach_teacher(self, teacher: LongTailedClassifier) -> None:
        """Freeze `teacher` and learn from it.

        Raises:
            UserError: it was trained on other classes.
        """
        if teacher.num_classes != self.num_classes:
            raise UserError(f'the teacher has {teacher.num_classes} classes and the student {self.num_classes}.')
        counts = teacher.class_counts.tolist()
        if any(counts) and any(self.class_counts.tolist()) and counts != self.class_counts.tolist():
            raise UserError('the teacher was trained on other class counts than the student: train one on this data.')
        teacher.eval().requires_grad_(False)
        self._teacher = [teacher.to(self.class_counts.device, memory_format=self.memory_format)]

    def _apply(self, fn, recurse: bool = True):  # noqa: ANN001, ANN202 - the signature is torch's
        for teacher in self._teacher:
            teacher._apply(fn)
        return super()._apply(fn, recurse)

    def teacher_outputs(self, images: Tensor) -> Outputs:
        """The teacher's features (B, C) and logits (B, K), without gradient."""
        if self.teacher is None:
            raise UserError('the student has no teacher: name one in the config (prerequisites.teacher).')
        with torch.no_grad():
            return self.teacher.outputs(images)

    def distillation_losses(self, student: Outputs, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Each distillation head's losses, from the student's outputs and the teacher's on the same images."""
        teacher = self.teacher_outputs(images)
        losses = {}
        for head in self.distill_heads:
            losses.update(head(student, teacher, target, self.class_counts))
        return losses


@MODELS.register_module()
class DistillationClassifier(Taught, LongTailedClassifier):
    """Classification loss plus the losses of one or more distillation heads; see `Taught` for the teacher.

    Args:
        distill_heads: configs of distillation heads.
        backbone, head, loss, neck, reweighting, data_preprocessor: as `LongTailedClassifier`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        distill_heads: Sequence[dict] = (),
        loss: dict | None = None,
        neck: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, loss, neck, reweighting, data_preprocessor)
        self.distill_heads = nn.ModuleList(MODELS.build(cfg) for cfg in distill_heads)

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls` and each distillation head's losses."""
        student = self.outputs(images)
        loss = self.classification_loss(student.logits, target)
        return {'loss_cls': loss, **self.distillation_losses(student, images, target)}
