"""A backbone in segments is the backbone; experts together are the experts one by one; narrow stages are narrow."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from mmlt.errors import UserError
from mmlt.models.backbones import pool_features
from mmlt.models.backbones.segments import segments_of
from mmlt.registry import MODELS

SWIN = dict(embed_dims=8, depths=[1, 2, 1], num_heads=[1, 2, 2])
VIT = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)
CONVNEXT = dict(depths=[1, 1, 2, 1], channels=[4, 8, 12, 16])
SMALL = dict(stem_channels=8, base_channels=8)
BACKBONES = {  # config, size of its feature, number of stages
    'resnet_cifar_ours': (dict(type='ResNetCIFAR', depth=8), 64, 3),
    'resnet18': (dict(type='mmpretrain.ResNet', depth=18, **SMALL), 64, 4),
    'resnet50': (dict(type='mmpretrain.ResNet', depth=50, **SMALL), 256, 4),
    'resnet_third_stage': (dict(type='mmpretrain.ResNet', depth=18, out_indices=(1, 2), **SMALL), 32, 3),
    'resnet_v1d': (dict(type='mmpretrain.ResNetV1d', depth=50, drop_path_rate=0.1, **SMALL), 256, 4),
    'resnet_cifar': (dict(type='mmpretrain.ResNet_CIFAR', depth=18, **SMALL), 64, 4),
    'resnext': (dict(type='mmpretrain.ResNeXt', depth=50, groups=4, width_per_group=2, **SMALL), 256, 4),
    'convnext': (dict(type='mmpretrain.ConvNeXt', arch=CONVNEXT), 16, 4),
    'convnext_map': (dict(type='mmpretrain.ConvNeXt', arch=CONVNEXT, gap_before_final_norm=False), 16, 4),
    'swin': (dict(type='mmpretrain.SwinTransformer', arch=SWIN, window_size=2, out_indices=(2,)), 32, 3),
    'swin_places': (
        dict(type='mmpretrain.SwinTransformer', arch=SWIN, window_size=2, img_size=32, use_abs_pos_embed=True,
             out_indices=(1,)),
        16,
        2,
    ),
    'swin_downsampled': (
        dict(type='mmpretrain.SwinTransformer', arch=SWIN, window_size=2, out_indices=(1,), out_after_downsample=True),
        32,
        2,
    ),
    'vit': (dict(type='mmpretrain.VisionTransformer', arch=VIT, img_size=32, patch_size=8), 24, 3),
    'vit_map': (
        dict(type='mmpretrain.VisionTransformer', arch=VIT, img_size=32, patch_size=8, out_type='featmap',
             with_cls_token=False),
        24,
        3,
    ),
    'vit_mean': (
        dict(type='mmpretrain.VisionTransformer', arch=VIT, img_size=32, patch_size=8, out_type='avg_featmap',
             pre_norm=True, out_indices=[1]),
        24,
        2,
    ),
    'vit_raw': (dict(type='mmpretrain.VisionTransformer', arch=VIT, img_size=32, patch_size=8, out_type='raw'), 24, 3),
    'timm_resnet': (dict(type='TimmBackbone', model_name='test_resnet'), 96, 4),
}  # fmt: skip


def shaken(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with other statistics and weights than a fresh one, so that no part is the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator, dtype=value.dtype)
            value.copy_(0.5 + noise if name.endswith('running_var') else value + 0.2 * (noise - 0.5))
    return model


def images(size: int = 32, batch: int = 2, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize('name', BACKBONES)
@torch.no_grad()
def test_segments_one_after_another_are_the_backbone(name):
    cfg, channels, stages = BACKBONES[name]
    backbone = shaken(MODELS.build(cfg).double())
    backbone.eval()  # gives no module back in mmpretrain
    x = images()
    expected = pool_features(backbone(x))
    segments = segments_of(backbone)
    assert len(segments) == stages + 1
    for segment in segments:
        x = segment.eval()(x)
    torch.testing.assert_close(pool_features(x), expected, rtol=1e-10, atol=1e-12)
    assert expected.shape == (2, channels)


@pytest.mark.parametrize('name', BACKBONES)
def test_trunk_and_experts_hold_every_weight_and_all_of_them_learn(name):
    cfg, channels, stages = BACKBONES[name]
    model = MODELS.build(dict(type='MultiExpertBackbone', backbone=cfg, num_experts=2, shared_stages=stages - 1))
    model.init_weights()
    shaken(model)
    features = model(images(dtype=torch.float32, batch=3))
    assert features.shape == (3, 2, channels) and model.out_channels == channels
    assert not torch.allclose(features[:, 0], features[:, 1])
    features.square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())
    whole = {name for name, _ in MODELS.build(cfg).named_parameters()}
    own = len(list(model.trunk.parameters())) + len(list(model.experts[0].parameters()))
    if name not in ('resnet_third_stage', 'swin_places', 'swin_downsampled', 'vit_mean'):  # these leave out what comes after
        assert own == len(whole) < len(list(model.parameters()))


@pytest.mark.parametrize('shared', [0, 1, 2])
def test_one_expert_is_the_backbone(shared):
    cfg = dict(type='ResNetCIFAR', depth=8)
    torch.manual_seed(0)
    backbone = MODELS.build(cfg).double()
    torch.manual_seed(0)
    model = MODELS.build(dict(type='MultiExpertBackbone', backbone=cfg, num_experts=1, shared_stages=shared)).double()
    torch.testing.assert_close(model(images(8))[:, 0], pool_features(backbone(images(8))))


class Alien(nn.Module):
    pass


def test_what_cannot_be_cut_says_what_to_write():
    with pytest.raises(UserError, match=r'cannot cut Alien .*segments_of\.register'):
        segments_of(Alien())
    with pytest.raises(UserError, match=r'cannot cut VGG .*segments_of\.register'):
        segments_of(MODELS.build(dict(type='mmpretrain.VGG', depth=11)))
    distilled = dict(type='mmpretrain.DistilledVisionTransformer', arch=VIT, img_size=32, patch_size=8)
    with pytest.raises(UserError, match='DistilledVisionTransformer, which has a forward of its own'):
        segments_of(MODELS.build(distilled))
    with pytest.raises(UserError, match='cannot cut VisionTransformer'):
        segments_of(MODELS.build(dict(type='TimmBackbone', model_name='test_vit', img_size=32)))


@pytest.mark.parametrize('name', ['resnet18', 'convnext', 'swin', 'vit'])
def test_frozen_parts_are_refused(name):
    cfg = {**BACKBONES[name][0], 'frozen_stages': 1}
    with pytest.raises(UserError, match='leave out frozen_stages'):
        segments_of(MODELS.build(cfg))


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(num_experts=0), 'num_experts must be a whole number of at least 1'),
        (dict(shared_stages=3), 'from 0 .nothing shared. to 2, not 3'),
        (dict(shared_stages=-1), 'shared_stages must be a whole number of at least 0'),
        (dict(expert_width=0), 'above 0'),
        (dict(backbone=dict(type='mmpretrain.ConvNeXt', arch=CONVNEXT), expert_width=0.5), 'ConvNeXt'),
        (dict(backbone=dict(type='mmpretrain.ResNet', depth=18), together=True), 'cannot run together'),
        (dict(backbone=dict(type='mmpretrain.ResNeXt', depth=50), expert_width=0.7), 'no stage 2 of 358 channels'),
    ],
)
def test_wrong_settings_say_so(settings, words):
    with pytest.raises(UserError, match=words):
        MODELS.build(dict(type='MultiExpertBackbone', **{'backbone': dict(type='ResNetCIFAR', depth=8), **settings}))


class TestExpertWidth:
    """RIDE's narrower experts."""

    @staticmethod
    def build(backbone: dict, **settings) -> nn.Module:
        return MODELS.build(dict(type='MultiExpertBackbone', backbone=backbone, expert_width=0.75, **settings))

    def test_resnet32_as_in_ride(self):
        model = self.build(dict(type='ResNetCIFAR', depth=32))
        assert [m.out_channels for m in model.trunk.modules() if isinstance(m, nn.Conv2d)] == [16] * 11
        for expert in model.experts:
            widths = [m.out_channels for m in expert.modules() if isinstance(m, nn.Conv2d)]
            assert widths == [24] * 10 + [48] * 10
        assert model.out_channels == 48 and model(images(8, dtype=torch.float32)).shape == (2, 3, 48)

    def test_nothing_shared_narrows_the_stem_too(self):
        model = self.build(dict(type='ResNetCIFAR', depth=8), shared_stages=0)
        assert {m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)} == {12, 24, 48}
        whole = MODELS.build(dict(type='ResNetCIFAR', depth=8, base_channels=12))
        count = sum(p.numel() for p in whole.parameters())
        assert sum(p.numel() for p in model.parameters()) == 3 * count

    def test_resnet50_as_in_ride(self):
        model = self.build(dict(type='mmpretrain.ResNet', depth=50), shared_stages=2, num_experts=2)
        third, fourth = model.experts[1]
        assert {block.conv2.out_channels for block in third} == {192}
        assert {block.conv2.out_channels for block in fourth} == {384}
        assert [third[0].conv1.in_channels, fourth[0].conv1.in_channels] == [512, 768]
        assert len(third) == 6 and len(fourth) == 3 and model.out_channels == 4 * 384

    def test_resnext50_of_timm_as_in_ride(self):
        model = self.build(dict(type='TimmBackbone', model_name='resnext50_32x4d'), shared_stages=2, num_experts=2)
        assert [m.out_channels for m in model.trunk.modules() if isinstance(m, nn.Conv2d)][-1] == 512
        third, fourth = model.experts[1][0], model.experts[1][1][0]
        # 32 groups of 4 channels for 64 planes: 192 planes make 384 inside, 384 make 768, and four times the planes come out.
        assert {(block.conv2.out_channels, block.conv3.out_channels) for block in third} == {(384, 768)}
        assert {(block.conv2.out_channels, block.conv3.out_channels) for block in fourth} == {(768, 1536)}
        assert len(third) == 6 and len(fourth) == 3 and model.out_channels == 1536
        assert model(images(dtype=torch.float32)).shape == (2, 2, 1536)

    def test_a_network_of_timm_that_is_no_resnet_has_no_other_width(self):
        with pytest.raises(UserError, match='expert_width=0.75 is for ResNets of timm; leave it out for'):
            self.build(dict(type='TimmBackbone', model_name='test_vit'))

    @pytest.mark.parametrize('name', ['resnet18', 'resnet_v1d', 'resnext', 'resnet_cifar'])
    def test_other_resnets_run_and_keep_what_they_have(self, name):
        cfg, channels, _ = BACKBONES[name]
        model = self.build(cfg, shared_stages=3, num_experts=2)
        model.init_weights()
        assert model(images(dtype=torch.float32)).shape == (2, 2, 0.75 * channels)
        rates = [m.drop_prob for m in model.experts[0].modules() if hasattr(m, 'drop_prob')]
        assert rates == ([pytest.approx(0.1 * place / 15) for place in (13, 14, 15)] if name == 'resnet_v1d' else [])

    def test_a_head_of_the_full_width_is_told_the_right_one(self):
        model = MODELS.build(
            dict(
                type='MultiExpertClassifier',
                backbone=dict(type='MultiExpertBackbone', backbone=dict(type='ResNetCIFAR', depth=8), expert_width=0.75),
                head=dict(type='LinearHead', in_channels=64, num_classes=4),
            )
        )
        with pytest.raises(UserError, match=r'gives 48 features .* model\.head\.in_channels=48'):
            model(images(8, dtype=torch.float32))


