"""Second stages: a classifier on top of a backbone that a first stage has trained."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmlt.errors import UserError
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.heads import Outputs
from mmlt.models.weights import load_weights
from mmlt.registry import MODELS


@MODELS.register_module()
class FrozenBackboneClassifier(LongTailedClassifier):
    """A new head on the frozen backbone of any finished first stage (the config's `prerequisites.backbone`).

    With a class-aware sampler this is cRT, classifier re-training. The backbone gets no gradient and stays in eval mode,
    its batch normalisation included. It is part of this stage's checkpoint, which stands on its own.

    Args:
        reuse_head: begin with the first stage's head instead of a new one.
        shift_bn: estimate the backbone's batch statistics anew while training, its weights staying as they are.
        backbone, head, loss, neck, reweighting, data_preprocessor: as `LongTailedClassifier`; backbone and neck as in
            the first stage.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, section 4.1.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        reuse_head: bool = False,
        shift_bn: bool = False,
        loss: dict | None = None,
        neck: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, loss, neck, reweighting, data_preprocessor)
        self.reuse_head = reuse_head
        self.shift_bn = shift_bn
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        return [part for part in (self.backbone, self.neck) if part is not None]

    def attach_backbone(self, first: LongTailedClassifier) -> None:
        """Take over the weights of a first stage, a copy of them.

        Raises:
            UserError: its backbone, neck or (where it is reused) head differs from this one's, or is missing.
        """
        names = ['backbone', *(['neck'] if self.neck else []), *(['head'] if self.reuse_head else [])]
        for name in names:
            part = getattr(first, name, None)
            if part is None:
                raise UserError(f'the first stage ({type(first).__name__}) has no {name}, which this stage starts from.')
            load_weights(getattr(self, name), part.state_dict(), f'the first stage: its {name}')

    def train(self, mode: bool = True) -> 'FrozenBackboneClassifier':
        """Training mode for the head; the backbone stays in eval mode, but for its batch statistics if they shift."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
            if mode and self.shift_bn:
                for module in part.modules():
                    if isinstance(module, _BatchNorm):
                        module.train()
        return self

    def outputs(self, images: Tensor) -> Outputs:
        """Features (B, C), without gradient, and logits (B, K) of normalised images (B, 3, H, W)."""
        with torch.no_grad():
            features = self.backbone(images)
            features = pool_features(self.neck(features) if self.neck else features)
        return Outputs(features, self.head(features))
