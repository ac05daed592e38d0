"""Heads that compare a student with its teacher; several combine in one classifier."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.models.losses import balanced_distillation_loss, distillation_loss
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.registry import MODELS


class Outputs(NamedTuple):
    """What a classifier makes of a batch: features (B, C) and logits (B, K), both float."""

    features: Tensor
    logits: Tensor


@MODELS.register_module()
class LogitDistillHead(nn.Module):
    """Knowledge distillation (Hinton et al. 2015): T^2 KL(teacher || student) at temperature T.

    Args:
        temperature: T > 0 of both softmaxes.
        weight: factor alpha on the loss.
    """

    def __init__(self, temperature: float = 2.0, weight: float = 1.0) -> None:
        super().__init__()
        self.temperature = number(self, 'temperature', temperature, above=0)
        self.weight = number(self, 'weight', weight, least=0)

    def forward(self, student: Outputs, teacher: Outputs, target: Tensor, class_counts: Tensor) -> dict[str, Tensor]:
        """`loss_kd` (scalar) from two `Outputs`; `target` (B,) and `class_counts` (K,) are not used."""
        return {'loss_kd': self.weight * distillation_loss(student.logits, teacher.logits, self.temperature)}


@MODELS.register_module()
class BalancedDistillHead(nn.Module):
    """Balanced knowledge distillation (Zhang et al. 2021, arXiv 2104.10510).

    The teacher's softened probabilities are weighted by class (effective number) and normalised again to sum 1, sample
    by sample; the student is drawn to them by T^2 KL. With weights of one this is ordinary distillation.

    Args:
        num_classes: number K of classes.
        temperature: T > 0 of both softmaxes.
        weight: factor alpha on the loss.
        beta: of the effective number, in [0, 1].
        start_epoch: first epoch (from 0) with class weights; before it they are one.
    """

    def __init__(
        self,
        num_classes: int,
        temperature: float = 2.0,
        weight: float = 1.0,
        beta: float = 0.9999,
        start_epoch: int = 0,
    ) -> None:
        super().__init__()
        self.temperature = number(self, 'temperature', temperature, above=0)
        self.weight = number(self, 'weight', weight, least=0)
        self.reweighting = ClassReweighting(num_classes, beta, start_epoch)

    def forward(self, student: Outputs, teacher: Outputs, target: Tensor, class_counts: Tensor) -> dict[str, Tensor]:
        """`loss_bkd` (scalar) from two `Outputs`; `target` (B,) is not used; the weights follow `ClassReweighting`."""
        loss = balanced_distillation_loss(
            student.logits, teacher.logits, self.reweighting.weights, self.temperature
        )
        return {'loss_bkd': self.weight * loss}


@MODELS.register_module()
class FeatureDistillHead(nn.Module):
    """One minus the cosine between the student's and the teacher's feature.

    Args:
        in_channels: size of the student's feature.
        teacher_channels: size of the teacher's; a linear projection bridges a difference.
        weight: factor on the loss.
    """

    def __init__(self, in_channels: int, teacher_channels: int | None = None, weight: float = 1.0) -> None:
        super().__init__()
        bridged = teacher_channels not in (None, in_channels)
        self.projection = nn.Linear(in_channels, teacher_channels, bias=False) if bridged else nn.Identity()
        self.weight = number(self, 'weight', weight, least=0)

    def forward(self, student: Outputs, teacher: Outputs, target: Tensor, class_counts: Tensor) -> dict[str, Tensor]:
        """`loss_feature` (scalar) from two `Outputs`; `target` (B,) and `class_counts` (K,) are not used."""
        projected = self.projection(student.features).float()
        cosine = F.cosine_similarity(projected, teacher.features.detach().float(), dim=1)  # (B,)
        return {'loss_feature': self.weight * (1 - cosine).mean()}
