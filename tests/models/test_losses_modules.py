"""Registered losses give what their functions give; the re-weighting schedule follows the epoch."""

import pytest
import torch

from mmlt.batch import Batch
from mmlt.draw import Draw
from mmlt.engine.loader import PARTNER_KEY
from mmlt.errors import UserError
from mmlt.models import losses as L
from mmlt.models.losses.modules import SeesawLoss
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.priors import effective_number_weights
from mmlt.registry import MODELS

COUNTS = torch.tensor([40, 12, 5, 1])


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, generator=g), torch.tensor([0, 0, 1, 2, 3, 0])


CASES = {
    'CrossEntropyLoss': ({}, lambda z, y, n, w: L.cross_entropy_loss(z, y, w)),
    'FocalLoss': ({'gamma': 2.0}, lambda z, y, n, w: L.focal_loss(z, y, 2.0, w)),
    'BalancedSoftmaxLoss': ({}, L.balanced_softmax_loss),
    'LogitAdjustedLoss': ({'tau': 1.5}, lambda z, y, n, w: L.logit_adjusted_loss(z, y, n, 1.5, w)),
    'LDAMLoss': (
        {'max_margin': 0.3, 'scale': 20.0},
        lambda z, y, n, w: L.ldam_loss(z, y, n, 0.3, 20.0, w),
    ),
    'LabelAwareSmoothingLoss': (
        {'head': 0.3, 'tail': 0.05},
        lambda z, y, n, w: L.label_aware_smoothing_loss(z, y, n, 0.3, 0.05, w),
    ),
    'VSLoss': ({'gamma': 0.3, 'tau': 1.25}, lambda z, y, n, w: L.vs_loss(z, y, n, 0.3, 1.25, w)),
    'CDTLoss': ({'gamma': 0.3}, lambda z, y, n, w: L.cdt_loss(z, y, n, 0.3, w)),
}


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('weights', [None, torch.tensor([0.1, 0.4, 1.0, 2.5])])
def test_a_built_loss_is_its_function(name, weights, batch):
    options, function = CASES[name]
    loss = MODELS.build(dict(type=name, **options))
    assert torch.equal(loss(*batch, COUNTS, weights), function(*batch, COUNTS, weights))


@pytest.mark.parametrize(
    ('name', 'attributes'),
    [
        ('FocalLoss', {'gamma': 1.0}),
        ('LDAMLoss', {'max_margin': 0.5, 'scale': 30.0}),
        ('LogitAdjustedLoss', {'tau': 1.0}),
    ],
)
def test_defaults_are_the_published_ones(name, attributes):
    loss = MODELS.build(dict(type=name))
    assert {key: getattr(loss, key) for key in attributes} == attributes


def test_seql_draws_for_each_image_by_its_key_alone(batch):
    logits, target = batch
    loss = MODELS.build(dict(type='SEQLLoss', gamma=0.5, threshold=0.1))
    keys = torch.arange(7, 13)
    expected = L.seql_loss(logits, target, COUNTS, Draw(3, keys).uniform(4, stream=0), 0.5, 0.1)
    torch.manual_seed(0)
    assert torch.equal(loss(logits, target, COUNTS, draw=Draw(3, keys)), expected)
    torch.manual_seed(1)  # torch's generator plays no part
    assert torch.equal(loss(logits, target, COUNTS, draw=Draw(3, keys)), expected)
    parts = [loss(logits[rank::2], target[rank::2], COUNTS, draw=Draw(3, keys[rank::2])) for rank in range(2)]
    torch.testing.assert_close(torch.stack(parts).mean(), expected)  # two ranks of three images each
    assert any(loss(logits, target, COUNTS, draw=Draw(seed, keys)) != expected for seed in range(4, 8))
    for draw in (None, Draw(3, keys[:5])):
        with pytest.raises(ValueError, match='needs the draw of the 6 images'):
            loss(logits, target, COUNTS, draw=draw)


