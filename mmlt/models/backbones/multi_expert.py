"""One backbone as a shared trunk and several experts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.backbones.segments import narrow_stages, segments_of
from mmlt.models.backbones.together import can_run_together, run_together
from mmlt.registry import MODELS


class Experts(nn.ModuleList):
    """E experts of one shape on the same input.

    Args:
        experts: a sequence of segments for each.
        together: run them as one grouped network instead of one by one.
    """

    def __init__(self, experts: Sequence[nn.Sequential], together: bool) -> None:
        super().__init__(experts)
        self.together = together

    def forward(self, shared: Tensor) -> Tensor:
        """Map what the trunk gives to each expert's pooled feature, (B, E, C)."""
        if self.together:
            return run_together(self, shared).mean(dim=(3, 4))
        return torch.stack([pool_features(expert(shared)) for expert in self], dim=1)


@MODELS.register_module()
class MultiExpertBackbone(nn.Module):
    """A backbone whose first stages are shared and whose later ones each expert has for itself.

    Source: Wang et al., Long-tailed Recognition by Routing Diverse Distribution-Aware Experts, ICLR 2021, section 3.1.

    Args:
        backbone: config of a backbone that `segments_of` can cut: `ResNetCIFAR`; `ResNet` and what derives from it,
            `ConvNeXt`, `SwinTransformer` and `VisionTransformer` of mmpretrain; timm's `ResNet`.
        num_experts: number E of experts.
        shared_stages: how many stages, with the stem, all experts share; 0 for E networks with nothing in common. The
            stages of a ViT are its blocks, its stem the embedding of patches and places.
        expert_width: factor on the channels of each stage that an expert has for itself (ResNets only): RIDE has 0.75.
        together: run the experts as one grouped network, with equal results (`ResNetCIFAR` only). On a 2-core CPU this
            was not faster than one by one; where the launch of kernels is what limits, it may be faster.

    Attributes:
        out_channels: size C of each expert's feature; None where the adapter does not tell.

    Raises:
        UserError: there is no expert, no stage is left to the experts, or the backbone has no adapter or no such width.
    """

    def __init__(
        self,
        backbone: dict,
        num_experts: int = 3,
        shared_stages: int = 1,
        expert_width: float = 1.0,
        together: bool = False,
    ) -> None:
        super().__init__()
        number(self, 'num_experts', num_experts, least=1, whole=True)
        number(self, 'shared_stages', shared_stages, least=0, whole=True)
        number(self, 'expert_width', expert_width, above=0)
        self.cfg = dict(backbone)
        self.num_experts = num_experts
        self.shared_stages = shared_stages
        self.expert_width = expert_width
        experts = []
        for _ in range(num_experts):
            built, trunk, expert = self._build()
            if not experts:
                self.trunk = trunk
            experts.append(expert)
        self.out_channels = getattr(experts[0][-1], 'out_channels', None) or getattr(built, 'out_channels', None)
        if together and not can_run_together(experts):
            raise UserError(f'experts of {self.cfg["type"]} cannot run together: leave out together=True.')
        self.experts = Experts(experts, together)

    def _build(self, initialise: bool = False) -> tuple[nn.Module, nn.Sequential, nn.Sequential]:
        """A whole backbone, and the trunk and the expert that it is cut into."""
        built = MODELS.build(self.cfg)
        if self.expert_width != 1:
            narrow_stages(built, self.shared_stages, self.expert_width)
        if initialise and hasattr(built, 'init_weights'):
            built.init_weights()
        stages = segments_of(built)
        if self.shared_stages >= len(stages) - 1:
            raise UserError(
                f'{type(built).__name__} has {len(stages) - 1} stages: choose shared_stages from 0 (nothing shared) '
                f'to {len(stages) - 2}, not {self.shared_stages}.'
            )
        cut = self.shared_stages + 1 if self.shared_stages else 0
        return built, nn.Sequential(*stages[:cut]), nn.Sequential(*stages[cut:])

    def init_weights(self) -> None:
        """Initialise, or load, each expert as its backbone does by itself; the trunk is the first one's."""
        for place, own in enumerate(self.experts):
            built, trunk, expert = self._build(initialise=True)
            if not hasattr(built, 'init_weights'):
                return
            if place == 0:
                self.trunk.load_state_dict(trunk.state_dict())
            own.load_state_dict(expert.state_dict())

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to each expert's pooled feature, (B, E, C)."""
        return self.experts(self.trunk(images))
