"""ResNetCIFAR and the classification heads against their definitions."""

import pytest
import torch
import torch.nn.functional as F

from mmlt.errors import UserError
from mmlt.models.backbones import ResNetCIFAR, pool_features
from mmlt.models.heads import CosineHead, LinearHead
from mmlt.registry import MODELS


def test_resnet32_has_the_published_number_of_parameters():
    count = sum(p.numel() for part in (ResNetCIFAR(32), LinearHead(64, 100)) for p in part.parameters())
    assert count == 470_004


@pytest.mark.parametrize(('depth', 'blocks'), [(8, 1), (20, 3), (32, 5), (110, 18)])
def test_blocks_a_stage(depth, blocks):
    net = ResNetCIFAR(depth)
    assert [len(net.layer1), len(net.layer2), len(net.layer3)] == [blocks] * 3


def test_resnet10_is_one_basic_block_a_stage():
    from torchvision.models.resnet import BasicBlock, ResNet

    net = MODELS.build(dict(type='TimmBackbone', model_name='resnet10')).eval()
    other = ResNet(BasicBlock, [1, 1, 1, 1]).eval()
    other.fc = torch.nn.Identity()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # the last of a block begins at zero, and would hide the block
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean)
    other.load_state_dict(net.model.state_dict())
    images = torch.randn(2, 3, 64, 64)
    features = net(images)[0]
    assert features.shape == (2, 512) and net.out_channels == 512
    torch.testing.assert_close(features, other(images))


@pytest.mark.parametrize('depth', [0, 2, 18, 33])
def test_other_depths_are_refused(depth):
    with pytest.raises(UserError, match='6n'):
        ResNetCIFAR(depth)


def test_the_shortcut_subsamples_and_pads_with_zeros():
    net = ResNetCIFAR(8).eval()
    block = net.layer2[0]
    torch.nn.init.zeros_(block.bn2.weight)  # the residual branch gives zero: what is left is the shortcut
    x = torch.rand(2, 16, 8, 8)
    expected = torch.zeros(2, 32, 4, 4)
    expected[:, 8:24] = x[:, :, ::2, ::2]
    assert torch.equal(block(x), expected)


def test_a_map_tokens_and_a_vector_become_one_vector():
    feature_map = torch.randn(2, 5, 3, 4)
    assert torch.allclose(pool_features((None, feature_map)), feature_map.mean(dim=(2, 3)), atol=1e-6)
    tokens = feature_map.flatten(2).transpose(1, 2)
    assert torch.allclose(pool_features(tokens), feature_map.mean(dim=(2, 3)), atol=1e-6)
    vector = torch.randn(2, 5)
    assert pool_features([vector]) is vector


def test_cosine_head_is_the_scaled_cosine():
    head, features = CosineHead(6, 4, scale=30.0), torch.randn(3, 6)
    expected = torch.stack([F.cosine_similarity(features, weight[None], dim=1) for weight in head.weight], dim=1)
    assert torch.allclose(head(features), 30 * expected, atol=1e-5)
