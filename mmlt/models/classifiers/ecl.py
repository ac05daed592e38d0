"""ECL: effective collaborative learning (IEEE TMM 2023, arXiv 2305.03378); a reconstruction."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.classifiers.contrasting import ContrastingExperts
from mmlt.models.classifiers.multi_expert import ExpertOutputs
from mmlt.models.losses.expert_distillation import (
    collaborative_distillation_loss,
    expert_feature_loss,
    transfer_weights,
)
from mmlt.models.losses.inputs import class_vector, widen
from mmlt.registry import MODELS

WEIGHTINGS = ('class', 'target', 'sample', 'none')


class ClassConfidence(nn.Module):
    """What two classifiers give the true class, averaged for each class: over an epoch, then over the epochs.

    An epoch's mean enters the running one when the next epoch begins, all ranks' images together, and the weights of
    the classes follow; a class that no batch held keeps its value. Everything is in the checkpoint.

    Args:
        num_classes: number K of classes.
        momentum: part of the running mean that stays, in [0, 1].
        gamma, limit: of `transfer_weights`.

    Attributes:
        weights: float32 buffer (K,), ones in the first epoch.
    """

    def __init__(self, num_classes: int, momentum: float, gamma: float, limit: float | None) -> None:
        super().__init__()
        self.momentum = momentum
        self.gamma = gamma
        self.limit = limit
        self.register_buffer('weights', torch.ones(num_classes))
        self.register_buffer('running', torch.zeros(2, num_classes))  # by the labels' classifier, by the experts'
        self.register_buffer('sums', torch.zeros(3, num_classes, dtype=torch.float64))  # of this epoch, and the images
        self.register_buffer('epoch', torch.zeros((), dtype=torch.int64))
        self.register_buffer('seen', torch.zeros(num_classes, dtype=torch.bool))
        self._held: Tensor | None = None

    @torch.no_grad()
    def hold(self, label_logits: Tensor, distilled_logits: Tensor, target: Tensor) -> None:
        """Keep a batch's confidences, averaged over the experts, until the step is done.

        Args:
            label_logits, distilled_logits: raw, (B, E, K).
            target: int64 (B,).
        """
        rows = [true_class_confidence(logits, target) for logits in (label_logits, distilled_logits)]
        values = torch.stack([*rows, torch.ones_like(rows[0])]).double()  # (3, B)
        self._held = torch.zeros_like(self.sums).index_add_(1, target, values)

    @torch.no_grad()
    def after_step(self, updated: bool) -> None:
        """Count the batch that is held, on all ranks."""
        if self._held is not None:
            all_reduce(self._held, op='sum')
            self.sums += self._held
            self._held = None

    @torch.no_grad()
    def set_epoch(self, epoch: int) -> None:
        """Close the epoch before; told of the same epoch again, as after a resume, nothing happens."""
        if epoch == int(self.epoch):
            return
        means, images = self.sums[:2] / self.sums[2].clamp(min=1), self.sums[2] > 0
        kept = torch.where(self.seen, self.momentum * self.running + (1 - self.momentum) * means, means)
        self.running.copy_(torch.where(images, kept, self.running))
        self.seen |= images
        self.weights.copy_(transfer_weights(self.running[0], self.running[1], self.gamma, self.limit))
        self.sums.zero_()
        self.epoch.fill_(epoch)


def true_class_confidence(logits: Tensor, target: Tensor) -> Tensor:
    """The probability of the true class, averaged over the experts: (B,) from logits (B, E, K) and target (B,)."""
    probabilities = torch.softmax(widen(logits), dim=2)
    return probabilities.gather(2, target[:, None, None].expand(-1, logits.shape[1], 1)).mean((1, 2))


@MODELS.register_module()
class ECLClassifier(ContrastingExperts):
    """Experts that teach each other, more where the teaching lags behind. A RECONSTRUCTION: no formulas are public.

    Public (the paper's abstract): experts learn from each other online; what they transfer is imbalanced over the
    classes; the distillation is re-weighted by comparing two classifiers on the same features, one taught by the
    experts, one by the labels; features are distilled too; a contrastive proxy task helps, and is gone at test time.

    Ours: every formula. The labels teach expert k's logits u_k by balanced softmax (`loss`). A second head v_k on the
    same feature learns from the other experts' mean label logits, both with the log prior added, at temperature T. Each
    class is weighted by how much more the label heads give the true class than the distilled heads do
    (`transfer_weights` of running means over the epochs). Features approach each other's by cosine. Each expert
    contrasts two views of an image (`MomentumContrast`). The prediction is the mean of the raw label logits.

    With one expert the terms between experts are 0. Every part has its switch.

    Args:
        backbone: config of a `MultiExpertBackbone`.
        head: config of one expert's head; there are two an expert.
        distill_weight: weight of the distillation between experts; 0 removes it and the second heads.
        weighting: of the distillation: `class`, the weights of the classes by the sample's label; `target`, multiplied
            into the targets, which are normalised again (as BKD); `sample`, each sample by its own two confidences;
            `none`.
        temperature: T of the distillation.
        gamma: strength of the weights.
        limit: bound of a weight before it is divided by the mean; None for none.
        confidence_momentum: of the running confidences, an epoch.
        feature_weight: weight of the distillation between features; 0 removes it.
        contrast, contrast_weight, data_preprocessor: as `ContrastingExperts`; `contrast=None` removes that branch.
        loss: of the labels; balanced softmax if none is given.

    Raises:
        UserError: an unknown weighting, or a number out of its range.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        distill_weight: float = 0.6,
        weighting: str = 'class',
        temperature: float = 1.0,
        gamma: float = 1.0,
        limit: float | None = 5.0,
        confidence_momentum: float = 0.9,
        feature_weight: float = 1.0,
        contrast: dict | None = None,
        contrast_weight: float = 0.1,
        loss: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        loss = loss or dict(type='BalancedSoftmaxLoss')
        super().__init__(backbone, head, contrast, contrast_weight, loss, data_preprocessor)
        if weighting not in WEIGHTINGS:
            raise UserError(f'ECLClassifier knows no weighting {weighting!r}: choose one of {", ".join(WEIGHTINGS)}.')
        self.distill_weight = number(self, 'distill_weight', distill_weight, least=0)
        self.weighting = weighting
        self.temperature = number(self, 'temperature', temperature, above=0)
        self.gamma = number(self, 'gamma', gamma, least=0)
        self.limit = limit if limit is None else number(self, 'limit', limit, least=1)
        self.feature_weight = number(self, 'feature_weight', feature_weight, least=0)
        number(self, 'confidence_momentum', confidence_momentum, least=0, most=1)
        self.distilled_head = self.confidence = None
        if distill_weight and self.num_experts > 1:
            self.distilled_head = self.build_head(head)
        if self.distilled_head is not None and weighting != 'none':
            self.confidence = ClassConfidence(self.num_classes, confidence_momentum, gamma, limit)

    def distillation_loss(self, label_logits: Tensor, distilled_logits: Tensor, target: Tensor) -> Tensor:
        """The weighted distillation between the experts, a scalar, from raw logits (B, E, K) of both heads."""
        if self.confidence is not None:
            self.confidence.hold(label_logits, distilled_logits, target)
        prior = class_vector(self.class_counts, widen(label_logits[:, 0])).log()
        sample_weights = class_weights = None
        if self.weighting == 'class':
            sample_weights = self.confidence.weights[target]
        elif self.weighting == 'target':
            class_weights = self.confidence.weights
        elif self.weighting == 'sample':
            pair = [true_class_confidence(logits, target) for logits in (label_logits, distilled_logits)]
            sample_weights = transfer_weights(*pair, self.gamma, self.limit)
        return collaborative_distillation_loss(
            widen(distilled_logits) + prior, widen(label_logits) + prior, self.temperature, sample_weights, class_weights
        )

    def expert_losses(self, outputs: ExpertOutputs, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls` of the labels, and `loss_distill` and `loss_feature` between the experts."""
        losses = super().expert_losses(outputs, target)
        if self.distilled_head is not None:
            distilled = self.distillation_loss(outputs.logits, self.distilled_head(outputs.features), target)
            losses['loss_distill'] = self.distill_weight * distilled
        if self.feature_weight and self.num_experts > 1:
            losses['loss_feature'] = self.feature_weight * expert_feature_loss(outputs.features)
        return losses
