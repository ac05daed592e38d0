"""PaCo and GPaCo: class logits and similarities to other images in one softmax."""

import torch
from torch import Tensor, nn

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.losses import parametric_contrastive_loss
from mmlt.models.momentum import FeatureQueue, MomentumEncoder
from mmlt.models.projection import PooledFeatures, Projector
from mmlt.registry import MODELS


class ParametricContrastiveClassifier(LongTailedClassifier):
    """What PaCo and GPaCo share: a projector, a queue, one loss. All of it is gone at test time.

    The anchors of a rank are compared with each other and with the queue, which holds the images of all ranks.

    Args:
        backbone, head, neck, data_preprocessor: as `LongTailedClassifier`.
        projector: keywords of `Projector`.
        alpha: weight of a positive key beside the class logit's 1.
        temperature: of the similarities.
        queue_size: number of keys kept from past batches, at least the batch of all ranks.
    """

    views = 2

    def __init__(
        self,
        backbone: dict,
        head: dict,
        projector: dict,
        alpha: float = 0.01,
        temperature: float = 0.05,
        queue_size: int = 1024,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, neck=neck, data_preprocessor=data_preprocessor)
        self.projector = Projector(**projector)
        self.alpha = alpha
        self.temperature = temperature
        self.queue = FeatureQueue(queue_size, (projector['out_channels'],))

    def contrast(self, logits: Tensor, anchors: Tensor, target: Tensor, keys: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """`loss_paco` of anchors (B, D) with logits (B, K) against one another, `keys` (M, D) and the queue."""
        loss = parametric_contrastive_loss(
            logits,
            anchors,
            target,
            torch.cat([keys, self.queue.features.to(keys.dtype)]),
            torch.cat([labels, self.queue.labels]),
            self.class_counts,
            self.alpha,
            self.temperature,
        )
        return {'loss_paco': loss}


@MODELS.register_module()
class PaCoClassifier(ParametricContrastiveClassifier):
    """PaCo: the first view is the anchor; a momentum encoder makes keys of the second, which then enter the queue.

    Source: Cui et al., Parametric Contrastive Learning, ICCV 2021, and its code.

    Args:
        momentum: of the `MomentumEncoder` (backbone, neck and projector).
        backbone, head, projector, alpha, temperature, queue_size, neck, data_preprocessor: as
            `ParametricContrastiveClassifier`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        projector: dict,
        alpha: float = 0.01,
        temperature: float = 0.05,
        queue_size: int = 1024,
        momentum: float = 0.999,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, projector, alpha, temperature, queue_size, neck, data_preprocessor)
        parts: list[nn.Module | None] = [self.backbone, self.neck, PooledFeatures(), self.projector]
        self.encoder_k = MomentumEncoder([part for part in parts if part is not None], momentum)

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """`loss_paco` of two views (2 B, 3, H, W): the first has the gradient."""
        strong, simple = images.chunk(2)
        features, logits = self.outputs(strong)
        keys = self.encoder_k(simple)
        self.queue.hold(keys, target)
        return self.contrast(logits, self.projector(features), target, keys, target)


@MODELS.register_module()
class GPaCoClassifier(ParametricContrastiveClassifier):
    """GPaCo: no momentum encoder. Both views are anchors of the one network; the second enters the queue.

    Source: Cui et al., Generalized Parametric Contrastive Learning, TPAMI 2023, and its code (long-tailed part). Each view
    passes through the network by itself, as there.
    """

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """`loss_paco` of two views (2 B, 3, H, W), both with gradient."""
        outputs = [self.outputs(view) for view in images.chunk(2)]
        first, second = (self.projector(output.features) for output in outputs)
        self.queue.hold(second, target)
        logits, anchors = torch.cat([output.logits for output in outputs]), torch.cat([first, second])
        return self.contrast(logits, anchors, target.repeat(2), anchors[:0], target[:0])
