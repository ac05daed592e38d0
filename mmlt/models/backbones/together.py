"""Experts of one shape run as one network: their channels side by side, their convolutions grouped.

The experts keep their own parameters and statistics, so a checkpoint does not know which way they ran. One wide kernel
in place of E narrow ones means fewer launches. On a 2-core CPU it did not win against one by one (`tools/benchmark.py --cases
experts-together`); on a GPU it has not been measured.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.models.backbones.resnet_cifar import BasicBlock
from mmlt.models.backbones.segments import ResNetCIFARStem


def can_run_together(experts: Sequence[nn.Sequential]) -> bool:
    """Whether `run_together` knows every segment of these experts."""
    segments = [segment for expert in experts for segment in expert]
    return all(
        isinstance(segment, ResNetCIFARStem)
        or (isinstance(segment, nn.Sequential) and all(isinstance(block, BasicBlock) for block in segment))
        for segment in segments
    )


def run_together(experts: Sequence[nn.Sequential], x: Tensor) -> Tensor:
    """The feature maps of E experts of one shape on the same input, as if they ran one by one.

    Args:
        experts: E sequences of segments, equal but for their weights.
        x: (B, C, H, W), what all of them get.

    Returns:
        (B, E, C', H', W').
    """
    shared = True  # until the first convolution each expert sees the same channels
    for segments in zip(*experts, strict=True):
        if isinstance(segments[0], ResNetCIFARStem):
            x, shared = _activated(segments, 1, x, shared), False
            continue
        for blocks in zip(*segments, strict=True):
            x, shared = _block(blocks, x, shared), False
    return x.unflatten(1, (len(experts), -1))


def _block(blocks: Sequence[BasicBlock], x: Tensor, shared: bool) -> Tensor:
    """`BasicBlock.forward` of each block, on (B, C, H, W) that is shared or (B, E * C, H, W)."""
    out = _activated(blocks, 1, x, shared)
    out = _normalised([block.bn2 for block in blocks], _convolved([block.conv2 for block in blocks], out, shared=False))
    first = blocks[0]
    if first.stride == 1 and not first.new_channels:
        return F.relu(out + (x.repeat(1, len(blocks), 1, 1) if shared else x), inplace=True)
    parts = (x[:, :, :: first.stride, :: first.stride],) * len(blocks) if shared else None
    parts = parts or x[:, :, :: first.stride, :: first.stride].chunk(len(blocks), dim=1)
    before = first.new_channels // 2
    padded = [F.pad(part, (0, 0, 0, 0, before, first.new_channels - before)) for part in parts]
    return F.relu(out + torch.cat(padded, dim=1), inplace=True)


def _activated(modules: Sequence[nn.Module], number: int, x: Tensor, shared: bool) -> Tensor:
    convolutions = [getattr(module, f'conv{number}') for module in modules]
    norms = [getattr(module, f'bn{number}') for module in modules]
    return F.relu(_normalised(norms, _convolved(convolutions, x, shared)), inplace=True)


def _convolved(convolutions: Sequence[nn.Conv2d], x: Tensor, shared: bool) -> Tensor:
    first = convolutions[0]
    weight = torch.cat([convolution.weight for convolution in convolutions])  # (E * C', C, 3, 3)
    return F.conv2d(x, weight, None, first.stride, first.padding, groups=1 if shared else len(convolutions))


def _normalised(norms: Sequence[nn.BatchNorm2d], x: Tensor) -> Tensor:
    first = norms[0]
    means, variances = [norm.running_mean for norm in norms], [norm.running_var for norm in norms]
    mean, variance = torch.cat(means), torch.cat(variances)
    weight, bias = torch.cat([norm.weight for norm in norms]), torch.cat([norm.bias for norm in norms])
    out = F.batch_norm(x, mean, variance, weight, bias, first.training, first.momentum, first.eps)
    if first.training:
        torch._foreach_copy_([*means, *variances], [*mean.chunk(len(norms)), *variance.chunk(len(norms))])
        torch._foreach_add_([norm.num_batches_tracked for norm in norms], 1)
    return out
