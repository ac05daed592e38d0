"""NCL: nested collaborative learning (Li et al., CVPR 2022, arXiv 2203.15359)."""

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.models.classifiers.contrasting import ContrastingExperts
from mmlt.models.classifiers.multi_expert import ExpertOutputs
from mmlt.models.losses import cross_entropy_loss
from mmlt.models.losses.expert_distillation import hard_categories, mutual_distillation_loss
from mmlt.models.losses.inputs import class_vector, widen
from mmlt.registry import MODELS


@MODELS.register_module()
class NCLClassifier(ContrastingExperts):
    """Experts that learn from labels and from each other, over all classes and over the hard ones.

    Each expert's logits get the log of the class counts. The labels teach all classes and, once more, the classes that
    the first expert finds hardest to tell from the true one (the other logits are set to 0, not to -inf); each pair of
    experts learns from one another on both. Losses are summed over the experts.

    Args:
        backbone: config of a `MultiExpertBackbone`; the paper's shares nothing (`shared_stages=0`).
        head: config of one expert's head.
        hard_part: part of the classes that count as hard, in (0, 1]; 0.3 in the paper.
        distill_weight: weight of the mutual distillation.
        contrast, contrast_weight, data_preprocessor: as `ContrastingExperts`.
        loss: of the labels over all classes; balanced softmax if none is given.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        hard_part: float = 0.3,
        distill_weight: float = 0.6,
        contrast: dict | None = None,
        contrast_weight: float = 1.0,
        loss: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        loss = loss or dict(type='BalancedSoftmaxLoss')
        super().__init__(backbone, head, contrast, contrast_weight, loss, data_preprocessor)
        number(self, 'hard_part', hard_part, above=0, most=1)
        self.num_hard = min(max(round(hard_part * self.num_classes), 1), self.num_classes)
        self.distill_weight = number(self, 'distill_weight', distill_weight, least=0)

    def expert_losses(self, outputs: ExpertOutputs, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls` and `loss_hard` of the labels, `loss_distill` of the experts, on all and on hard classes."""
        raw = widen(outputs.logits)
        adjusted = raw + class_vector(self.class_counts, raw[:, 0]).log()
        hard = hard_categories(raw[:, 0], target, self.num_hard)[:, None]  # (B, 1, K)
        masked = torch.where(hard, adjusted, 0.0)
        distilled = mutual_distillation_loss(adjusted) + mutual_distillation_loss(masked)
        return {
            **super().expert_losses(outputs, target),
            'loss_hard': sum(cross_entropy_loss(masked[:, k], target) for k in range(self.num_experts)),
            'loss_distill': self.distill_weight * distilled,
        }
