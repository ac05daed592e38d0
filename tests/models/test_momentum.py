"""Momentum encoders and queues, by themselves and in the training loop."""

from collections import deque

import pytest
import torch
from torch import nn

from mmlt.apis.train import build_runner
from mmlt.config.find import config_roots
from mmlt.engine.loops import EpochTrainLoop
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.models.momentum import FeatureQueue, MomentumEncoder
from mmlt.models.projection import PooledFeatures
from mmlt.registry import MODELS


def build_paco(**options):
    model = MODELS.build(
        dict(
            type='PaCoClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8, base_channels=4),
            head=dict(type='LinearHead', in_channels=16, num_classes=4),
            projector=dict(in_channels=16, hidden=[8], out_channels=6, batch_norm=True),
            queue_size=16,
            **options,
        )
    )
    model.set_class_counts([60, 20, 5, 2])
    return model


def query_of(model):
    """Backbone and projector as the key network names them."""
    return nn.Sequential(model.backbone, PooledFeatures(), model.terms[0].projector).state_dict()


def key_of(model):
    return model.terms[0].encoder_k.key.state_dict()


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


# ------------------------------------------------------------------ momentum encoder
def test_it_begins_as_its_network_with_the_projector_also_after_init_weights():
    model = build_paco()
    assert_equal(key_of(model), query_of(model))
    assert any(name.startswith('2.layers') for name in key_of(model))

    def initialise():  # as a backbone that loads weights does
        for value in model.backbone.state_dict().values():
            value.fill_(3)

    model.backbone.init_weights = initialise
    model.init_weights()
    assert model.backbone.conv1.weight.eq(3).all() and model.backbone.bn1.running_var.eq(3).all()
    assert_equal(key_of(model), query_of(model))


def test_an_update_is_an_interpolation_of_weights_and_leaves_statistics_alone():
    torch.manual_seed(0)
    query = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.Linear(4, 2)]
    encoder = MomentumEncoder(query, 0.9)
    before = {name: value.double().clone() for name, value in encoder.key.state_dict().items()}
    with torch.no_grad():
        for value in (value for module in query for value in module.state_dict().values()):
            value.add_(1)
    now = {name: value.double() for name, value in nn.Sequential(*query).state_dict().items()}
    encoder.end_step(updated=False)
    assert all(torch.equal(value.double(), before[name]) for name, value in encoder.key.state_dict().items())
    encoder.end_step(updated=True)
    for name, value in encoder.key.state_dict().items():
        kept = 'running' in name or 'num_batches' in name
        expected = before[name] if kept else 0.9 * before[name] + 0.1 * now[name]
        torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-7)


def test_it_has_no_gradient_and_is_saved():
    model = build_paco()
    model(torch.randn(2, 4, 3, 8, 8), torch.arange(4), mode='loss')['loss_paco'].backward()
    assert all(weight.grad is None and not weight.requires_grad for weight in model.terms[0].encoder_k.parameters())
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)
    term = model.terms[0]
    assert len(list(term.encoder_k.parameters())) == len([*model.backbone.parameters(), *term.projector.parameters()])
    saved = model.state_dict()
    assert sum(name.startswith('terms.0.encoder_k.key.') for name in saved) == len(query_of(model))
    other = build_paco()
    other.load_state_dict(saved)
    assert_equal(key_of(other), key_of(model))


@pytest.mark.parametrize('momentum', [-0.1, 1.1])
def test_a_momentum_outside_is_refused(momentum):
    with pytest.raises(UserError, match='momentum must be a number of at least 0 and at most 1'):
        MomentumEncoder([nn.Linear(2, 2)], momentum)


