"""Losses of several labels against slow references on lists of floats, written from the papers' formulas."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from mmlt.batch import Batch
from mmlt.errors import UserError
from mmlt.models import losses as L
from mmlt.registry import MODELS

D = torch.float64
COUNTS, IMAGES = [40, 12, 5, 2, 1], 50


def case(seed=0, size=7):
    g = torch.Generator().manual_seed(seed)
    logits = 2.5 * torch.randn(size, 5, generator=g, dtype=D)
    target = (torch.rand(size, 5, generator=g) < 0.4).to(D)
    target[0] = 0  # an image that shows nothing
    target[1] = 1
    return logits, target


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def slow(logits, target, element):
    """Sum over the classes, mean over the images, of `element(z, y, class, image's labels)`."""
    rows = [
        math.fsum(element(z, y, c, ys) for c, (z, y) in enumerate(zip(zs, ys, strict=True)))
        for zs, ys in zip(logits.tolist(), target.tolist(), strict=True)
    ]
    return math.fsum(rows) / len(rows)


def bce(z, y, c, ys):
    return -math.log(sigmoid(z) if y else 1 - sigmoid(z))


def focal(gamma):
    def element(z, y, c, ys):
        p = sigmoid(z) if y else 1 - sigmoid(z)
        return -((1 - p) ** gamma) * math.log(p)

    return element


def asymmetric(positive, negative, margin):
    def element(z, y, c, ys):
        p = sigmoid(z)
        if y:
            return -((1 - p) ** positive) * math.log(p)
        q = max(p - margin, 0.0)
        return -(q**negative) * math.log(1 - q)

    return element


def balanced(alpha, beta, mu, scale, kappa, gamma, factor):
    def element(z, y, c, ys):
        repeated = math.fsum(1 / n for n, own in zip(COUNTS, ys, strict=True) if own)
        r = (1 / COUNTS[c]) / repeated if repeated else math.inf
        weight = alpha + (sigmoid(beta * (r - mu)) if repeated else 1.0)
        nu = kappa / scale * math.log(IMAGES / COUNTS[c] - 1)
        if y:
            p = sigmoid(z - nu)
            return -factor * weight * (1 - p) ** gamma * math.log(p)
        p = sigmoid(-scale * (z - nu))
        return -factor * weight / scale * (1 - p) ** gamma * math.log(p)

    return element


SETTINGS = dict(alpha=0.1, beta=10.0, mu=0.2, negative_scale=2.0, kappa=0.05, gamma=2.0, factor=2.0)
OTHER = dict(alpha=0.3, beta=4.0, mu=0.5, negative_scale=5.0, kappa=0.4, gamma=0.0, factor=1.0)
CASES = {
    'bce': (lambda z, y, w=None: L.binary_cross_entropy_loss(z, y, w), bce),
    'focal 2': (lambda z, y, w=None: L.binary_focal_loss(z, y, 2.0, w), focal(2.0)),
    'focal 0.5': (lambda z, y, w=None: L.binary_focal_loss(z, y, 0.5, w), focal(0.5)),
    'ASL': (lambda z, y, w=None: L.asymmetric_loss(z, y, 1.0, 4.0, 0.05, w), asymmetric(1.0, 4.0, 0.05)),
    'ASL without margin': (lambda z, y, w=None: L.asymmetric_loss(z, y, 0.0, 2.0, 0.0, w), asymmetric(0.0, 2.0, 0.0)),
    'DB': (
        lambda z, y, w=None: L.distribution_balanced_loss(z, y, torch.tensor(COUNTS), IMAGES, **SETTINGS, class_weights=w),
        balanced(*SETTINGS.values()),
    ),
    'DB without focus': (
        lambda z, y, w=None: L.distribution_balanced_loss(z, y, torch.tensor(COUNTS), IMAGES, **OTHER, class_weights=w),
        balanced(*OTHER.values()),
    ),
}


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('seed', range(3))
def test_it_agrees_with_the_slow_reference(name, seed):
    fast, element = CASES[name]
    logits, target = case(seed)
    loss = fast(logits, target)
    assert loss.dtype == D and loss.item() == pytest.approx(slow(logits, target, element), rel=1e-10)
    weights = [2.0, 1.0, 0.5, 3.0, 0.0]
    weighted = slow(logits, target, lambda z, y, c, ys: weights[c] * element(z, y, c, ys))
    assert fast(logits, target, torch.tensor(weights)).item() == pytest.approx(weighted, rel=1e-10)


@pytest.mark.parametrize('name', CASES)
def test_gradients_are_right_and_extreme_logits_stay_finite(name):
    fast, _ = CASES[name]
    logits, target = case(5, size=3)
    assert gradcheck(lambda z: fast(z, target), (logits.requires_grad_(),))
    extreme = torch.tensor([[80.0, -80.0, 300.0, -300.0, 0.0]]).requires_grad_()
    for labels in (torch.zeros(1, 5), torch.ones(1, 5), torch.tensor([[1.0, 0, 0, 1, 1]])):
        loss = fast(extreme, labels)
        (gradient,) = torch.autograd.grad(loss, extreme)
        assert loss.isfinite() and gradient.isfinite().all(), labels
    half = fast(logits.detach().bfloat16(), target)
    assert half.dtype == torch.float32


def test_without_focus_and_margin_they_are_binary_cross_entropy():
    logits, target = case(1)
    shown = target.any(dim=1)  # an image without labels has the largest weight in any case
    logits, target = logits[shown], target[shown]
    plain = L.binary_cross_entropy_loss(logits, target).item()
    neutral = dict(alpha=0.5, beta=0.0, mu=0.0, negative_scale=1.0, kappa=0.0, gamma=0.0)  # 0.5 + sigmoid(0)
    for loss in (
        L.binary_focal_loss(logits, target, 0.0),
        L.asymmetric_loss(logits, target, 0.0, 0.0, 0.0),
        L.distribution_balanced_loss(logits, target, torch.tensor(COUNTS), IMAGES, **neutral),
        L.balanced_sigmoid_loss(logits, target, [0.5] * 5),
    ):
        assert loss.item() == pytest.approx(plain, rel=1e-12)


def test_balanced_sigmoid_trains_as_binary_cross_entropy_whose_biases_start_at_the_log_odds():
    """So it orders the images of a class as that does, and moves where a decision falls."""
    features, target = torch.randn(7, 3, dtype=D, generator=torch.Generator().manual_seed(5)), case()[1]
    frequency = torch.tensor(COUNTS, dtype=D) / IMAGES
    log_odds = torch.tensor([math.log(n / (IMAGES - n)) for n in COUNTS], dtype=D)
    shifted, plain = (torch.nn.Linear(3, 5, dtype=D) for _ in range(2))
    start = shifted.weight.detach().clone()
    with torch.no_grad():
        plain.weight.copy_(start)
        plain.bias.copy_(shifted.bias + log_odds)
    losses = [lambda z: L.balanced_sigmoid_loss(z, target, frequency), lambda z: L.binary_cross_entropy_loss(z, target)]
    for layer, loss in zip((shifted, plain), losses, strict=True):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.5, momentum=0.9)
        for _ in range(20):
            optimizer.zero_grad()
            loss(layer(features)).backward()
            optimizer.step()
    torch.testing.assert_close(plain(features), shifted(features) + log_odds)
    assert (plain.weight - start).abs().max() > 0.1  # it has learned


@pytest.mark.parametrize('temperature', [1.0, 2.0, 5.0])
def test_binary_distillation_agrees_with_the_slow_reference(temperature):
    student, _ = case(2)
    teacher, _ = case(3)
    expected = []
    for zs, zt in zip(student.tolist(), teacher.tolist(), strict=True):
        total = 0.0
        for a, b in zip(zs, zt, strict=True):
            q, p = sigmoid(a / temperature), sigmoid(b / temperature)
            total += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
        expected.append(temperature**2 * total)
    loss = L.binary_distillation_loss(student, teacher, temperature)
    assert loss.tolist() == pytest.approx(expected, rel=1e-9)
    assert L.binary_distillation_loss(teacher, teacher, temperature).abs().max() < 1e-12
    L.binary_distillation_loss(student.requires_grad_(), teacher.requires_grad_(), temperature).sum().backward()
    assert teacher.grad is None and student.grad.isfinite().all()
    sure = torch.tensor([[900.0, -900.0]])
    assert L.binary_distillation_loss(torch.zeros(1, 2), sure, temperature).isfinite().all()
    with pytest.raises(ValueError, match='temperature must be more than 0'):
        L.binary_distillation_loss(student, teacher, 0.0)


def model(loss, **settings):
    built = MODELS.build(
        dict(
            type='LongTailedClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', num_classes=5),
            loss=dict(type=loss),
            data_preprocessor=dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3),
            **settings,
        )
    )
    built.set_class_counts(COUNTS)
    return built


def batch(targets):
    return Batch(torch.randn(4, 3, 8, 8), targets, torch.arange(4), torch.arange(4))


def test_the_number_of_images_comes_with_the_data():
    built = model('BalancedSigmoidLoss').eval()
    many = batch(case()[1][:4].float())
    with pytest.raises(ValueError, match='no data set told it'):
        built(*many, mode='loss')
    built.set_num_images(IMAGES)
    loss = built(*many, mode='loss')['loss_cls']
    frequency = torch.tensor(COUNTS) / IMAGES
    expected = L.balanced_sigmoid_loss(built(many.images), many.targets, frequency)
    torch.testing.assert_close(loss, expected)
    assert not any('num_images' in name for name in built.state_dict())


def test_one_label_and_several_are_told_apart_in_one_sentence():
    one, many = batch(torch.tensor([0, 1, 2, 3])), batch(case()[1][:4].float())
    with pytest.raises(UserError, match='Classification takes many label'):
        model('BinaryCrossEntropyLoss')(*one, mode='loss')
    with pytest.raises(UserError, match='Classification takes one label'):
        model('CrossEntropyLoss')(*many, mode='loss')
    with pytest.raises(UserError, match='cannot be mixed'):
        model('AsymmetricLoss', mixing=dict(type='Mixup'))


def test_deferred_weights_reach_the_loss_of_several_labels():
    built = model('BinaryCrossEntropyLoss', reweighting=dict(beta=0.9, start_epoch=1)).eval()
    built.set_num_images(IMAGES)
    many = batch(case()[1][:4].float())
    built.set_epoch(0)
    plain = built(*many, mode='loss')['loss_cls']
    built.set_epoch(1)
    weighted = built(*many, mode='loss')['loss_cls']
    logits = built(many.images)
    torch.testing.assert_close(plain, L.binary_cross_entropy_loss(logits, many.targets))
    torch.testing.assert_close(weighted, L.binary_cross_entropy_loss(logits, many.targets, built.reweighting.weights))
    assert not torch.allclose(plain, weighted)
