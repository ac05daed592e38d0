"""The losses of the two labels are mixed image by image."""

import pytest
import torch
from torch import nn

from mmlt.batch import Batch
from mmlt.draw import Draw
from mmlt.engine.loader import PARTNER_KEY
from mmlt.errors import UserError
from mmlt.models.losses import Loss
from mmlt.models.mixing import Mixed
from mmlt.models.step import Outputs, Prior, Step, mean_of_experts
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
each_loss = pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: loss['type'])


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
    return logits, Mixed(logits, target, partner, torch.tensor([0.0, 0.2, 0.5, 0.7, 0.9, 1.0]).double())


def label_loss(loss: dict, weights: torch.Tensor | None = None, share: torch.Tensor | None = None) -> torch.Tensor:
    """What a step makes of `example`; `share` in place of its own."""
    logits, mixed = example()
    mixed = mixed if share is None else mixed._replace(weight=share)
    keys = torch.arange(6)
    partners = Batch(logits, mixed.partner_target, None, keys + PARTNER_KEY)
    step = Step(
        Batch(logits, mixed.target, None, keys, partners),
        [logits],
        lambda images: Outputs(images, images),
        mean_of_experts,
        Prior(torch.tensor(COUNTS), weights),
        mixed=mixed,
        draw=Draw(0, keys),
    )
    return step.label_loss(MODELS.build(loss), step.outputs().logits)


def of_one(loss: dict, row: int, label: int, weights: torch.Tensor | None = None) -> float:
    """The loss of one image with one label."""
    draw = dict(draw=Draw(0, torch.arange(1))) if loss['type'] == 'SEQLLoss' else {}
    logits = example()[0][row : row + 1]
    return MODELS.build(loss)(logits, torch.tensor([label]), torch.tensor(COUNTS), weights, **draw).item()


@each_loss
def test_the_mixed_loss_is_the_mean_of_each_image_mixed_by_itself(loss):
    _, mixed = example()
    wanted = sum(
        share * of_one(loss, row, one) + (1 - share) * of_one(loss, row, other)
        for row, (one, other, share) in enumerate(zip(*(part.tolist() for part in mixed[1:]), strict=True))
    )
    assert label_loss(loss).item() == pytest.approx(wanted / 6, rel=1e-12)


@each_loss
def test_class_weights_divide_each_label_by_the_weights_of_its_own_kind(loss):
    """`lam * criterion(logits, y) + (1 - lam) * criterion(logits, y')`, lam in the mean, as the authors have it."""
    weights = torch.tensor([0.2, 0.7, 2.1], dtype=torch.float64)
    _, mixed = example()
    expected = 0.0
    for labels, shares in ((mixed.target, mixed.weight), (mixed.partner_target, 1 - mixed.weight)):
        total = divisor = 0.0
        for row, (label, share) in enumerate(zip(labels.tolist(), shares.tolist(), strict=True)):
            total += share * weights[label].item() * of_one(loss, row, label)
            divisor += 1.0 if loss['type'] == 'FocalLoss' else weights[label].item()  # focal loss: a plain mean
        expected += total / divisor
    assert label_loss(loss, weights).item() == pytest.approx(expected, rel=1e-12)


@each_loss
def test_one_share_for_the_whole_batch_is_the_authors_line(loss):
    logits, mixed = example()
    weights, criterion = torch.tensor([0.2, 0.7, 2.1], dtype=torch.float64), MODELS.build(loss)
    draw = dict(draw=Draw(0, torch.arange(6))) if loss['type'] == 'SEQLLoss' else {}
    first, second = (
        criterion(logits, labels, torch.tensor(COUNTS), weights, **draw) for labels in (mixed.target, mixed.partner_target)
    )
    found = label_loss(loss, weights, torch.full((6,), 0.3, dtype=torch.float64))
    torch.testing.assert_close(found, 0.3 * first + 0.7 * second, rtol=1e-12, atol=0)


@each_loss
@pytest.mark.parametrize('scale', [1.0, 3.0])
def test_equal_class_weights_are_none(loss, scale):
    found = label_loss(loss, torch.full((3,), scale, dtype=torch.float64))
    plain = label_loss(loss) * (scale if loss['type'] == 'FocalLoss' else 1)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=0)


def test_a_classifier_hands_its_class_weights_on():
    model = build(reweighting=dict(beta=0.9))
    batch = Batch(torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0]), None, torch.arange(4))
    batch = batch._replace(partners=batch._replace(images=batch.images.flip(0), targets=batch.targets.flip(0)))
    model.set_epoch(0)
    step = model.eval().step(batch)
    logits, weights = model.outputs(step.images[0]).logits, model.reweighting.weights
    wanted = 0.0
    for labels, shares in ((batch.targets, step.mixed.weight), (batch.partners.targets, 1 - step.mixed.weight)):
        losses = -logits.log_softmax(1)[torch.arange(4), labels]
        wanted += (shares * weights[labels] * losses).sum() / weights[labels].sum()
    torch.testing.assert_close(model.losses(step)['loss_cls'], wanted)
    assert len(step.mixed.weight.unique()) == 4


def test_a_batch_without_mixing_has_the_plain_loss_and_gradient():
    model = build(mixing=dict(type='Mixup', first_epoch=1))
    images, labels = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    batch = Batch(images, labels, None, torch.arange(4))
    batch = batch._replace(partners=Batch(torch.randn(4, 3, 16, 16), labels.flip(0), None, None))
    model.set_epoch(0)
    mixed = model(*batch, mode='loss')['loss_cls']
    logits = model.outputs(images).logits
    plain = nn.functional.cross_entropy(logits, labels)
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
class _PlainModule(nn.Module):
    def forward(self, logits, target, class_counts, class_weights=None):
        return logits.sum()


@MODELS.register_module()
class _LossWithoutSampleWeights(Loss):
    weighs_samples = False

    def compute(self, logits, target, class_counts, class_weights=None):
        return logits.sum()


@pytest.mark.parametrize('name', ['_PlainModule', '_LossWithoutSampleWeights'])
def test_a_loss_that_takes_no_sample_weights_is_refused_by_name(name):
    with pytest.raises(UserError, match=f'{name} must.* sample_weights.*; leave out model.mixing'):
        build(dict(type=name))
