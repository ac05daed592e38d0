"""mmpretrain's losses as losses of labels, held against their formulas in float64."""

import numpy as np
import pytest
import torch

from mmlt.errors import UserError
from mmlt.models.losses.base import MMPretrainLoss, as_loss
from mmlt.registry import MODELS

B, K = 7, 5
COUNTS = torch.tensor([90, 40, 20, 10, 5])


@pytest.fixture
def batch():
    """Logits (B, K) in float64, labels, class weights and sample weights."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(B, K, generator=generator, dtype=torch.float64)
    class_weights, shares = torch.rand(K, generator=generator) + 0.5, torch.rand(B, generator=generator)
    return logits, torch.tensor([0, 1, 2, 3, 4, 4, 0]), class_weights, shares


def rows_of(name: str, logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The loss of each row by its formula, (B,)."""
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    if name == 'CrossEntropyLoss':
        return -log_p[np.arange(B), target]
    if name == 'LabelSmoothLoss':
        soft = np.full((B, K), 0.1 / K)
        soft[np.arange(B), target] += 0.9
        return -(soft * log_p).sum(1)
    p, y = 1 / (1 + np.exp(-logits)), np.eye(K)[target]  # FocalLoss: sigmoid, gamma 2, alpha 0.25
    pt = (1 - p) * y + p * (1 - y)
    bce = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return (bce * (0.25 * y + 0.75 * (1 - y)) * pt**2).sum(1)


@pytest.mark.parametrize('name', ['CrossEntropyLoss', 'LabelSmoothLoss'])
@pytest.mark.parametrize('weighted', [False, True])
def test_values(batch, name, weighted):
    logits, target, class_weights, shares = batch
    extra = dict(label_smooth_val=0.1) if name == 'LabelSmoothLoss' else {}
    loss = as_loss(MODELS.build(dict(type=f'mmpretrain.{name}', **extra)))
    assert isinstance(loss, MMPretrainLoss)
    rows = rows_of(name, logits.numpy(), target.numpy())
    weights = (class_weights[target] * shares).double().numpy() if weighted else np.ones(B)
    found = loss(logits, target, COUNTS, class_weights if weighted else None, shares if weighted else None)
    assert found.item() == pytest.approx((weights * rows).sum() / weights.sum(), rel=1e-6)


def test_the_focal_loss_of_mmpretrain_is_the_sigmoids(batch):
    logits, target, _, _ = batch
    loss = as_loss(MODELS.build(dict(type='mmpretrain.FocalLoss')))
    expected = rows_of('FocalLoss', logits.numpy(), target.numpy()).sum() / (B * K)
    assert loss(logits, target, COUNTS).item() == pytest.approx(expected, rel=1e-6)
    ours = as_loss(MODELS.build(dict(type='FocalLoss')))
    assert not isinstance(ours, MMPretrainLoss)


@pytest.mark.parametrize('name', ['AsymmetricLoss', 'SeesawLoss'])
def test_others_give_a_gradient_to_every_logit(batch, name):
    logits = batch[0].clone().requires_grad_()
    loss = as_loss(MODELS.build(dict(type=f'mmpretrain.{name}', **(dict(num_classes=K) if name == 'SeesawLoss' else {}))))
    loss(logits, batch[1], COUNTS).backward()
    assert (logits.grad != 0).all() and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ('cfg', 'sentence'),
    [
        (dict(type='mmpretrain.PixelReconstructionLoss', criterion='L1'), 'is no loss of labels: use CrossEntropyLoss'),
        (dict(type='mmpretrain.CrossEntropyLoss', use_soft=True), 'takes soft or several labels'),
        (dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='multi_label', num_classes=K), 'soft or several'),
        (dict(type='mmpretrain.CrossEntropyLoss', reduction='sum'), 'the loss is a mean here'),
    ],
)
def test_losses_of_other_tasks_are_refused(cfg, sentence):
    with pytest.raises(UserError, match=sentence):
        as_loss(MODELS.build(cfg))
