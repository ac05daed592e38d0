"""Second stages: what is taken over, what stays, what learns."""

import pytest
import torch
from torch import nn

from mmlt.errors import UserError
from mmlt.registry import MODELS

COUNTS = [40, 12, 3]


def build(kind: str = 'LongTailedClassifier', seed: int = 0, channels: int = 64, **settings: object) -> nn.Module:
    torch.manual_seed(seed)
    model = MODELS.build(
        dict(
            type=kind,
            backbone=settings.pop('backbone', dict(type='ResNetCIFAR', depth=8)),
            head=settings.pop('head', dict(type='LinearHead', in_channels=channels, num_classes=3)),
            **settings,
        )
    )
    model.set_class_counts(COUNTS)
    return model


@pytest.fixture
def first() -> nn.Module:
    """A first stage whose batch statistics are not the initial ones."""
    model = build(seed=1)
    with torch.no_grad():
        for _ in range(20):
            model.train().backbone(torch.randn(8, 3, 16, 16) * 2 + 1)
    return model.eval()


def steps(model: nn.Module, count: int = 3) -> nn.Module:
    """A few steps as the runner does them."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)
    generator = torch.Generator().manual_seed(2)
    for _ in range(count):
        model.train()
        images = torch.randn(8, 3, 16, 16, generator=generator)
        loss = model(images, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]), mode='loss')['loss_cls']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether every weight and buffer agrees to the bit."""
    others = other.state_dict()
    return all(torch.equal(value, others[name]) for name, value in one.state_dict().items())


def test_crt_trains_a_new_head_on_the_unchanged_backbone(first):
    model = build('FrozenBackboneClassifier')
    fresh = model.head.weight.clone()
    model.attach('backbone', [first])
    assert same(model.backbone, first.backbone) and torch.equal(model.head.weight, fresh)
    steps(model)
    assert same(model.backbone, first.backbone), 'batch statistics and weight decay included'
    assert not torch.equal(model.head.weight, fresh)
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(model.outputs(images).features, first.outputs(images).features)


def test_the_first_stage_is_copied_not_shared(first):
    model = build('FrozenBackboneClassifier', reuse_head=True)
    model.attach('backbone', [first])
    before = first.head.weight.clone()
    assert torch.equal(model.head.weight, before)
    steps(model)
    assert torch.equal(first.head.weight, before) and not torch.equal(model.head.weight, before)


def test_lws_learns_one_factor_a_class_and_nothing_else(first):
    model = build('LWSClassifier')
    model.attach('backbone', [first])
    images = torch.randn(4, 3, 16, 16)
    logits = first.outputs(images).logits
    torch.testing.assert_close(model.eval().outputs(images).logits, logits)
    assert [name for name, part in model.named_parameters() if part.requires_grad] == ['scale']
    steps(model)
    assert same(model.backbone, first.backbone) and same(model.head, first.head)
    assert len(model.scale.unique()) == 3
    torch.testing.assert_close(model.outputs(images).logits, logits * model.scale)


def test_mislas_learns_head_and_factors_and_shifts_the_batch_statistics(first):
    model = build('LWSClassifier', freeze_head=False, shift_bn=True, loss=dict(type='LabelAwareSmoothingLoss'))
    model.attach('backbone', [first])
    steps(model)
    moved = {name for name, value in model.backbone.state_dict().items()
             if not torch.equal(value, first.backbone.state_dict()[name])}  # fmt: skip
    assert moved and all('running' in name or 'num_batches' in name for name in moved)
    assert not torch.equal(model.head.weight, first.head.weight) and len(model.scale.unique()) == 3
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    model.eval().outputs(torch.randn(8, 3, 16, 16))
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.state_dict().items())


def test_the_checkpoint_stands_on_its_own(first):
    model = build('LWSClassifier')
    model.attach('backbone', [first])
    steps(model)
    rebuilt = build('LWSClassifier', seed=9)
    rebuilt.load_state_dict(model.state_dict())
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(rebuilt.eval().outputs(images).logits, model.outputs(images).logits)


def test_another_backbone_is_refused(first):
    with pytest.raises(UserError, match='backbone'):
        build('FrozenBackboneClassifier', backbone=dict(type='ResNetCIFAR', depth=14)).attach('backbone', [first])


def test_another_head_is_refused_where_it_is_reused(first):
    cosine = dict(type='CosineHead', in_channels=64, num_classes=3)
    build('FrozenBackboneClassifier', head=cosine).attach('backbone', [first])
    with pytest.raises(UserError, match='head'):
        build('LWSClassifier', head=cosine).attach('backbone', [first])