@pytest.mark.parametrize(('momentum', 'every'), [(0.7, 1), (0.7, 2), (1.0, 1), (0.0, 3)])
def test_in_the_loop_it_follows_after_the_optimizer_alone(momentum, every, tmp_path, monkeypatch):
    overrides = {'train_cfg.max_epochs': 1, 'model.momentum': momentum, 'optim_wrapper.accumulative_counts': every}
    stage = Stage(config_roots()[0] / 'paco/resnet8_digitslt.py', overrides=overrides, precision='fp32', work_root=tmp_path)
    seen, whole = [], EpochTrainLoop.run_iter

    def look(loop, batch):
        model = loop.runner.bare_model
        encoder = model.terms[0].encoder_k.key[0]
        query, key = ([w.detach().clone() for w in part.parameters()] for part in (model.backbone, encoder))
        whole(loop, batch)
        new_query, new_key = (list(part.parameters()) for part in (model.backbone, encoder))
        moved = any(not torch.equal(a, b) for a, b in zip(query, new_query, strict=True))
        for old, new, followed in zip(key, new_key, new_query, strict=True):
            expected = momentum * old.double() + (1 - momentum) * followed.double() if moved else old.double()
            torch.testing.assert_close(new.double(), expected, rtol=1e-5, atol=1e-7)
            assert momentum < 1 or torch.equal(old, new)  # weight decay does not reach it either
            assert momentum > 0 or not moved or torch.equal(new, followed)
        seen.append(moved)

    monkeypatch.setattr(EpochTrainLoop, 'run_iter', look)
    runner = build_runner(stage)
    runner._val_loop = None
    runner.train()
    assert len(seen) == 6
    assert seen == [step % every == 0 for step in range(1, 7)]
    assert runner.bare_model.terms[0].queue.filled.all()  # every batch entered, also while gradients were added up


# ------------------------------------------------------------------ queue
@pytest.mark.parametrize('sizes', [[3, 3, 2, 3], [7, 7, 1], [1] * 9, [5, 2, 7, 4, 6]])
def test_a_queue_is_a_ring_that_forgets_the_oldest(sizes):
    queue, remembered, number = FeatureQueue(7, (2,)), deque(maxlen=7), 0
    assert not queue.filled.any() and not queue.features.any()
    for size in sizes:
        labels = torch.arange(number, number + size)
        number += size
        queue.hold(labels[:, None] * torch.tensor([1.0, -1.0]), labels)
        old = queue.labels.clone()
        queue.end_step()
        assert not torch.equal(queue.labels, old)
        remembered.extend(labels.tolist())
        assert sorted(queue.labels[queue.filled].tolist()) == sorted(remembered)
        assert queue.labels.roll(-int(queue.pointer))[-len(remembered) :].tolist() == list(remembered)
        kept = torch.where(queue.filled, queue.labels, 0)
        assert torch.equal(queue.features, kept[:, None] * torch.tensor([1.0, -1.0]))
    assert int(queue.pointer) == number % 7


def test_a_batch_enters_once_after_the_step_and_without_its_graph():
    queue = FeatureQueue(4, (3, 2))
    features = torch.ones(2, 3, 2, dtype=torch.bfloat16, requires_grad=True)
    queue.hold(2 * features, torch.tensor([1, 0]))
    assert not queue.filled.any()
    queue.end_step()
    assert queue.labels.tolist() == [1, 0, -1, -1]
    assert queue.features.dtype == torch.float32 and not queue.features.requires_grad
    queue.end_step()
    assert queue.labels.tolist() == [1, 0, -1, -1] and int(queue.pointer) == 2


def test_a_batch_larger_than_the_queue_and_a_queue_of_nothing_are_refused():
    queue = FeatureQueue(4, (2,))
    queue.hold(torch.zeros(5, 2), torch.zeros(5, dtype=torch.int64))
    with pytest.raises(UserError, match='a batch of 5 images does not fit a queue of 4: enlarge queue_size'):
        queue.end_step()
    with pytest.raises(UserError, match='size must be a whole number of at least 1'):
        FeatureQueue(0, (2,))


def test_a_loaded_queue_goes_on_where_it_was():
    one = FeatureQueue(5, (2,))
    batches = [(torch.randn(size, 2), torch.randint(9, (size,))) for size in (4, 3, 2, 5)]

    def enter(queue, number):
        queue.hold(*batches[number])
        queue.end_step()

    enter(one, 0)
    enter(one, 1)
    other = FeatureQueue(5, (2,))
    other.load_state_dict({name: value.clone() for name, value in one.state_dict().items()})
    for number in (2, 3):
        enter(one, number)
        enter(other, number)
        assert_equal(other.state_dict(), one.state_dict())
