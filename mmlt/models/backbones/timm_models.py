"""Networks of the papers that timm has the blocks of and no name for; importing this file gives timm the names."""

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet

default_cfgs = generate_default_cfgs({'resnet10': dict(first_conv='conv1', classifier='fc')})  # timm looks for this name


@register_model
def resnet10(pretrained: bool = False, **settings) -> ResNet:  # noqa: ANN003
    """ResNet-10: one basic block in each of the four stages, 512 features; long-tailed recognition's small network.

    timm's `resnet10t` is another one, with a deep stem and averages in its shortcuts.

    Args:
        pretrained: there are no such weights: must be False.
        **settings: of timm's `ResNet`, and those of `timm.create_model` that mean nothing without weights.

    Source: Liu et al., Large-Scale Long-Tailed Recognition in an Open World (CVPR 2019), and the code of the papers after it.
    """
    return build_model_with_cfg(ResNet, 'resnet10', pretrained, block=BasicBlock, layers=(1, 1, 1, 1), **settings)
