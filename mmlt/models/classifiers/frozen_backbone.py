"""Second stages: a classifier on top of a backbone that a first stage has trained."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmlt.errors import UserError
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.backbones.timm_backbone import TimmBackbone
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.step import Outputs
from mmlt.registry import MODELS


@MODELS.register_module()
class FrozenBackboneClassifier(LongTailedClassifier):
    """A new head on a frozen backbone: a finished first stage's (the config's `prerequisites.backbone`), or a pretrained one.

    With a class-aware sampler this is cRT, classifier re-training; on a pretrained backbone it is a linear probe. The
    backbone gets no gradient and stays in eval mode, its batch normalisation included. It is part of this stage's
    checkpoint, which stands on its own.

    Args:
        reuse_head: begin with the first stage's head instead of a new one.
        shift_bn: estimate the backbone's batch statistics anew while training, its weights staying as they are.
        **others: as `LongTailedClassifier`; backbone and neck as in the first stage.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, section 4.1.
    """

    def __init__(self, reuse_head: bool = False, shift_bn: bool = False, **others) -> None:  # noqa: ANN003
        super().__init__(**others)
        self.reuse_head = reuse_head
        self.shift_bn = shift_bn
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        return [part for part in (self.backbone, self.neck) if part is not None]

    @property
    def roles(self) -> set[str]:
        """`backbone`, the first stage, and those of its terms."""
        return super().roles | {'backbone'}

    def attach(self, role: str, models: Sequence[LongTailedClassifier], classes: Sequence = ()) -> None:
        """See `LongTailedClassifier.attach`; as `backbone` the first stage hands over a copy of its weights."""
        if role != 'backbone':
            return super().attach(role, models, classes)
        self.begin_with(models, ['backbone', *(['neck'] if self.neck else []), *(['head'] if self.reuse_head else [])])

    def check_start(self) -> str | None:
        """A warning of a frozen backbone of random weights.

        Raises:
            UserError: it was to be pretrained, and the weights cannot be had.
        """
        if 'backbone' in self.begun_with:
            return None
        pretrained = [part.weights for part in self.modules() if isinstance(part, TimmBackbone) and part.pretrained]
        for found in pretrained:
            if found.file is None:
                raise UserError(
                    f'{found.said.split(": it starts")[0]}, and a frozen backbone of random weights is of no use: name a file '
                    'as backbone.checkpoint, or a first stage as prerequisites.backbone.'
                )
        if pretrained or any('checkpoint' in str(getattr(part, 'init_cfg', None)) for part in self.modules()):
            return None
        return (
            'warning: the backbone stays as it is, and nothing gave it weights: name a first stage as '
            'prerequisites.backbone, or a file as load_from.'
        )

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

    def features(self, images: Tensor) -> tuple[Tensor, Tensor | tuple | None]:
        """Features (B, C), without gradient, and what the backbone returned, of normalised images (B, 3, H, W); features that
        stand in for images (`FeatureCacheHook`) are given back."""
        if images.dim() == 2:
            return images, None
        with torch.no_grad():
            maps = self.backbone(images)
            return maps if self.num_experts else pool_features(self.neck(maps) if self.neck else maps), maps

    def network(self, images: Tensor) -> Outputs:
        """Features (B, C), without gradient, and logits (B, K) of normalised images (B, 3, H, W), or of features (B, C); see
        `LongTailedClassifier.network`."""
        features, maps = self.features(images)
        return Outputs(features, self.head(features), maps)
