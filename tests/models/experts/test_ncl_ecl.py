"""NCL and ECL whole: their losses against loops, their switches, what reaches which head."""

import pytest
import torch
import torch.nn.functional as F

from mmlt.batch import Batch
from mmlt.errors import UserError
from mmlt.models.terms import Collaboration, MomentumContrast, Outputs, step_of
from mmlt.models.terms.experts import ClassConfidence, true_class_confidence
from mmlt.registry import MODELS

COUNTS = [60, 20, 5, 2]
K = len(COUNTS)


def build(kind, experts=3, **options):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type=kind,
            backbone=dict(
                type='MultiExpertBackbone',
                backbone=dict(type='ResNetCIFAR', depth=8, base_channels=4),
                num_experts=experts,
                shared_stages=1,
            ),
            head=dict(type='LinearHead', in_channels=16, num_classes=K),
            **options,
        )
    )
    model.set_class_counts(COUNTS)
    return model


def batch(seed=0, size=6, views=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (size, 3, 8, 8) if views == 1 else (views, size, 3, 8, 8)
    return Batch(torch.randn(shape, generator=generator), torch.arange(size) % K, None, None)


def losses_of(model, outputs, target):
    """The losses of finished outputs."""
    return model.losses(step_of(outputs, target, model.class_counts))


def term_of(model, kind):
    """The model's term of a kind."""
    (term,) = (term for term in model.terms if isinstance(term, kind))
    return term


def fake_outputs(experts=3, size=6):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(size, experts, 16, generator=generator, dtype=torch.float64)
    return Outputs(features, torch.randn(size, experts, K, generator=generator, dtype=torch.float64))


def test_ncl_follows_its_formula():
    model = build('NCLClassifier', hard_part=0.5)
    outputs, target = fake_outputs(), torch.tensor([0, 1, 2, 3, 0, 1])
    losses = losses_of(model, outputs, target)
    prior = torch.tensor(COUNTS, dtype=torch.float64).log()
    v = outputs.logits + prior
    masked = torch.zeros_like(v)
    for i in range(6):
        order = outputs.logits[i, 0].argsort(descending=True).tolist()
        order.remove(int(target[i]))
        for c in [int(target[i]), order[0]]:  # half of the four classes
            masked[i, :, c] = v[i, :, c]
    expected_distill = 0.0
    for x in (v, masked):
        p = x.softmax(2)
        for i in range(3):
            for j in range(3):
                if i != j:
                    expected_distill += (p[:, j] * (p[:, j].log() - p[:, i].log())).sum(1).mean() / 2
    torch.testing.assert_close(losses['loss_cls'], sum(F.cross_entropy(v[:, k], target) for k in range(3)))
    torch.testing.assert_close(losses['loss_hard'], sum(F.cross_entropy(masked[:, k], target) for k in range(3)))
    torch.testing.assert_close(losses['loss_distill'], 0.6 * expected_distill)


@pytest.mark.parametrize('weighting', ['class', 'target', 'sample', 'none'])
def test_ecl_follows_its_formula(weighting):
    model = build('ECLClassifier', weighting=weighting, temperature=2.0).double()
    outputs, target = fake_outputs(), torch.tensor([0, 1, 2, 3, 0, 1])
    omega = torch.tensor([0.4, 0.8, 1.2, 1.6], dtype=torch.float64)
    term = term_of(model, Collaboration)
    if term.confidence is not None:
        term.confidence.weights.copy_(omega)
    distilled = term.head(outputs.features)
    prior = torch.tensor(COUNTS, dtype=torch.float64).log()
    if weighting == 'sample':
        picked = [z.softmax(2)[torch.arange(6), :, target].mean(1) for z in (outputs.logits, distilled)]
        omega = (picked[0] / picked[1]).clamp(0.2, 5.0)
        omega = omega / omega.mean()
    total = 0.0
    for i in range(6):
        for k in range(3):
            g = (torch.stack([outputs.logits[i, j] + prior for j in range(3) if j != k]).mean(0) / 2).softmax(0)
            if weighting == 'target':
                g = omega * g / (omega * g).sum()
            r = ((distilled[i, k] + prior) / 2).softmax(0)
            weight = omega[target[i]] if weighting == 'class' else omega[i] if weighting == 'sample' else 1.0
            total += weight * (g * (g.log() - r.log())).sum()
    losses = losses_of(model, outputs, target)
    torch.testing.assert_close(losses['loss_distill'], 0.6 * 4 * total / 3 / 6, rtol=1e-5, atol=1e-6)
    labels = sum(F.cross_entropy(outputs.logits[:, k] + prior, target) for k in range(3))
    torch.testing.assert_close(losses['loss_cls'], labels)


def test_ecl_teaches_the_second_head_by_experts_alone():
    model = build('ECLClassifier')
    losses, second = model(*batch(), mode='loss'), term_of(model, Collaboration).head
    losses['loss_cls'].backward(retain_graph=True)
    assert all(weight.grad is None for weight in second.parameters())
    model.zero_grad()
    losses['loss_distill'].backward()
    assert all(weight.grad is None for weight in model.head.parameters())  # targets get no gradient
    assert all(weight.grad.abs().sum() > 0 for weight in second.parameters())
    assert next(model.backbone.trunk.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize('kind', ['ECLClassifier', 'MultiExpertClassifier'])
def test_one_expert_is_balanced_softmax(kind):
    model = build(kind, experts=1, loss=dict(type='BalancedSoftmaxLoss'))
    images, target, *_ = batch()
    losses = model(images, target, mode='loss')
    single = F.cross_entropy(model.network(images).logits[:, 0] + torch.tensor(COUNTS).log(), target)
    assert list(losses) == ['loss_cls']
    torch.testing.assert_close(losses['loss_cls'], single)


def test_switches_remove_what_they_name():
    model = build('ECLClassifier', distill_weight=0, feature_weight=0)
    assert all(name.startswith(('backbone.', 'head.')) for name, _ in model.named_parameters())
    assert list(model(*batch(), mode='loss')) == ['loss_cls']
    whole = build('ECLClassifier', contrast=dict(dim=8, queue_size=16))
    assert set(whole(*batch(views=2), mode='loss')) == {'loss_cls', 'loss_distill', 'loss_feature', 'loss_contrast'}


@pytest.mark.parametrize('kind', ['NCLClassifier', 'ECLClassifier'])
def test_the_contrastive_branch_is_gone_at_test_time(kind):
    model = build(kind, contrast=dict(dim=8, queue_size=16)).eval()
    images, contrast = batch().images, term_of(model, MomentumContrast)
    before = model(images)
    for parameter in contrast.parameters():
        parameter.data.fill_(float('nan'))
    contrast.queue.features.fill_(float('nan'))
    assert torch.equal(model(images), before)
    torch.testing.assert_close(before, model.network(images).logits.mean(1))  # raw logits, no prior


def test_a_missing_view_is_said_in_one_sentence():
    model = build('ECLClassifier', contrast=dict(dim=8, queue_size=16))
    with pytest.raises(UserError, match='learns from 2 view.* and the preprocessor gives 1'):
        model(*batch(), mode='loss')


def test_unknown_weighting_and_a_backbone_without_experts_are_refused():
    with pytest.raises(UserError, match='no weighting'):
        build('ECLClassifier', weighting='colour')
    with pytest.raises(UserError, match='needs experts'):
        MODELS.build(
            dict(
                type='ECLClassifier',
                backbone=dict(type='ResNetCIFAR', depth=8),
                head=dict(type='LinearHead', in_channels=64, num_classes=K),
            )
        )


def test_class_confidence_is_a_running_mean_of_epochs():
    confidence = ClassConfidence(3, momentum=0.9, gamma=1.0, limit=None)
    generator = torch.Generator().manual_seed(0)
    running = [[0.0] * 3, [0.0] * 3]
    for epoch, target in enumerate([[0, 0, 1, 1, 1], [0, 2, 2, 1, 0], [0, 0, 0, 2, 2]]):
        confidence.begin_epoch(epoch)
        target = torch.tensor(target)
        label, distilled = (torch.randn(5, 2, 3, generator=generator) for _ in range(2))
        for part in (slice(0, 3), slice(3, 5)):  # two steps
            confidence.hold(*(true_class_confidence(row[part], target[part]) for row in (label, distilled)), target[part])
            confidence.end_step()
        confidence.begin_epoch(epoch)  # told again after a resume
        for row, logits in enumerate((label, distilled)):
            for c in range(3):
                picked = [logits[i].softmax(1)[:, c].mean().item() for i in range(5) if target[i] == c]
                if picked:
                    mean = sum(picked) / len(picked)
                    running[row][c] = 0.9 * running[row][c] + 0.1 * mean if running[row][c] else mean
    confidence.begin_epoch(3)
    torch.testing.assert_close(confidence.running, torch.tensor(running))
    ratio = confidence.running[0] / confidence.running[1]
    torch.testing.assert_close(confidence.weights, ratio / ratio.mean(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(confidence.weights.sum(), torch.tensor(3.0))


def test_class_weights_are_ones_where_both_heads_agree():
    model = build('ECLClassifier')
    term = term_of(model, Collaboration)
    term.head.load_state_dict(model.head.state_dict())
    for epoch in range(2):
        model.set_epoch(epoch)
        model(*batch(), mode='loss')
        model.end_step(updated=True)
    torch.testing.assert_close(term.confidence.weights, torch.ones(K))
