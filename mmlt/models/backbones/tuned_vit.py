"""A pretrained transformer that stays as it is, with few weights that learn: adapters, LoRA, biases or layer norms."""

import math
import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.backbones.timm_backbone import TimmBackbone
from mmlt.registry import MODELS

TUNINGS = ('adapter', 'lora', 'bias', 'layer_norm')


def bottleneck_rule(num_classes: int, num_layers: int) -> int:
    """Width of an adapter: the largest power of 2 of which the layers' weights are not more than a linear head's, at least 1.

    `2 ** max(0, floor(log2(C / (2 L))))`: for 12 layers 4 of 100 classes, 32 of 1000, 256 of 8142.

    Args:
        num_classes: number C of classes.
        num_layers: number L of blocks.

    Source: Shi et al., Long-Tail Learning with Foundation Model (LIFT), ICML 2024, and its code.
    """
    return 2 ** max(0, int(math.log2(num_classes / (2 * num_layers))))


class Adapter(nn.Module):
    """LayerNorm, down to the bottleneck, ReLU, up again, times a learned factor; it gives zeros at first.

    Args:
        channels: size of a token.
        bottleneck: size in between.

    Source: Chen et al., AdaptFormer, NeurIPS 2022, as LIFT has it.
    """

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.down = nn.Linear(channels, bottleneck)
        self.up = nn.Linear(bottleneck, channels)
        self.scale = nn.Parameter(torch.ones(()))
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, L, C) to what is added to them (B, L, C)."""
        return self.scale * self.up(F.relu(self.down(self.norm(tokens))))


class AdaptedBlock(nn.Module):
    """A block of timm's ViT with an adapter beside its MLP: both read the same tokens, both are added to them.

    Args:
        block: the block, with `norm1`, `attn`, `ls1`, `drop_path1`, and the same of 2 with `mlp`.
        adapter: the adapter.
    """

    def __init__(self, block: nn.Module, adapter: Adapter) -> None:
        super().__init__()
        self.block, self.adapter = block, adapter

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, L, C) to (B, L, C)."""
        block = self.block
        tokens = tokens + block.drop_path1(block.ls1(block.attn(block.norm1(tokens))))
        return tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens)))) + self.adapter(tokens)


@MODELS.register_module()
class TunedViT(TimmBackbone):
    """A ViT of timm (ImageNet's, CLIP's, DINO's) whose own weights get no gradient, but for those that a tuning names.

    Args:
        model_name: as `TimmBackbone`; a plain ViT.
        tunings: some of `adapter` (AdaptFormer beside each MLP), `lora` (low-rank additions to the joint projection of
            queries, keys and values, by the `peft` library), `bias` (the trunk's own biases), `layer_norm` (its layer norms).
            None of them is a frozen trunk, for a head alone.
        num_classes: C, for `bottleneck`; a run asks its head.
        bottleneck: width of adapters and rank of LoRA; None for `bottleneck_rule`.
        **others: as `TimmBackbone`.

    Attributes:
        bottleneck: the width that is used; None without adapters and LoRA.

    Raises:
        UserError: no such tuning, no plain ViT, no bottleneck to be known, or `peft` is not installed.

    Source: Shi et al., Long-Tail Learning with Foundation Model (LIFT), ICML 2024; Hu et al., LoRA, ICLR 2022; Ben Zaken et
    al., BitFit, ACL 2022.
    """

    def __init__(
        self,
        model_name: str,
        tunings: Sequence[str] = ('adapter',),
        num_classes: int | None = None,
        bottleneck: int | None = None,
        **others,  # noqa: ANN003
    ) -> None:
        super().__init__(model_name, **others)
        if strange := [name for name in tunings if name not in TUNINGS]:
            raise UserError(f'TunedViT knows the tunings {", ".join(TUNINGS)}, not {strange[0]!r}.')
        blocks = getattr(self.model, 'blocks', None)
        parts = ('norm1', 'attn', 'ls1', 'drop_path1', 'norm2', 'mlp', 'ls2', 'drop_path2')
        if not isinstance(blocks, nn.Sequential) or not all(hasattr(block, part) for block in blocks for part in parts):
            raise UserError(f'TunedViT tunes plain ViTs, and {model_name} is none: choose a vit_... of timm.')
        self.model.requires_grad_(False)
        self.tunings, self.bottleneck = tuple(tunings), None
        for name, weight in self.model.named_parameters():
            owner = self.model.get_submodule(name.rpartition('.')[0])
            is_bias = 'bias' in tunings and name.endswith('.bias')
            weight.requires_grad_(is_bias or ('layer_norm' in tunings and isinstance(owner, nn.LayerNorm)))
        if {'adapter', 'lora'} & set(tunings):
            if bottleneck is None and num_classes is None:
                raise UserError('TunedViT needs num_classes, or a bottleneck, for the width of what it adds: set one of them.')
            self.bottleneck = bottleneck or bottleneck_rule(num_classes, len(blocks))
        learning = {name for name, weight in self.model.named_parameters() if weight.requires_grad}
        if 'lora' in tunings:
            self._add_lora(learning)
        if 'adapter' in tunings:
            for place, block in enumerate(blocks):
                blocks[place] = AdaptedBlock(block, Adapter(self.model.embed_dim, self.bottleneck))

    def _add_lora(self, learning: set[str]) -> None:
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise UserError("LoRA is added by the package peft, which is not here: pip install 'mmlt[foundation]'.") from error
        config = LoraConfig(r=self.bottleneck, lora_alpha=self.bottleneck, lora_dropout=0.0, target_modules=['qkv'])
        inject_adapter_in_model(config, self.model)  # which freezes all else
        for name, weight in self.model.named_parameters():
            weight.requires_grad_(weight.requires_grad or name.replace('.base_layer.', '.') in learning)

    def take_weights(self, state: dict[str, Tensor]) -> None:
        """See `TimmBackbone.take_weights`; what was added stays as it is."""
        own = self.model.state_dict()

        def here(name: str) -> str:
            name = re.sub(r'^blocks\.(\d+)\.', r'blocks.\1.block.', name) if 'adapter' in self.tunings else name
            return re.sub(r'\.qkv\.(weight|bias)$', r'.qkv.base_layer.\1', name) if 'lora' in self.tunings else name

        self.model.load_state_dict({**own, **{here(name): value for name, value in state.items()}})

    def trunk(self) -> dict[str, Tensor]:
        """The trunk's own weights by timm's names, those that are tuned too."""
        added = ('.adapter.', '.lora_')
        state = {name: value for name, value in self.model.state_dict().items() if not any(part in name for part in added)}
        return {re.sub(r'^(blocks\.\d+)\.block\.', r'\1.', name).replace('.base_layer.', '.'): v for name, v in state.items()}
