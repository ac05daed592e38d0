"""Adapters of `segments_of` and `narrow_stages` for backbones of mmpretrain; imported with the first one that is cut.

A class that only configures its parent (ResNetV1d, SEResNet) is cut as its parent is; one with a `forward` of its own is
refused. Only the last of `out_indices` counts, as for a whole backbone whose feature is pooled.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mmlt.errors import UserError
from mmlt.models.backbones.segments import narrow_stages, segments_of
from mmlt.registry import leave_out_text_models

leave_out_text_models()  # without which mmpretrain's models cannot be imported

from mmpretrain.models.backbones import ConvNeXt, ResNet, ResNet_CIFAR, SwinTransformer, VisionTransformer  # noqa: E402
from mmpretrain.models.utils import resize_pos_embed  # noqa: E402

Tokens = tuple[Tensor, tuple[int, int]]  # (B, L, C), and the rows and columns of the patches among them


def check(backbone: nn.Module, forwards: tuple[Callable, ...], frozen: bool) -> None:
    """Refuse a backbone that does something that its segments would not do.

    Args:
        backbone: the backbone.
        forwards: the `forward` functions that the segments stand for.
        frozen: whether parts of it are frozen, which the whole backbone's `train()` would see to.

    Raises:
        UserError: its `forward` is another, or parts are frozen.
    """
    name = type(backbone).__name__
    if type(backbone).forward not in forwards:
        raise UserError(
            f'MultiExpertBackbone cannot cut {name}, which has a forward of its own: register a function that returns '
            '[stem, stage 1, ...] with mmlt.models.backbones.segments.segments_of.register.'
        )
    if frozen:
        raise UserError(f'experts of {name} cannot have frozen parts: leave out frozen_stages and norm_eval.')


class ResNetStem(nn.Module):
    """What a ResNet does before its first stage: (B, 3, H, W) to (B, C, H/4, W/4), or of full size for CIFAR."""

    def __init__(self, backbone: ResNet) -> None:
        super().__init__()
        parts = [backbone.stem] if backbone.deep_stem else [backbone.conv1, backbone.norm1, backbone.relu]
        if type(backbone).forward is ResNet.forward:  # not so for CIFAR
            parts.append(backbone.maxpool)
        self.layers = nn.Sequential(*parts)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return self.layers(images)


@segments_of.register
def _(backbone: ResNet) -> list[nn.Module]:
    check(backbone, (ResNet.forward, ResNet_CIFAR.forward), backbone.frozen_stages >= 0 or backbone.norm_eval)
    stages = [getattr(backbone, name) for name in backbone.res_layers[: max(backbone.out_indices) + 1]]
    stages[-1].out_channels = stages[-1][-1].out_channels
    return [ResNetStem(backbone), *stages]


@narrow_stages.register
def _(backbone: ResNet, first: int, width: float) -> None:
    before = backbone.stem_channels if first == 0 else getattr(backbone, f'layer{first}')[-1].out_channels
    for place, name in enumerate(backbone.res_layers[first:], start=first):
        stage = getattr(backbone, name)
        channels = round(width * stage[-1].out_channels)
        try:
            narrowed = backbone.make_res_layer(
                block=backbone.block,
                num_blocks=len(stage),
                in_channels=before,
                out_channels=channels,
                expansion=backbone.expansion,
                stride=backbone.strides[place],
                dilation=backbone.dilations[place],
                style=backbone.style,
                avg_down=backbone.avg_down,
                with_cp=backbone.with_cp,
                conv_cfg=backbone.conv_cfg,
                norm_cfg=backbone.norm_cfg,
                drop_path_rate=[getattr(block.drop_path, 'drop_prob', 0.0) for block in stage],
            )
        except (AssertionError, ValueError) as error:  # of blocks whose channels come in groups
            raise UserError(
                f'{type(backbone).__name__} has no stage {place + 1} of {channels} channels: choose an expert_width that '
                'keeps them a multiple of the groups, such as 0.5 or 0.75.'
            ) from error
        setattr(backbone, name, narrowed)
        before = channels


class ConvNeXtNorm(nn.Module):
    """ConvNeXt's last step: the map (B, C, H, W) averaged and normalised, (B, C), or normalised alone."""

    def __init__(self, norm: nn.Module, average: bool) -> None:
        super().__init__()
        self.norm = norm
        self.average = average

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.norm(x.mean((-2, -1), keepdim=True)).flatten(1) if self.average else self.norm(x)


