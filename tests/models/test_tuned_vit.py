"""Tuned transformers: how much learns, that the trunk stays to the byte, that what is added begins as nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from mmlt.errors import UserError
from mmlt.models.backbones.tuned_vit import Adapter, bottleneck_rule
from mmlt.registry import MODELS

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
C, LAYERS = 64, 6  # of timm's test_vit


def build(tunings: list[str], **more: object) -> nn.Module:
    torch.manual_seed(0)
    settings = dict(type='TunedViT', model_name='test_vit', img_size=32, tunings=tunings, num_classes=1000)
    return MODELS.build({**settings, **more})


def classifier(tunings: list[str], **more: object) -> nn.Module:
    torch.manual_seed(0)
    backbone = dict(type='TunedViT', model_name='test_vit', img_size=32, tunings=tunings, bottleneck=4)
    head = dict(type='CosineHead', num_classes=4, scale=25.0)
    settings = dict(type='CropEnsembleClassifier', crop_size=32, backbone=backbone, head=head)
    return MODELS.build({**settings, 'loss': dict(type='LogitAdjustedLoss', tau=1.0), **more})


def learning(module: nn.Module) -> dict[str, int]:
    return {name: weight.numel() for name, weight in module.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize(('classes', 'width'), [(2, 1), (100, 4), (365, 8), (1000, 32), (8142, 256)])
def test_the_rule_is_the_authors(classes, width):
    assert bottleneck_rule(classes, 12) == width


@pytest.mark.parametrize('bottleneck', [None, 3])
def test_adapters_have_as_many_weights_as_the_rule_says(bottleneck):
    module = build(['adapter'], bottleneck=bottleneck)
    width = bottleneck or 2 ** int(np.floor(np.log2(1000 / (2 * LAYERS))))
    assert module.bottleneck == width and len(module.model.blocks) == LAYERS
    own = 2 * C + (C * width + width) + (width * C + C) + 1  # layer norm, down, up, scale
    assert sum(learning(module).values()) == LAYERS * own


@pytest.mark.parametrize(('name', 'classes', 'width', 'epochs'), [
    ('imagenetlt', 1000, 32, 10), ('placeslt', 365, 8, 10), ('inat18', 8142, 256, 20)])  # fmt: skip
def test_the_large_recipes_train_what_the_authors_do(name, classes, width, epochs):
    from mmlt.config.find import find_config
    from mmlt.config.load import load_config

    cfg = load_config(find_config(f'foundation/clip_vit_base_{name}.py'))
    assert cfg.num_classes == cfg.train_dataloader.dataset.num_classes == classes
    with torch.device('meta'):
        vit = MODELS.build({**cfg.model.backbone, 'num_classes': classes, 'img_size': 224})
        head = MODELS.build({**cfg.model.head, 'num_classes': classes, 'in_channels': vit.out_channels})
    assert vit.bottleneck == width and vit.out_channels == 768 and len(vit.model.blocks) == 12 and head.scale == 25
    assert sum(learning(vit).values()) == 12 * (2 * 768 * width + width + 3 * 768 + 1)
    assert sum(learning(head).values()) == classes * 768
    assert type(vit.model.blocks[0].block.mlp.act).__name__ == 'QuickGELU', 'as CLIP was trained'
    sgd = cfg.optim_wrapper.optimizer
    assert (sgd.lr, sgd.momentum, sgd.weight_decay, cfg.train_dataloader.batch_size) == (0.01, 0.9, 5e-4, 128)
    assert cfg.train_cfg.max_epochs == epochs and cfg.model.loss == dict(type='LogitAdjustedLoss', tau=1.0)
    assert [one['type'] for one in cfg.data_preprocessor.train_transforms] == ['RandomFlip']
    tested, watched = cfg.test_dataloader.dataset, cfg.val_dataloader.dataset
    assert tested == watched and tested.image_size == 248


def test_lora_has_as_many_weights_as_its_rank_says():
    pytest.importorskip('peft')
    module = build(['lora'], bottleneck=3)
    assert sum(learning(module).values()) == LAYERS * 3 * (C + 3 * C)
    assert all('lora_' in name for name in learning(module))


@pytest.mark.parametrize(('tuning', 'names'), [('bias', ('bias',)), ('layer_norm', ('norm',))])
def test_biases_and_layer_norms_are_the_trunk_s_own(tuning, names):
    import timm

    plain = timm.create_model('test_vit', num_classes=0, img_size=32)
    if tuning == 'bias':
        wanted = {name for name, _ in plain.named_parameters() if name.endswith('.bias')}
    else:
        norms = [name for name, part in plain.named_modules() if isinstance(part, nn.LayerNorm)]
        wanted = {f'{name}.{part}' for name in norms for part in ('weight', 'bias')}
    assert {name.removeprefix('model.') for name in learning(build([tuning]))} == wanted and len(wanted) > LAYERS


@pytest.mark.parametrize('tunings', [[], ['adapter'], ['lora'], ['adapter', 'lora', 'bias', 'layer_norm']])
def test_what_is_added_begins_as_nothing_around_any_weights(tunings):
    import timm

    if 'lora' in tunings:
        pytest.importorskip('peft')
    torch.manual_seed(5)
    plain = timm.create_model('test_vit', num_classes=0, img_size=32).eval()
    module = build(tunings).eval()
    module.take_weights(plain.state_dict())
    trunk = module.trunk()
    assert trunk.keys() == plain.state_dict().keys()
    assert all(torch.equal(trunk[name], value) for name, value in plain.state_dict().items())
    torch.testing.assert_close(module(IMAGES)[0], plain(IMAGES))


def test_an_adapter_stands_beside_the_mlp():
    block = build(['adapter']).double().model.blocks[2]
    with torch.no_grad():
        for weight in block.adapter.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    tokens, inner, own = torch.randn(2, 5, C, dtype=torch.float64), block.block, block.adapter
    middle = tokens + inner.attn(inner.norm1(tokens))
    normed = (middle - middle.mean(-1, keepdim=True)) / (middle.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    hidden = (normed * own.norm.weight + own.norm.bias) @ own.down.weight.T + own.down.bias
    added = own.scale * (hidden.clamp_min(0) @ own.up.weight.T + own.up.bias)
    torch.testing.assert_close(block(tokens), middle + inner.mlp(inner.norm2(middle)) + added)


@pytest.mark.parametrize('tunings', [['adapter'], ['lora'], ['adapter', 'layer_norm']])
def test_training_leaves_the_trunk_as_it_is_to_the_byte(tunings):
    if 'lora' in tunings:
        pytest.importorskip('peft')
    model = classifier(tunings)
    model.set_class_counts([40, 20, 10, 5])
    before = {name: value.clone() for name, value in model.backbone.trunk().items()}
    may = {name for name in learning(model)}
    old = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        model.train()
        loss = model(IMAGES, torch.tensor([0, 1, 2, 3]), mode='loss')['loss_cls']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    own = model.backbone.trunk()
    tuned = {name for name in before if 'layer_norm' in tunings and 'norm' in name}
    assert all(torch.equal(own[name], value) for name, value in before.items() if name not in tuned)
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, old[name])}
    assert moved == may, 'all that may learn does'


def test_five_crops_are_torchvision_s_and_their_mean_is_the_prediction():
    from torchvision.transforms import FiveCrop

    model = classifier(['adapter']).eval()
    large = torch.rand(2, 3, 41, 38)
    crops = model.crops(large)
    expected = FiveCrop(32)(large)
    assert len(crops) == 5 and all(torch.equal(a, b) for a, b in zip(crops[:4], expected[:4], strict=True))
    assert torch.equal(crops[4], large[:, :, 4:36, 3:35])
    with torch.no_grad():
        one_by_one = torch.stack([model.prediction(crop)['logits'] for crop in crops]).mean(0)
        torch.testing.assert_close(model.prediction(large)['logits'], one_by_one)
    assert len(model.crops(IMAGES)) == 1
    with pytest.raises(UserError, match='hold no crop of 32'):
        model.crops(large[:, :, :20])
    assert len(model.crops(torch.rand(1, 3, 64, 64))) == 5
    with pytest.raises(UserError, match='leave parts of an image of 41x65 pixels unseen: .* at most 64, or to 32 for one'):
        model.crops(torch.rand(1, 3, 41, 65))


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(tunings=['prompt']), 'not .prompt.'),
        (dict(model_name='test_resnet', img_size=None), 'plain ViT'),
        (dict(num_classes=None), 'needs num_classes, or a bottleneck'),
    ],
)
def test_wrong_settings_say_so(settings, words):
    with pytest.raises(UserError, match=words):
        build(**{'tunings': ['adapter'], **settings})


def test_an_adapter_gives_zeros_at_first():
    assert not Adapter(8, 2)(torch.randn(3, 4, 8)).any()
