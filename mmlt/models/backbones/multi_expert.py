"""One backbone as a shared trunk and several experts."""

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.backbones.segments import segments_of
from mmlt.models.backbones.together import can_run_together, run_together
from mmlt.registry import MODELS


@MODELS.register_module()
class MultiExpertBackbone(nn.Module):
    """A backbone whose first stages are shared and whose later ones each expert has for itself.

    Source: Wang et al., Long-tailed Recognition by Routing Diverse Distribution-Aware Experts, ICLR 2021, section 3.1.

    Args:
        backbone: config of a backbone that `segments_of` can cut: `ResNetCIFAR`.
        num_experts: number E of experts.
        shared_stages: how many stages, with the stem, all experts share; 0 for E networks with nothing in common.
        together: run the experts as one grouped network, with equal results; None where that is known to be faster.

    Attributes:
        out_channels: size C of each expert's feature.

    Raises:
        UserError: there is no expert, or no stage is left to the experts.
    """

    def __init__(
        self, backbone: dict, num_experts: int = 3, shared_stages: int = 1, together: bool | None = None
    ) -> None:
        super().__init__()
        number(self, 'num_experts', num_experts, least=1, whole=True)
        number(self, 'shared_stages', shared_stages, least=0, whole=True)
        self.cfg = dict(backbone)
        self.num_experts = num_experts
        experts = []
        for _ in range(num_experts):
            built = MODELS.build(self.cfg)
            self.out_channels = getattr(built, 'out_channels', None)
            stages = segments_of(built)
            if not 0 <= shared_stages < len(stages) - 1:
                raise UserError(
                    f'{type(built).__name__} has {len(stages) - 1} stages: choose shared_stages from 0 (nothing shared) '
                    f'to {len(stages) - 2}, not {shared_stages}.'
                )
            self.cut = shared_stages + 1 if shared_stages else 0
            if not experts:
                self.trunk = nn.Sequential(*stages[: self.cut])
            experts.append(nn.Sequential(*stages[self.cut :]))
        self.experts = nn.ModuleList(experts)
        known = can_run_together(experts)
        if together and not known:
            raise UserError(f'experts of {type(built).__name__} cannot run together: leave out together=True.')
        self.together = known and num_experts > 1 if together is None else together

    def init_weights(self) -> None:
        """Initialise, or load, each expert as its backbone does by itself; the trunk is the first one's."""
        for place, expert in enumerate(self.experts):
            donor = MODELS.build(self.cfg)
            if not hasattr(donor, 'init_weights'):
                return
            donor.init_weights()
            stages = segments_of(donor)
            if place == 0:
                self.trunk.load_state_dict(nn.Sequential(*stages[: self.cut]).state_dict())
            expert.load_state_dict(nn.Sequential(*stages[self.cut :]).state_dict())

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to each expert's pooled feature, (B, E, C)."""
        shared = self.trunk(images)
        if self.together:
            return run_together(self.experts, shared).mean(dim=(3, 4))
        return torch.stack([pool_features(expert(shared)) for expert in self.experts], dim=1)