@pytest.mark.parametrize('mixing', [None, dict(type='Mixup')])
def test_a_classifier_keys_the_draws_of_its_loss(mixing):
    """The loss of a step depends on seed and keys, not on torch's generator or on the steps before."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='MixingClassifier' if mixing else 'LongTailedClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', in_channels=64, num_classes=4),
            loss=dict(type='SEQLLoss', gamma=0.5, threshold=0.5),
            data_preprocessor=dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3),
            **(dict(mixing=mixing) if mixing else {}),
        )
    ).eval()  # no batch statistics: only the draws could tell the steps apart
    model.set_class_counts([40, 12, 5, 1])
    images, labels = torch.randn(2, 4, 3, 8, 8), torch.tensor([0, 0, 1, 3])
    keys = torch.arange(20, 24)

    def step(offset: int = 0, seed: int = 5) -> float:
        model.data_preprocessor.seed = seed
        partners = Batch(images[1], labels, None, keys + offset + PARTNER_KEY) if mixing else None
        batch = Batch(images[0], labels, None, keys + offset, partners)
        return model(*batch, mode='loss')['loss_cls'].item()

    first = step()
    others = {step(offset) for offset in (8, 2**32)} | {step(seed=6)}
    assert step() == first and len(others - {first}) == 3


def test_balanced_sigmoid_divides_the_counts_by_the_images(batch):
    loss = MODELS.build(dict(type='BalancedSigmoidLoss'))
    target = (torch.rand(6, 4, generator=torch.Generator().manual_seed(2)) < 0.3).long()
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0])
    expected = L.balanced_sigmoid_loss(batch[0], target, COUNTS / 50, None, weights)
    torch.testing.assert_close(loss(batch[0], target, COUNTS, weights, num_images=50), expected)
    with pytest.raises(ValueError, match='BalancedSigmoidLoss needs num_images'):
        loss(batch[0], target, COUNTS, weights)
    with pytest.raises(ValueError, match='BalancedSigmoidLoss takes no sample_weights'):
        loss(batch[0], target, COUNTS, weights, torch.ones(6))


def test_seesaw_of_its_first_batch(batch):
    pytest.importorskip('mmpretrain')
    logits, target = batch
    loss = MODELS.build(dict(type='SeesawLoss', num_classes=4, q=0.0))
    assert isinstance(loss, SeesawLoss)
    # After one batch the counts are (3, 1, 1, 1); without compensation class j weighs (n_j / n_y) ** p where rarer.
    seen = torch.tensor([3.0, 1.0, 1.0, 1.0])
    log_weights = (seen[None, :] / seen[target][:, None]).clamp_max(1).log() * 0.8
    expected = torch.nn.functional.cross_entropy(logits + log_weights, target)
    torch.testing.assert_close(loss(logits, target, COUNTS), expected)
    weights = torch.tensor([0.1, 0.4, 1.0, 2.5])
    fresh = MODELS.build(dict(type='SeesawLoss', num_classes=4, q=0.0))
    weighted = torch.nn.functional.cross_entropy(logits + log_weights, target, weight=weights)
    torch.testing.assert_close(fresh(logits, target, COUNTS, weights), weighted)
    assert fresh(logits.bfloat16(), target, COUNTS).dtype == torch.float32


def test_weights_switch_on_at_their_epoch_in_place():
    reweighting = MODELS.build(dict(type='ClassReweighting', num_classes=4, beta=0.99, start_epoch=2))
    weights = reweighting.weights
    place = weights.data_ptr()
    effective = effective_number_weights(COUNTS, 0.99).float()
    reweighting.set_class_counts(COUNTS)
    for epoch, expected in [(0, torch.ones(4)), (1, torch.ones(4)), (2, effective), (7, effective), (1, torch.ones(4))]:
        reweighting.set_epoch(epoch)
        assert reweighting.weights is weights and weights.data_ptr() == place
        assert torch.equal(weights, expected) and weights.dtype == torch.float32


def test_weights_are_on_from_the_start_by_default_and_in_no_checkpoint():
    reweighting = ClassReweighting(4)
    assert torch.equal(reweighting.weights, torch.ones(4))
    reweighting.set_class_counts(COUNTS.tolist())
    assert torch.equal(reweighting.weights, effective_number_weights(COUNTS).float())
    assert reweighting.state_dict() == {}


def test_counts_may_come_after_the_epoch_is_known_on_resume():
    reweighting = ClassReweighting(4, start_epoch=3)
    reweighting.set_epoch(1)
    reweighting.set_class_counts(COUNTS)
    assert torch.equal(reweighting.weights, torch.ones(4))
    reweighting.set_epoch(3)
    assert torch.equal(reweighting.weights, effective_number_weights(COUNTS).float())


def test_reweighting_refuses_what_it_cannot_do():
    with pytest.raises(RuntimeError, match='needs set_class_counts'):
        ClassReweighting(4).set_epoch(0)
    with pytest.raises(UserError, match='4 classes, but the model has 3'):
        ClassReweighting(3).set_class_counts(COUNTS)
    with pytest.raises(UserError, match=r'classes \[2\] have no training image'):
        ClassReweighting(3).set_class_counts([3, 2, 0])
    with pytest.raises(UserError, match='beta must be'):
        ClassReweighting(3, beta=2)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('images', [1, 6])
def test_seesaw_meets_one_class_only(dtype, images):
    """Classes it has never met, or that have no image at all, do no harm."""
    loss = MODELS.build(dict(type='SeesawLoss', num_classes=4))
    logits = torch.randn(images, 4, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    value = loss(logits, torch.full((images,), 2), torch.tensor([9, 3, 5, 0]))
    value.backward()
    assert value.dtype == torch.float32 and value.isfinite() and logits.grad.isfinite().all()
    assert (logits.grad[:, 2] < 0).all() and (logits.grad[:, [0, 1, 3]] >= 0).all()
