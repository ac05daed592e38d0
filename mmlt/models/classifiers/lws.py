"""Learnable weight scaling: one factor a class on the output of a finished classifier."""

import torch
from torch import Tensor, nn

from mmlt.models.classifiers.frozen_backbone import FrozenBackboneClassifier
from mmlt.models.step import Outputs
from mmlt.registry import MODELS


@MODELS.register_module()
class LWSClassifier(FrozenBackboneClassifier):
    """The first stage's backbone and head, with a learned factor on each class's logit.

    LWS learns the factors alone. MiSLAS's second stage trains the head along with them (`freeze_head=False`), and
    estimates the batch statistics anew (`shift_bn=True`).

    Args:
        freeze_head: leave the head as the first stage made it.
        **others: as `FrozenBackboneClassifier`, but for `reuse_head`; the head too as in the first stage.

    Attributes:
        scale: (K,) factor of each class, 1 at first.

    Source: Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020, section 4.2;
    Zhong et al., Improving Calibration for Long-Tailed Recognition, CVPR 2021, and its code.
    """

    settled = ('reuse_head',)

    def __init__(self, freeze_head: bool = True, **others) -> None:  # noqa: ANN003
        super().__init__(reuse_head=True, **others)
        self.scale = nn.Parameter(torch.ones(self.num_classes))
        if freeze_head:
            self.head.requires_grad_(False)

    def network(self, images: Tensor) -> Outputs:
        """Features (B, C), without gradient, and scaled logits (B, K) of normalised images (B, 3, H, W)."""
        outputs = super().network(images)
        return outputs._replace(logits=self.scale * outputs.logits)