class TestInitialisation:
    """Trunk and every expert begin as their backbone would."""

    def test_weights_of_a_file_reach_all(self, tmp_path):
        plain = dict(type='mmpretrain.ResNet', depth=18, **SMALL)
        donor = shaken(MODELS.build(plain))
        torch.save(donor.state_dict(), tmp_path / 'weights.pth')
        init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
        model = MODELS.build(
            dict(type='MultiExpertBackbone', backbone={**plain, 'init_cfg': init_cfg}, num_experts=2, shared_stages=2)
        )
        model.init_weights()
        model.eval()
        donor.eval()
        expected = pool_features(donor(images(dtype=torch.float32)))
        features = model(images(dtype=torch.float32))
        for expert in features.unbind(1):
            torch.testing.assert_close(expert, expected)

    def test_the_configured_initialisation_reaches_all(self):
        init_cfg = dict(type='Constant', val=0.25, layer='Conv2d')
        cfg = dict(type='mmpretrain.ResNet', depth=18, zero_init_residual=False, init_cfg=init_cfg, **SMALL)
        model = MODELS.build(dict(type='MultiExpertBackbone', backbone=cfg, num_experts=3, expert_width=0.5))
        model.init_weights()
        weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
        assert len(weights) == 5 + 3 * 15 and all(bool((weight == 0.25).all()) for weight in weights)