@segments_of.register
def _(backbone: ConvNeXt) -> list[nn.Module]:
    check(backbone, (ConvNeXt.forward,), backbone.frozen_stages > 0)
    last = max(backbone.out_indices)
    stages = [nn.Sequential(*parts) for parts in zip(backbone.downsample_layers, backbone.stages, strict=True)][: last + 1]
    stages[0] = backbone.stages[0]
    stages[-1] = nn.Sequential(stages[-1], ConvNeXtNorm(getattr(backbone, f'norm{last}'), backbone.gap_before_final_norm))
    stages[-1].out_channels = backbone.channels[last]
    return [backbone.downsample_layers[0], *stages]


class SwinStem(nn.Module):
    """Swin's patches and, where it has them, their places: images to `Tokens`."""

    def __init__(self, backbone: SwinTransformer) -> None:
        super().__init__()
        self.patch_embed = backbone.patch_embed
        self.places = backbone.absolute_pos_embed if backbone.use_abs_pos_embed else None
        self.resolution, self.mode = backbone.patch_resolution, backbone.interpolate_mode
        self.dropout = backbone.drop_after_pos

    def forward(self, images: Tensor) -> Tokens:
        """See the class."""
        x, shape = self.patch_embed(images)
        if self.places is not None:
            x = x + resize_pos_embed(self.places, self.resolution, shape, self.mode, 0)
        return self.dropout(x), shape


class SwinStage(nn.Module):
    """A stage of Swin: `Tokens` to `Tokens`; the last one's, normalised, to a map (B, C, H, W)."""

    def __init__(self, stage: nn.Module, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.stage = stage
        self.norm = norm

    def forward(self, tokens: Tokens) -> Tokens | Tensor:
        """See the class."""
        x, shape = self.stage(*tokens)
        return (x, shape) if self.norm is None else self.norm(x).unflatten(1, shape).permute(0, 3, 1, 2).contiguous()


@segments_of.register
def _(backbone: SwinTransformer) -> list[nn.Module]:
    check(backbone, (SwinTransformer.forward,), backbone.frozen_stages >= 0 or backbone.norm_eval)
    last = max(backbone.out_indices)
    stages = [SwinStage(stage) for stage in backbone.stages[:last]]
    if not backbone.out_after_downsample:
        backbone.stages[last].downsample = None
    stages.append(SwinStage(backbone.stages[last], getattr(backbone, f'norm{last}')))
    stages[-1].out_channels = backbone.num_features[last]
    return [SwinStem(backbone), *stages]


class ViTStem(nn.Module):
    """A ViT's patches, class token and places: images to `Tokens`."""

    def __init__(self, backbone: VisionTransformer) -> None:
        super().__init__()
        self.patch_embed = backbone.patch_embed
        self.cls_token = backbone.cls_token
        self.pos_embed = backbone.pos_embed
        self.resolution, self.mode = backbone.patch_resolution, backbone.interpolate_mode
        self.extra = backbone.num_extra_tokens
        self.dropout = backbone.drop_after_pos
        self.pre_norm = backbone.pre_norm

    def forward(self, images: Tensor) -> Tokens:
        """See the class."""
        x, shape = self.patch_embed(images)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = x + resize_pos_embed(self.pos_embed, self.resolution, shape, self.mode, self.extra)
        return self.pre_norm(self.dropout(x)), shape


class ViTBlock(nn.Module):
    """A block of a ViT: `Tokens` to `Tokens`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: Tokens) -> Tokens:
        """See the class."""
        x, shape = tokens
        return self.layer(x), shape


class ViTLast(nn.Module):
    """The last block of a ViT, its norm, and the output in the form of its `out_type`."""

    def __init__(self, backbone: VisionTransformer, last: int) -> None:
        super().__init__()
        self.layer = backbone.layers[last]
        self.norm = backbone.ln1 if backbone.final_norm and last == len(backbone.layers) - 1 else nn.Identity()
        self.norm2 = backbone.ln2 if backbone.out_type == 'avg_featmap' else None
        self.out_type, self.extra = backbone.out_type, backbone.num_extra_tokens

    def forward(self, tokens: Tokens) -> Tensor:
        """See the class."""
        x = self.norm(self.layer(tokens[0]))
        if self.out_type == 'raw':
            return x
        if self.out_type == 'cls_token':
            return x[:, 0]
        patches = x[:, self.extra :]
        if self.out_type == 'avg_featmap':
            return self.norm2(patches.mean(dim=1))
        return patches.unflatten(1, tokens[1]).permute(0, 3, 1, 2)


@segments_of.register
def _(backbone: VisionTransformer) -> list[nn.Module]:
    check(backbone, (VisionTransformer.forward,), backbone.frozen_stages > 0)
    last = max(backbone.out_indices)
    end = ViTLast(backbone, last)
    end.out_channels = backbone.embed_dims
    return [ViTStem(backbone), *(ViTBlock(layer) for layer in backbone.layers[:last]), end]
