"""Several experts on one trunk, and what every method of them shares."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.heads import ExpertHeads, Outputs
from mmlt.registry import MODELS


class ExpertOutputs(NamedTuple):
    """What the experts make of a batch: features (B, E, C) and logits (B, E, K), both float."""

    features: Tensor
    logits: Tensor


@MODELS.register_module()
class MultiExpertClassifier(LongTailedClassifier):
    """E experts, each trained with the same loss; the prediction is the mean of their raw logits.

    By itself this is an ensemble with a shared trunk. Methods override `expert_losses`.

    Args:
        backbone: config of a `MultiExpertBackbone`.
        head: config of one expert's head; each expert gets its own.
        loss, reweighting, data_preprocessor: as `LongTailedClassifier`.

    Attributes:
        expert_weights: (E,), the weights of the experts' logits in the prediction, where they were learnt at test time
            (`mmlt.apis.aggregation`); None for equal ones. They are in no checkpoint.

    Raises:
        UserError: the backbone has no experts.
    """

    expert_weights: Tensor | None = None

    def __init__(
        self,
        backbone: dict,
        head: dict,
        loss: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, loss, reweighting=reweighting, data_preprocessor=data_preprocessor)

    @property
    def num_experts(self) -> int:
        """Number E of experts."""
        return self.backbone.num_experts

    def build_head(self, head: dict) -> nn.Module:
        """A head for each expert."""
        if not hasattr(self.backbone, 'num_experts'):
            raise UserError(
                f'{type(self).__name__} needs experts: set '
                "model.backbone=dict(type='MultiExpertBackbone', backbone=dict(...), num_experts=3)."
            )
        return ExpertHeads(head, self.num_experts)

    def expert_outputs(self, images: Tensor) -> ExpertOutputs:
        """Features (B, E, C) and raw logits (B, E, K) of normalised images (B, 3, H, W)."""
        features = self.backbone(images)
        return ExpertOutputs(features, self.head(features))

    def combine(self, logits: Tensor) -> Tensor:
        """The prediction (B, K) from the experts' raw logits (B, E, K): their mean, or a weighted one."""
        if self.expert_weights is None:
            return logits.mean(dim=1)
        return (self.expert_weights[:, None] * logits).sum(dim=1)

    def outputs(self, images: Tensor) -> Outputs:
        """The experts' mean feature (B, C) and the ensemble's logits (B, K)."""
        experts = self.expert_outputs(images)
        return Outputs(experts.features.mean(dim=1), self.combine(experts.logits))

    def prediction(self, images: Tensor) -> dict[str, Tensor]:
        """`logits` (B, K) of the ensemble and `expert_logits` (B, E, K), float32."""
        logits = self.expert_outputs(images).logits.float()
        return dict(logits=self.combine(logits), expert_logits=logits)

    def expert_losses(self, outputs: ExpertOutputs, target: Tensor) -> dict[str, Tensor]:
        """The training losses from the experts' outputs: here the sum of each one's classification loss."""
        losses = [self.classification_loss(logits, target) for logits in outputs.logits.unbind(1)]
        return {'loss_cls': torch.stack(losses).sum()}

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The training losses of a batch."""
        return self.expert_losses(self.expert_outputs(images), target)
