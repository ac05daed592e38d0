"""What experts learn from one another: RIDE's diversity, NCL's nested and ECL's re-weighted collaboration."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.losses import cross_entropy_loss, diversity_loss, diversity_temperatures
from mmlt.models.losses.expert_distillation import (
    collaborative_distillation_loss,
    expert_feature_loss,
    hard_categories,
    mutual_distillation_loss,
    transfer_weights,
)
from mmlt.models.losses.inputs import class_vector, widen
from mmlt.models.step import Step
from mmlt.models.terms.base import Term
from mmlt.registry import MODELS

WEIGHTINGS = ('class', 'target', 'sample', 'none')


class ExpertTerm(Term):
    """A term between experts."""

    def bind(self, model: nn.Module) -> None:
        """Refuse a network without experts.

        Raises:
            UserError: the backbone is no `MultiExpertBackbone`.
        """
        model.need_experts(type(self).__name__)


@MODELS.register_module()
class Diversity(ExpertTerm):
    """RIDE: experts are driven apart from their mean; see `diversity_loss`.

    Args:
        weight: factor on the divergence; below 0 it drives the experts apart.
        eta: how strongly a class's temperature follows its prior, in [0, 1); the temperatures are 1 until the class
            weights of `reweighting` begin, and without one.
    """

    labels = ('one', 'many')

    def __init__(self, weight: float = -0.45, eta: float = 0.05) -> None:
        super().__init__()
        self.weight = number('RIDE', 'diversity', weight)
        self.eta = eta
        if not 0 <= number('RIDE', 'eta', eta) < 1:
            raise UserError(f"RIDE's eta lies in [0, 1), not at {eta}.")

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_diversity`."""
        temperatures = None
        if step.prior.weighted:
            temperatures = diversity_temperatures(step.prior.class_counts.float(), self.eta)
        return {'loss_diversity': self.weight * diversity_loss(step.outputs().logits, temperatures)}


@MODELS.register_module()
class NestedCollaboration(ExpertTerm):
    """NCL: experts learn from each other over all classes, and labels and experts teach the hard classes once more.

    Each expert's logits get the log of the class counts. Hard are the classes that the first expert finds hardest to tell
    from the true one; the other logits are set to 0, not to -inf. Losses are summed over the experts.

    Args:
        hard_part: part of the classes that count as hard, in (0, 1].
        distill_weight: weight of the mutual distillation.

    Source: Li et al., Nested Collaborative Learning for Long-Tailed Visual Recognition, CVPR 2022, and its code.
    """

    def __init__(self, hard_part: float = 0.3, distill_weight: float = 0.6) -> None:
        super().__init__()
        self.hard_part = number('NCLClassifier', 'hard_part', hard_part, above=0, most=1)
        self.distill_weight = number('NCLClassifier', 'distill_weight', distill_weight, least=0)

    def bind(self, model: nn.Module) -> None:
        """Count the hard classes."""
        super().bind(model)
        self.num_hard = min(max(round(self.hard_part * model.num_classes), 1), model.num_classes)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_hard` of the labels on hard classes, `loss_distill` of the experts on all and on hard classes."""
        raw = widen(step.outputs().logits)  # (B, E, K)
        adjusted = raw + class_vector(step.prior.class_counts, raw[:, 0]).log()
        rows, target, shares = step.by_label(adjusted)
        hard = hard_categories(step.by_label(raw)[0][:, 0], target, self.num_hard)[:, None]  # (B, 1, K)
        masked = torch.where(hard, rows, 0.0)
        distilled = mutual_distillation_loss(adjusted) + mutual_distillation_loss(masked, shares)
        labels = sum(cross_entropy_loss(own, target, sample_weights=shares) for own in masked.unbind(1))
        return {'loss_hard': labels, 'loss_distill': self.distill_weight * distilled}


@MODELS.register_module()
class Collaboration(ExpertTerm):
    """ECL: a second head an expert learns from the other experts, more for the classes where that lags behind.

    Args:
        head: config of the second heads, one an expert.
        weight: factor on the loss.
        weighting: `class`, the weights of the classes by the image's label; `target`, multiplied into the targets, which
            are normalised again (as BKD); `sample`, each image by its own two confidences; `none`.
        temperature: T of the distillation.
        gamma: strength of the weights.
        limit: bound of a weight before it is divided by the mean; None for none.
        confidence_momentum: of the running confidences, an epoch.

    Source: our reconstruction of ECL (arXiv 2305.03378).
    """

    former_names = {'distilled_head.': 'head.', 'confidence.': 'confidence.'}

    def __init__(
        self,
        head: dict,
        weight: float = 0.6,
        weighting: str = 'class',
        temperature: float = 1.0,
        gamma: float = 1.0,
        limit: float | None = 5.0,
        confidence_momentum: float = 0.9,
    ) -> None:
        super().__init__()
        if weighting not in WEIGHTINGS:
            raise UserError(f'ECLClassifier knows no weighting {weighting!r}: choose one of {", ".join(WEIGHTINGS)}.')
        self.head_cfg = head
        self.weight = number('ECLClassifier', 'distill_weight', weight, least=0)
        self.weighting = weighting
        self.temperature = number('ECLClassifier', 'temperature', temperature, above=0)
        self.gamma = number('ECLClassifier', 'gamma', gamma, least=0)
        self.limit = limit if limit is None else number('ECLClassifier', 'limit', limit, least=1)
        self.momentum = number('ECLClassifier', 'confidence_momentum', confidence_momentum, least=0, most=1)
        self.confidence: ClassConfidence | None = None

    def bind(self, model: nn.Module) -> None:
        """Build the second heads and the confidences."""
        super().bind(model)
        self.head = model.build_head(self.head_cfg)
        if self.weighting != 'none':
            self.confidence = ClassConfidence(model.num_classes, self.momentum, self.gamma, self.limit)

    def begin_epoch(self, epoch: int) -> None:
        """See `ClassConfidence.begin_epoch`."""
        if self.confidence is not None:
            self.confidence.begin_epoch(epoch)

    def end_step(self, updated: bool) -> None:
        """See `ClassConfidence.end_step`."""
        if self.confidence is not None:
            self.confidence.end_step()

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_distill`, weighted distillation between the experts."""
        outputs = step.outputs()
        return {'loss_distill': self.weight * self.distil(step, outputs.logits, self.head(outputs.features))}

    def distil(self, step: Step, label_logits: Tensor, distilled_logits: Tensor) -> Tensor:
        """The distillation, a scalar, from raw logits (B, E, K) of the heads of the labels and of the second heads."""
        prior = class_vector(step.prior.class_counts, widen(label_logits[:, 0])).log()
        sample_weights = class_weights = None
        if self.confidence is not None:
            label_rows, target, shares = step.by_label(label_logits)
            pair = [true_class_confidence(rows, target) for rows in (label_rows, step.by_label(distilled_logits)[0])]
            self.confidence.hold(*pair, target, shares)
            if self.weighting == 'target':
                class_weights = self.confidence.weights
            elif self.weighting == 'class':
                sample_weights = over_labels(self.confidence.weights[target], shares)
            else:
                sample_weights = transfer_weights(
                    *(over_labels(own, shares) for own in pair), self.gamma, self.limit
                )
        return collaborative_distillation_loss(
            widen(distilled_logits) + prior, widen(label_logits) + prior, self.temperature, sample_weights, class_weights
        )


@MODELS.register_module()
class ExpertFeatureDistill(ExpertTerm):
    """ECL: the experts' features approach each other by cosine.

    Args:
        weight: factor on the loss.
    """

    labels = ('one', 'many')

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = number('ECLClassifier', 'feature_weight', weight, least=0)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_feature`."""
        return {'loss_feature': self.weight * expert_feature_loss(step.outputs().features)}


