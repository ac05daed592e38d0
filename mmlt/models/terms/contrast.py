"""Contrastive terms: momentum contrast of experts, PaCo and GPaCo, BCL. All of it is gone at test time."""

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.losses import balanced_contrastive_loss, parametric_contrastive_loss
from mmlt.models.losses.contrastive import info_nce_loss
from mmlt.models.momentum import FeatureQueue, MomentumEncoder
from mmlt.models.projection import ExpertProjectors, PooledFeatures, Projector
from mmlt.models.step import Step
from mmlt.models.terms.base import Term
from mmlt.registry import MODELS

ONE_LABEL = 'images of two classes are neither alike nor apart'


@MODELS.register_module()
class MomentumContrast(Term):
    """Each expert tells the images of a batch apart: its view of an image against the momentum encoder's of another view.

    Source: He et al., Momentum Contrast, CVPR 2020; for each expert as in Li et al. (NCL), CVPR 2022, section 3.5.

    Args:
        weight: factor on the sum of the experts' losses.
        dim: size D of a projection.
        queue_size: keys kept, at least the batch of all ranks.
        temperature: tau of InfoNCE, more than 0.
        momentum: of the momentum encoder.
    """

    views = 2
    former_names = {'contrast.': ''}

    def __init__(
        self,
        weight: float = 1.0,
        dim: int = 64,
        queue_size: int = 1024,
        temperature: float = 0.2,
        momentum: float = 0.999,
    ) -> None:
        super().__init__()
        self.weight = number(self, 'contrast_weight', weight, least=0)
        self.dim = number(self, 'dim', dim, least=1, whole=True)
        self.queue_size = queue_size
        self.temperature = number(self, 'temperature', temperature, above=0)
        self.momentum = momentum

    def bind(self, model: nn.Module) -> None:
        """Build projectors, momentum encoder and queue."""
        model.need_experts(type(self).__name__)
        self.projectors = ExpertProjectors(model.feature_channels, self.dim, model.num_experts)
        self.encoder = MomentumEncoder([model.backbone, self.projectors], self.momentum)
        self.queue = FeatureQueue(self.queue_size, (model.num_experts, self.dim))

    def init_weights(self) -> None:
        """The momentum encoder begins as a copy."""
        self.encoder.copy_query()

    def end_step(self, updated: bool) -> None:
        """The queue takes the batch in, the momentum encoder follows."""
        self.queue.end_step()
        self.encoder.end_step(updated)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_contrast`, the sum over the experts."""
        queries, keys = self.projectors(step.outputs().features), self.encoder(step.images[1])  # each (B, E, D)
        filled = self.queue.filled
        losses = [
            info_nce_loss(own, key, queued, filled, self.temperature)
            for own, key, queued in zip(queries.unbind(1), keys.unbind(1), self.queue.features.unbind(1), strict=True)
        ]
        self.queue.hold(keys, step.target)
        return {'loss_contrast': self.weight * torch.stack(losses).sum()}


class ParametricContrast(Term):
    """What PaCo and GPaCo share: a projector, a queue, and class logits and similarities in one softmax.

    The anchors of a rank are compared with each other and with the queue, which holds the images of all ranks. It takes
    the place of the classification loss.

    Args:
        projector: keywords of `Projector`.
        alpha: weight of a positive key beside the class logit's 1.
        temperature: of the similarities.
        queue_size: number of keys kept from past batches, at least the batch of all ranks.
    """

    views = 2
    unmixable = ONE_LABEL
    balanced_by = 'parametric contrast, which adds the log prior to the class logits'
    former_names = {'projector.': 'projector.', 'queue.': 'queue.', 'encoder_k.': 'encoder_k.'}

    def __init__(
        self, projector: dict, alpha: float = 0.01, temperature: float = 0.05, queue_size: int = 1024
    ) -> None:
        super().__init__()
        self.projector_cfg = projector
        self.alpha = number('PaCo', 'alpha', alpha, least=0)
        self.temperature = number('PaCo', 'temperature', temperature, above=0)
        self.queue_size = queue_size

    def bind(self, model: nn.Module) -> None:
        """Build projector and queue."""
        model.refuse_experts(type(self).__name__)
        self.projector = Projector(**{'in_channels': model.feature_channels, **self.projector_cfg})
        self.queue = FeatureQueue(self.queue_size, (self.projector.out_channels,))

    def end_step(self, updated: bool) -> None:
        """The queue takes the batch in."""
        self.queue.end_step()

    def contrast(self, step: Step, logits: Tensor, anchors: Tensor, keys: Tensor) -> dict[str, Tensor]:
        """`loss_paco` of anchors (V * B, D) of V views with logits (V * B, K) against one another, `keys` (M, D), which are
        of the first M images, and the queue."""
        loss = parametric_contrastive_loss(
            logits,
            anchors,
            step.target.repeat(len(anchors) // len(step.target)),
            torch.cat([keys, self.queue.features.to(keys.dtype)]),
            torch.cat([step.target[: len(keys)], self.queue.labels]),
            step.prior.class_counts,
            self.alpha,
            self.temperature,
        )
        return {'loss_paco': loss}


@MODELS.register_module()
class PaCoTerm(ParametricContrast):
    """PaCo: the first view is the anchor; a momentum encoder makes keys of the second, which then enter the queue.

    Source: Cui et al., Parametric Contrastive Learning, ICCV 2021, and its code.

    Args:
        projector, alpha, temperature, queue_size: as `ParametricContrast`.
        momentum: of the `MomentumEncoder` (backbone, neck and projector).
    """

    def __init__(
        self,
        projector: dict,
        alpha: float = 0.01,
        temperature: float = 0.05,
        queue_size: int = 1024,
        momentum: float = 0.999,
    ) -> None:
        super().__init__(projector, alpha, temperature, queue_size)
        self.momentum = momentum

    def bind(self, model: nn.Module) -> None:
        """Build projector, queue and momentum encoder."""
        super().bind(model)
        parts: list[nn.Module | None] = [model.backbone, model.neck, PooledFeatures(), self.projector]
        self.encoder_k = MomentumEncoder([part for part in parts if part is not None], self.momentum)

    def init_weights(self) -> None:
        """The momentum encoder begins as a copy."""
        self.encoder_k.copy_query()

    def end_step(self, updated: bool) -> None:
        """The queue takes the batch in, the momentum encoder follows."""
        super().end_step(updated)
        self.encoder_k.end_step(updated)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_paco`; the first view has the gradient."""
        outputs = step.outputs()
        keys = self.encoder_k(step.images[1])
        self.queue.hold(keys, step.target)
        return self.contrast(step, outputs.logits, self.projector(outputs.features), keys)


@MODELS.register_module()
class GPaCoTerm(ParametricContrast):
    """GPaCo: no momentum encoder. Both views are anchors of the one network, each by itself; the second enters the queue.

    Source: Cui et al., Generalized Parametric Contrastive Learning, TPAMI 2023, and its code (long-tailed part).

    Args:
        projector, alpha, temperature, queue_size: as `ParametricContrast`.
    """

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_paco`; both views have gradients."""
        outputs = [step.outputs(view) for view in range(2)]
        first, second = (self.projector(output.features) for output in outputs)
        self.queue.hold(second, step.target)
        logits, anchors = torch.cat([output.logits for output in outputs]), torch.cat([first, second])
        return self.contrast(step, logits, anchors, anchors[:0])


