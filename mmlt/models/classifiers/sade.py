"""SADE: self-supervised aggregation of diverse experts (Zhang et al., NeurIPS 2022)."""

from collections.abc import Sequence

from torch import Tensor

from mmlt.errors import UserError
from mmlt.models.classifiers.multi_expert import ExpertOutputs, MultiExpertClassifier
from mmlt.models.losses import sade_loss
from mmlt.models.losses.experts import SADE_EXPERTS
from mmlt.registry import MODELS


@MODELS.register_module()
class SADEClassifier(MultiExpertClassifier):
    """Each expert is trained for another class distribution of the test set: as in training, uniform, reversed.

    The prediction is the mean of the experts' raw logits. `tools/test.py --aggregate` weights them instead by what it
    finds on the unlabelled test images (`mmlt.apis.aggregation`).

    Args:
        backbone: config of a `MultiExpertBackbone`.
        head: config of one expert's head.
        experts: what each expert is trained for: `forward`, `uniform` or `backward`.
        tau: how far a `backward` expert leans to the tail.
        data_preprocessor: as `LongTailedClassifier`.

    Raises:
        UserError: `experts` does not name one of the three for each expert of the backbone.

    Source: Zhang et al., Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition,
    NeurIPS 2022, and its code.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        experts: Sequence[str] = SADE_EXPERTS,
        tau: float = 2.0,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, data_preprocessor=data_preprocessor)
        if len(experts) != self.num_experts or not set(experts) <= set(SADE_EXPERTS):
            raise UserError(
                f'SADE trains each of the {self.num_experts} experts for one of {", ".join(SADE_EXPERTS)}: correct '
                f'model.experts={list(experts)}.'
            )
        self.experts = tuple(experts)
        self.tau = tau

    def expert_losses(self, outputs: ExpertOutputs, target: Tensor) -> dict[str, Tensor]:
        """`loss_cls`, the sum of the experts' losses."""
        return {'loss_cls': sade_loss(outputs.logits, target, self.class_counts, self.experts, self.tau)}
