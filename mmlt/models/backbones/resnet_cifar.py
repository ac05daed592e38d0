"""The CIFAR ResNet of He et al. (2016), section 4.2, with parameter-free (option A) shortcuts."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.registry import MODELS


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the shortcut subsamples by `stride` and pads the new channels with zeros.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        stride: stride of the first convolution.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.new_channels = channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, channels, H/stride, W/stride)."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.stride != 1 or self.new_channels:
            x = x[:, :, :: self.stride, :: self.stride]
            before = self.new_channels // 2
            x = F.pad(x, (0, 0, 0, 0, before, self.new_channels - before))
        return F.relu(out + x, inplace=True)


@MODELS.register_module()
class ResNetCIFAR(nn.Module):
    """ResNet for small images: a 3x3 stem and three stages of (depth - 2) / 6 basic blocks.

    Args:
        depth: 6n + 2 layers: 8, 20, 32, 44, 56, 110, ...
        base_channels: channels of the first stage; the later ones have twice and four times as many.
        in_channels: channels of the images.

    Raises:
        UserError: `depth` is not 6n + 2.
    """

    def __init__(self, depth: int = 32, base_channels: int = 16, in_channels: int = 3) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise UserError(f'ResNetCIFAR has no depth {depth}: choose 6n + 2, for instance 8, 20, 32, 44, 56 or 110.')
        self.blocks = (depth - 2) // 6
        self.in_channels = in_channels
        base_channels = number(self, 'base_channels', base_channels, least=1, whole=True)
        self.build_stages([base_channels, 2 * base_channels, 4 * base_channels])

    def build_stages(self, channels: Sequence[int], first: int = 0) -> None:
        """Build the stages from `first` (0 to 2) on anew, and with stage 0 the stem, with Kaiming's initialisation.

        Args:
            channels: of all three stages.
            first: the first stage that is built; the ones before it stay.
        """
        if first == 0:
            self.conv1 = nn.Conv2d(self.in_channels, channels[0], 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels[0])
        built = [self.conv1] if first == 0 else []
        for stage in range(first, 3):
            width = channels[max(stage - 1, 0)]
            layers = [BasicBlock(width, channels[stage], 1 if stage == 0 else 2)]
            layers += [BasicBlock(channels[stage], channels[stage]) for _ in range(self.blocks - 1)]
            built.append(nn.Sequential(*layers))
            setattr(self, f'layer{stage + 1}', built[-1])
        for module in nn.ModuleList(built).modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        self.out_channels = channels[-1]

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map images (B, in_channels, H, W) to one feature map (B, 4 * base_channels, H/4, W/4), in a tuple."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return (self.layer3(self.layer2(self.layer1(x))),)