def pair(shared: int, width: float = 1.0, experts: int = 3) -> tuple[nn.Module, nn.Module]:
    """Two equal backbones, one of which runs its experts together."""
    cfg = dict(type='ResNetCIFAR', depth=8)
    model = MODELS.build(
        dict(type='MultiExpertBackbone', backbone=cfg, num_experts=experts, shared_stages=shared, expert_width=width)
    )
    shaken(model)
    other = copy.deepcopy(model)
    assert not other.experts.together
    model.experts.together = True
    return model, other


class TestTogether:
    """One grouped network against the experts one by one."""

    @pytest.mark.parametrize('shared', [0, 1, 2])
    @pytest.mark.parametrize('width', [1.0, 0.75])
    def test_outputs_gradients_and_statistics_are_equal(self, shared, width):
        model, other = (one.double() for one in pair(shared, width))
        for _ in range(2):
            weight = torch.randn(4, 3, model.out_channels, dtype=torch.float64)
            features = [one(images(8, 4)) for one in (model, other)]
            torch.testing.assert_close(*features, rtol=1e-9, atol=1e-12)
            for value in features:
                (value * weight).sum().backward()
        for (name, a), (_, b) in zip(model.named_parameters(), other.named_parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-8, atol=1e-10, msg=name)
        for (name, a), (_, b) in zip(model.state_dict().items(), other.state_dict().items(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12, msg=name)
        assert model.experts[2][-1][0].bn2.num_batches_tracked == 2
        model.eval(), other.eval()
        torch.testing.assert_close(model(images(8, 4)), other(images(8, 4)), rtol=1e-9, atol=1e-12)

    def test_bf16_is_close(self):
        model, other = pair(1)
        with torch.autocast('cpu', torch.bfloat16):
            features = [one(images(8, 4, torch.float32)).float() for one in (model, other)]
        exact = other.float()(images(8, 4, torch.float32))
        assert (features[0] - features[1]).abs().max() < 0.05 * exact.abs().max()
        assert (features[0] - exact).abs().max() < 0.05 * exact.abs().max()

    def test_an_expert_hears_nothing_of_the_others(self):
        model, _ = pair(1)
        features = model(images(8, 4, torch.float32))
        features[:, 1].sum().backward()
        for place, expert in enumerate(model.experts):
            assert all(bool(p.grad.any()) == (place == 1) for p in expert.parameters() if p.grad is not None)
        assert any(bool(p.grad.any()) for p in model.trunk.parameters())


def test_mmpretrain_is_imported_for_its_own_backbones_only():
    code = (
        'import sys; from mmlt.registry import MODELS; from mmlt.models.backbones.segments import segments_of\n'
        "MODELS.build(dict(type='MultiExpertBackbone', backbone=dict(type='ResNetCIFAR', depth=8), expert_width=0.5))\n"
        "print({'mmpretrain', 'timm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == 'set()'


def test_the_segments_of_mmpretrain_can_be_imported_alone():
    code = 'import mmlt.models.backbones.segments_mmpretrain'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
