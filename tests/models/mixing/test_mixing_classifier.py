"""The losses of the two labels are mixed image by image."""

import pytest
import torch
from torch import nn

from mmlt.engine.loader import PARTNER_KEY
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.mixing import Mixed
from mmlt.registry import MODELS

COUNTS = [50, 20, 4]
LOSSES = [
    dict(type='CrossEntropyLoss'),
    dict(type='FocalLoss', gamma=1.5),
    dict(type='BalancedSoftmaxLoss'),
    dict(type='LogitAdjustedLoss', tau=1.5),
    dict(type='LDAMLoss'),
    dict(type='LabelAwareSmoothingLoss'),
    dict(type='VSLoss', gamma=0.2, tau=1.0),
    dict(type='CDTLoss', gamma=0.3),
    dict(type='SEQLLoss', gamma=0.0),
]


def build(loss: dict | None = None, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='MixingClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', in_channels=64, num_classes=3),
            loss=loss or dict(type='CrossEntropyLoss'),
            mixing=settings.pop('mixing', dict(type='Mixup')),
            data_preprocessor=dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3),
            **settings,
        )
    )
    model.set_class_counts(COUNTS)
    return model


def example() -> tuple[torch.Tensor, Mixed]:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    target, partner = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([2, 2, 0, 0, 1, 1])
    return logits, Mixed(logits, target, partner, torch.tensor([0.0, 0.2, 0.5, 0.7, 0.9, 1.0]))


@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: loss['type'])
def test_the_mixed_loss_is_the_mean_of_each_image_mixed_by_itself(loss):
    model = build(loss)
    logits, mixed = example()
    counts = torch.tensor(COUNTS)
    model.begin_step(torch.arange(12))
    draw = dict(draw=Draw(0, torch.arange(1))) if loss['type'] == 'SEQLLoss' else {}

    def of_one(row: int, label: torch.Tensor) -> float:
        return model.loss(logits[row : row + 1], label[row : row + 1], counts, **draw).item()

    weight = mixed.weight.tolist()
    wanted = sum(
        weight[row] * of_one(row, mixed.target) + (1 - weight[row]) * of_one(row, mixed.partner_target)
        for row in range(6)
    )
    assert model.mixed_loss(logits, mixed).item() == pytest.approx(wanted / 6, rel=1e-6)


def test_class_weights_count_each_label_by_its_class():
    model = build(reweighting=dict(beta=0.9))
    model.set_epoch(0)
    logits, mixed = example()
    class_weights = model.reweighting.weights.double()
    total = scale = 0.0
    for row in range(6):
        log_probability = torch.log_softmax(logits[row], 0)
        for label, share in ((mixed.target[row], mixed.weight[row]), (mixed.partner_target[row], 1 - mixed.weight[row])):
            total -= share * class_weights[label] * log_probability[label]
            scale += share * class_weights[label]
    assert model.mixed_loss(logits, mixed).item() == pytest.approx((total / scale).item(), rel=1e-6)


def test_a_batch_without_mixing_has_the_plain_loss_and_gradient():
    model = build(mixing=dict(type='Mixup', first_epoch=1))
    images, labels = torch.randn(8, 3, 16, 16), torch.tensor([0, 1, 2, 0] * 2)
    keys = torch.arange(4)
    keys = torch.cat([keys, keys + PARTNER_KEY])
    model.set_epoch(0)
    mixed = model(images, labels, keys=keys, mode='loss')['loss_cls']
    logits = model.outputs(images[:4]).logits
    plain = nn.functional.cross_entropy(logits, labels[:4])
    assert mixed.item() == pytest.approx(plain.item(), rel=1e-5)
    (one,), (other,) = (torch.autograd.grad(loss, [model.head.weight]) for loss in (mixed, plain))
    torch.testing.assert_close(one, other)


def test_predictions_do_not_mix():
    model = build().eval()
    images = torch.randn(3, 3, 16, 16)
    (record,) = model(images, torch.tensor([0, 1, 2]), torch.arange(3), torch.arange(3), mode='predict')
    torch.testing.assert_close(record['logits'], model.outputs(images).logits)


def test_a_batch_without_partners_is_refused_with_the_setting_to_make():
    with pytest.raises(UserError, match='partner_sampler'):
        build()(torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0]), keys=torch.arange(4), mode='loss')


@MODELS.register_module()
class _LossWithoutSampleWeights(nn.Module):
    def forward(self, logits, target, class_counts, class_weights=None):
        return logits.sum()


def test_a_loss_that_takes_no_sample_weights_is_refused_by_name():
    with pytest.raises(UserError, match='_LossWithoutSampleWeights.*sample_weights'):
        build(dict(type='_LossWithoutSampleWeights'))