@MODELS.register_module()
class BalancedContrast(Term):
    """BCL: the second and third view are compared, every class weighing the same; class prototypes stand among the keys.

    Prototypes are projected from the classifier's weights by an MLP of their own. Each rank compares its own images. All
    views pass through the network together, the first through the projector too, whose batch normalisation sees it.

    Args:
        projector: keywords of `Projector`, for the features and, another one, for the prototypes.
        weight: factor on the loss.
        temperature: of the similarities.

    Raises:
        UserError: the head has no weights to make prototypes of.

    Source: Zhu et al., Balanced Contrastive Learning for Long-Tailed Visual Recognition, CVPR 2022, and its code.
    """

    views = 3
    together = True
    unmixable = ONE_LABEL
    former_names = {'projector.': 'projector.', 'prototype_projector.': 'prototype_projector.'}

    def __init__(self, projector: dict, weight: float = 0.35, temperature: float = 0.07) -> None:
        super().__init__()
        self.projector_cfg = projector
        self.weight = number('BCLClassifier', 'contrast_weight', weight, least=0)
        self.temperature = number('BCLClassifier', 'temperature', temperature, above=0)

    def bind(self, model: nn.Module) -> None:
        """Build both projectors."""
        model.refuse_experts(type(self).__name__)
        if getattr(model.head, 'weight', None) is None:
            raise UserError(
                f'{type(self).__name__} makes prototypes of the weights of its head; {type(model.head).__name__} has none.'
            )
        settings = {'in_channels': model.feature_channels, **self.projector_cfg}
        self.projector = Projector(**settings)
        self.prototype_projector = Projector(**settings)
        self._head = [model.head]  # a list: no sub-module of this one

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_contrast`."""
        features = torch.cat([step.outputs(view).features for view in range(3)])
        contrast = balanced_contrastive_loss(
            self.projector(features)[len(step.target) :],
            step.target.repeat(2),
            self.prototype_projector(self._head[0].weight),
            self.temperature,
        )
        return {'loss_contrast': self.weight * contrast}
