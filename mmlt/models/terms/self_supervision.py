"""SSD's terms: contrast with images of other labels, and labels learned by a head of their own."""

from torch import Tensor, nn

from mmlt.models.losses.contrastive import info_nce_loss
from mmlt.models.momentum import FeatureQueue, MomentumEncoder
from mmlt.models.projection import PooledFeatures, Projector
from mmlt.models.step import Step
from mmlt.models.terms.classification import Classification
from mmlt.models.terms.contrast import MomentumContrast
from mmlt.registry import MODELS


@MODELS.register_module()
class OtherLabelContrast(MomentumContrast):
    """Momentum contrast in which images of the anchor's own label are no negatives.

    The first view is the query. A momentum encoder makes keys of the second, which then enter a queue; of the queue an
    anchor is told from the entries with another label alone. All of it is gone at test time.

    Args:
        dim: size D of a projection, by an MLP with one hidden layer as wide as the feature.
        **others: as `MomentumContrast`; in the paper the queue holds an epoch of whole batches, `(N // B) * B`.

    Source: Li et al., Self Supervision to Distillation for Long-Tailed Visual Recognition, ICCV 2021, and its code.
    """

    former_names = {}
    unmixable = 'a mixed image has no one label that tells which entries of the queue are of another'

    def __init__(self, dim: int = 128, **others) -> None:  # noqa: ANN003
        super().__init__(dim=dim, **others)

    def bind(self, model: nn.Module) -> None:
        """Build projector, momentum encoder and queue."""
        model.refuse_experts(type(self).__name__)
        self.projector = Projector(model.feature_channels, [model.feature_channels], self.dim)
        parts = [model.backbone, model.neck, PooledFeatures(), self.projector]
        self.encoder = MomentumEncoder([part for part in parts if part is not None], self.momentum)
        self.queue = FeatureQueue(self.queue_size, (self.dim,))

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_contrast`."""
        queries, keys = self.projector(step.outputs().features), self.encoder(step.images[1])  # each (B, D)
        negative = self.queue.filled & (self.queue.labels != step.target[:, None])  # (B, Q)
        loss = info_nce_loss(queries, keys, self.queue.features, negative, self.temperature)
        self.queue.hold(keys, step.target)
        return {'loss_contrast': self.weight * loss}


@MODELS.register_module()
class HardHead(Classification):
    """The labels are learned by a head of their own on the network's feature; it plays no part in the prediction.

    Args:
        head: config of the head; one an expert.
        loss, logit_scale, weight: as `Classification`.
    """

    former_names = {}
    balanced_by, output_scale = None, 1.0  # whatever its loss: another head predicts

    def __init__(self, head: dict, loss: dict, logit_scale: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(loss, logit_scale, weight)
        self.head_cfg = head

    def bind(self, model: nn.Module) -> None:
        """Build the head."""
        self.head = model.build_head(self.head_cfg)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_cls`."""
        return {'loss_cls': self.weight * self.of_logits(step, self.head(step.outputs().features))}
