"""Networks whose feature maps a detector looks at."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from mmlt.errors import UserError, reason
from mmlt.registry import MODELS


class PyramidBackbone(nn.Module):
    """Base of torchvision's networks with a feature pyramid and frozen batch normalisation.

    Args:
        network: the network with its pyramid; its `body` takes the pretrained weights.
        checkpoint_path: file of weights of the whole classifier to begin with, as torchvision names them; None for
            random weights. It is read when a training run begins, not when the model is built.

    Attributes:
        out_channels: channels of every feature map.
        levels: names of the maps that boxes are cut from, finest first.
        num_maps: maps that proposals come from.
    """

    levels: tuple[str, ...]
    num_maps: int

    def __init__(self, network: nn.Module, checkpoint_path: str | None) -> None:
        super().__init__()
        self.network = network
        self.checkpoint_path = checkpoint_path
        self.out_channels: int = network.out_channels

    def body_weights(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights of the network's body out of a whole classifier's."""
        return weights

    def init_weights(self) -> None:
        """Take over the pretrained weights; MMEngine calls it once, at the beginning of a training run.

        Raises:
            UserError: the file is missing, holds more than tensors, or the weights of another network.
        """
        if not self.checkpoint_path:
            return
        file = Path(self.checkpoint_path)
        if not file.is_file():
            raise UserError(f'there is no file {file} (backbone.checkpoint_path): correct the path.')
        try:
            weights = torch.load(file, map_location='cpu', weights_only=True)
            body = self.network.body
            weights = self.body_weights(weights.get('state_dict', weights))
            body.load_state_dict({name: weights[name] for name in body.state_dict()})
        except Exception as error:  # a damaged file, one that holds more than tensors, one of another network
            raise UserError(
                f'{file} (backbone.checkpoint_path) gives {type(self).__name__} no weights ({reason(error)}): '
                'name another file.'
            ) from error

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps (B, out_channels, H / stride, W / stride) by name, finest first, of images (B, 3, H, W)."""
        return self.network(images)


@MODELS.register_module()
class ResNetFPN(PyramidBackbone):
    """torchvision's ResNet with a feature pyramid: maps of stride 4 to 32, and one of 64 for proposals alone.

    Args:
        depth: 18, 34, 50, 101 or 152.
        trained_stages: stages that are trained, from the last one on (0 to 5); the rest stays as it is.
        checkpoint_path: see `PyramidBackbone`.

    Source: Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017.
    """

    levels = ('0', '1', '2', '3')
    num_maps = 5

    def __init__(self, depth: int = 50, trained_stages: int = 3, checkpoint_path: str | None = None) -> None:
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

        if depth not in (18, 34, 50, 101, 152):
            raise UserError(f'ResNetFPN has a depth of 18, 34, 50, 101 or 152, not {depth!r}.')
        if trained_stages not in range(6):
            raise UserError(f'ResNetFPN.trained_stages is a number from 0 to 5, not {trained_stages!r}.')
        network = resnet_fpn_backbone(backbone_name=f'resnet{depth}', weights=None, trainable_layers=trained_stages)
        super().__init__(network, checkpoint_path)


@MODELS.register_module()
class MobileNetV3FPN(PyramidBackbone):
    """torchvision's MobileNetV3-Large with a feature pyramid: two maps of stride 16 and 32, and one of 64 for proposals.

    Args:
        trained_stages: stages that are trained, from the last one on (0 to 6); the rest stays as it is.
        checkpoint_path: see `PyramidBackbone`.

    Source: Howard et al., Searching for MobileNetV3, ICCV 2019.
    """

    levels = ('0', '1')
    num_maps = 3

    def __init__(self, trained_stages: int = 3, checkpoint_path: str | None = None) -> None:
        from torchvision.models.detection.backbone_utils import mobilenet_backbone

        if trained_stages not in range(7):
            raise UserError(f'MobileNetV3FPN.trained_stages is a number from 0 to 6, not {trained_stages!r}.')
        network = mobilenet_backbone(
            backbone_name='mobilenet_v3_large', weights=None, fpn=True, trainable_layers=trained_stages
        )
        super().__init__(network, checkpoint_path)

    def body_weights(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `PyramidBackbone.body_weights`: torchvision keeps the convolutions under `features`."""
        return {name.removeprefix('features.'): value for name, value in weights.items()}


@MODELS.register_module()
class SmallConvNet(nn.Module):
    """Five 3x3 convolutions with group normalisation and one feature map of stride 4, for the embedded example.

    Args:
        channels: of the last three convolutions; the first two have a quarter and a half.

    Attributes:
        out_channels, levels, num_maps: see `PyramidBackbone`.
    """

    levels = ('0',)
    num_maps = 1

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        if type(channels) is not int or channels < 32 or channels % 32:
            raise UserError(f'SmallConvNet.channels must be a multiple of 32, not {channels!r}.')
        self.out_channels = channels
        widths, strides = (3, channels // 4, channels // 2, channels, channels, channels), (2, 2, 1, 1, 1)
        layers: list[nn.Module] = []
        for place, stride in enumerate(strides):
            layers += [
                nn.Conv2d(widths[place], widths[place + 1], 3, stride, padding=1, bias=False),
                nn.GroupNorm(8, widths[place + 1]),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The one feature map (B, channels, H / 4, W / 4) of images (B, 3, H, W)."""
        return OrderedDict({'0': self.layers(images)})