def over_labels(values: Tensor, shares: Tensor | None) -> Tensor:
    """One number an image, (B,), from one a label (`Step.by_label`): the labels' mean by their shares."""
    if shares is None:
        return values
    return (values * shares).view(2, -1).sum(0)


def true_class_confidence(logits: Tensor, target: Tensor) -> Tensor:
    """The probability of the true class, averaged over the experts: (B,) from logits (B, E, K) and target (B,)."""
    with torch.no_grad():
        probabilities = torch.softmax(widen(logits), dim=2)
        return probabilities.gather(2, target[:, None, None].expand(-1, logits.shape[1], 1)).mean((1, 2))


class ClassConfidence(nn.Module):
    """The mean probability that two classifiers give to the true class, for each class: of an epoch, then running.

    An epoch's mean, over the images of all ranks, enters the running one when the next epoch begins, and the weights of
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
    def hold(
        self, label_confidence: Tensor, distilled_confidence: Tensor, target: Tensor, shares: Tensor | None = None
    ) -> None:
        """Keep a batch's confidences until the step is done.

        Args:
            label_confidence, distilled_confidence: probability of the true class, (B,).
            target: int64 (B,).
            shares: how much each row counts, (B,); None for 1.
        """
        values = torch.stack([label_confidence, distilled_confidence, torch.ones_like(label_confidence)]).double()  # (3, B)
        if shares is not None:
            values = values * shares
        self._held = torch.zeros_like(self.sums).index_add_(1, target, values)

    @torch.no_grad()
    def end_step(self) -> None:
        """Count the batch that is held, on all ranks."""
        if self._held is not None:
            all_reduce(self._held, op='sum')
            self.sums += self._held
            self._held = None

    @torch.no_grad()
    def begin_epoch(self, epoch: int) -> None:
        """Close the epoch before; told of the same epoch again, as after a resume, nothing happens."""
        if epoch == int(self.epoch):
            return
        means, images = self.sums[:2] / self.sums[2].clamp(min=1e-12), self.sums[2] > 0
        kept = torch.where(self.seen, self.momentum * self.running + (1 - self.momentum) * means, means)
        self.running.copy_(torch.where(images, kept, self.running))
        self.seen |= images
        self.weights.copy_(transfer_weights(self.running[0], self.running[1], self.gamma, self.limit))
        self.sums.zero_()
        self.epoch.fill_(epoch)
