"""Learnable weight scaling: one factor a class on the output of a finished classifier."""

import torch
from torch import Tensor, nn

from mmlt.models.classifiers.frozen_backbone import FrozenBackboneClassifier
from mmlt.models.heads import Outputs
from mmlt.registry import MODELS


@MODELS.register_module()
class LWSClassifier(FrozenBackboneClassifier):
    """The first stage's backbone and head, with a learned factor on each class's logit.

    LWS learns the factors alone. MiSLAS's second stage trains the head along with them (`freeze_head=False`), and
    estimates the batch statistics anew (`shift_bn=True`).

    Args:
        freeze_head: leave the head as the first stage made it.
        shift_bn: see `FrozenBackboneClassifier`.
        backbone, head, loss, neck, reweighting, data_preprocessor: as `LongTailedClassifier`; backbone, neck and head as
            in the first stage.

    Attributes:
        scale: (K,) factor of each class, 1 at first.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, section 4.2;
    Zhong et al., Improving Calibration for Long-Tailed Recognition, CVPR 2021, and its code.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        freeze_head: bool = True,
        shift_bn: bool = False,
        loss: dict | None = None,
        neck: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, True, shift_bn, loss, neck, reweighting, data_preprocessor)
        self.scale = nn.Parameter(torch.ones(self.num_classes))
        if freeze_head:
            self.head.requires_grad_(False)

    def outputs(self, images: Tensor) -> Outputs:
        """Features (B, C), without gradient, and scaled logits (B, K) of normalised images (B, 3, H, W)."""
        features, logits = super().outputs(images)
        return Outputs(features, self.scale * logits)
