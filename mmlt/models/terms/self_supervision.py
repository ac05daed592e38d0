"""SSD's terms: contrast with images of other labels, and labels learned by a head of their own."""

from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.models.losses.contrastive import info_nce_loss
from mmlt.models.momentum import FeatureQueue, MomentumEncoder
from mmlt.models.projection import PooledFeatures, Projector
from mmlt.models.step import Step
from mmlt.models.terms.base import Term
from mmlt.models.terms.classification import Classification
from mmlt.registry import MODELS


@MODELS.register_module()
class OtherLabelContrast(Term):
    """Momentum contrast in which images of the anchor's own label are no negatives.

    The first view is the query. A momentum encoder makes keys of the second, which then enter a queue; of the queue an
    anchor is told from the entries with another label alone. All of it is gone at test time.

    Args:
        weight: factor on the loss.
        dim: size D of a projection, by an MLP with one hidden layer as wide as the feature.
        queue_size: keys kept, at least the batch of all ranks; in the paper an epoch of whole batches, `(N // B) * B`.
        temperature: tau of InfoNCE, more than 0.
        momentum: of the momentum encoder (backbone, neck and projector).

    Source: Li et al., Self Supervision to Distillation for Long-Tailed Visual Recognition, ICCV 2021, and its code.
    """

    views = 2
    unmixable = 'a mixed image has no one label that tells which entries of the queue are of another'

    def __init__(
        self,
        weight: float = 1.0,
        dim: int = 128,
        queue_size: int = 1024,
        temperature: float = 0.2,
        momentum: float = 0.999,
    ) -> None:
        super().__init__()
        self.weight = number(self, 'weight', weight, least=0)
        self.dim = number(self, 'dim', dim, least=1, whole=True)
        self.queue_size = queue_size
        self.temperature = number(self, 'temperature', temperature, above=0)
        self.momentum = momentum

    def bind(self, model: nn.Module) -> None:
        """Build projector, momentum encoder and queue."""
        model.refuse_experts(type(self).__name__)
        self.projector = Projector(model.feature_channels, [model.feature_channels], self.dim)
        parts = [model.backbone, model.neck, PooledFeatures(), self.projector]
        self.encoder = MomentumEncoder([part for part in parts if part is not None], self.momentum)
        self.queue = FeatureQueue(self.queue_size, (self.dim,))

    def init_weights(self) -> None:
        """The momentum encoder begins as a copy."""
        self.encoder.copy_query()

    def end_step(self, updated: bool) -> None:
        """The queue takes the batch in; the momentum encoder follows, so that it is up to date at its next batch."""
        self.queue.end_step()
        self.encoder.end_step(updated)

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

    def __init__(self, head: dict, loss: dict, logit_scale: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(loss, logit_scale, weight)
        self.head_cfg = head

    def bind(self, model: nn.Module) -> None:
        """Build the head."""
        self.head = model.build_head(self.head_cfg)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_cls`."""
        return {'loss_cls': self.weight * self.of_logits(step, self.head(step.outputs().features))}
