"""The losses between experts against slow loops in float64."""

import math

import pytest
import torch

from mmlt.models.losses.contrastive import info_nce_loss
from mmlt.models.losses.expert_distillation import (
    collaborative_distillation_loss,
    expert_feature_loss,
    hard_categories,
    mutual_distillation_loss,
    transfer_weights,
)

B, E, K = 5, 3, 7


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def logits(seed, experts=E, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(B, experts, K, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()


@pytest.mark.parametrize('experts', [1, 2, 3, 4])
def test_mutual_distillation_sums_over_ordered_pairs(experts):
    z = logits(0, experts)
    total = 0.0
    for sample in z.tolist():
        p = [softmax(row) for row in sample]
        total += sum(kl(p[j], p[i]) for i in range(experts) for j in range(experts) if i != j)
    torch.testing.assert_close(mutual_distillation_loss(z).item(), total / B / max(experts - 1, 1))


def test_mutual_distillation_moves_both_sides():
    z = logits(1)
    assert torch.autograd.gradcheck(mutual_distillation_loss, z)
    mutual_distillation_loss(z).backward()
    assert (z.grad.abs().amax(dim=(0, 2)) > 1e-3).all()


def test_mutual_distillation_leaves_out_an_impossible_class():
    z = logits(2).detach()
    z[:, :, 3] = -torch.inf
    kept = z[:, :, [0, 1, 2, 4, 5, 6]]
    torch.testing.assert_close(mutual_distillation_loss(z), mutual_distillation_loss(kept))


@pytest.mark.parametrize('temperature', [1.0, 2.0])
@pytest.mark.parametrize('weighted', [None, 'samples', 'classes'])
def test_collaborative_distillation_follows_the_formula(temperature, weighted):
    student, teacher = logits(3), logits(4)
    samples = torch.rand(B, dtype=torch.float64) + 0.5
    classes = torch.rand(K, dtype=torch.float64) + 0.5
    total = 0.0
    for i in range(B):
        for k in range(E):
            others = [teacher[i, j].tolist() for j in range(E) if j != k]
            mean = [sum(column) / len(others) / temperature for column in zip(*others, strict=True)]
            g = softmax(mean)
            if weighted == 'classes':
                g = [w * value for w, value in zip(classes.tolist(), g, strict=True)]
                g = [value / sum(g) for value in g]
            r = softmax([value / temperature for value in student[i, k].tolist()])
            total += kl(g, r) * (samples[i].item() if weighted == 'samples' else 1.0)
    found = collaborative_distillation_loss(
        student,
        teacher,
        temperature,
        samples if weighted == 'samples' else None,
        classes if weighted == 'classes' else None,
    )
    torch.testing.assert_close(found.item(), temperature**2 * total / E / B)
    found.backward()
    assert teacher.grad is None
    assert student.grad.abs().max() > 1e-3


def test_collaborative_distillation_gradient():
    teacher = logits(5).detach()
    assert torch.autograd.gradcheck(lambda z: collaborative_distillation_loss(z, teacher, 2.0), logits(6))


@pytest.mark.parametrize('loss', [lambda z: collaborative_distillation_loss(z, z), expert_feature_loss])
def test_one_expert_learns_nothing_from_others(loss):
    z = logits(7, experts=1)
    value = loss(z)
    value.backward()
    assert value == 0
    assert (z.grad == 0).all()


def test_feature_loss_averages_ordered_pairs_and_stops_at_the_second():
    features = logits(8)
    total = 0.0
    for sample in features.tolist():
        for k in range(E):
            for j in range(E):
                if k != j:
                    dot = sum(a * b for a, b in zip(sample[k], sample[j], strict=True))
                    total += 1 - dot / math.hypot(*sample[k]) / math.hypot(*sample[j])
    loss = expert_feature_loss(features)
    torch.testing.assert_close(loss.item(), total / B / (E * (E - 1)))
    loss.backward()
    # Half of what it would be if both sides of a pair moved.
    both = features.detach().clone().requires_grad_()
    unit = torch.nn.functional.normalize(both, dim=2)
    pairs = sum((unit[:, k] * unit[:, j]).sum(1) for k in range(E) for j in range(E) if k != j)
    (1 - pairs.mean() / (E * (E - 1))).backward()
    torch.testing.assert_close(features.grad, both.grad / 2)


def test_hard_categories_are_the_highest_with_the_target_among_them():
    scores = torch.tensor([[9.0, 8.0, 7.0, 1.0, 0.0], [5.0, 1.0, 4.0, 3.0, 2.0]])
    mask = hard_categories(scores, torch.tensor([4, 0]), 3)
    assert mask.tolist() == [[True, True, False, False, True], [True, False, True, True, False]]
    assert hard_categories(scores, torch.tensor([0, 1]), 5).all()


def test_transfer_weights_have_mean_one_and_rise_where_the_distilled_classifier_lags():
    label = torch.tensor([0.9, 0.6, 0.3, 0.0])
    distilled = torch.tensor([0.9, 0.3, 0.1, 0.0])
    weights = transfer_weights(label, distilled)
    torch.testing.assert_close(weights.sum(), torch.tensor(4.0))
    torch.testing.assert_close(weights / weights[0], torch.tensor([1.0, 2.0, 3.0, 1.0]), rtol=1e-4, atol=0)
    assert torch.equal(transfer_weights(label, label), torch.ones(4))
    assert torch.equal(transfer_weights(label, distilled, gamma=0.0), torch.ones(4))
    bounded = transfer_weights(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), limit=5.0)
    torch.testing.assert_close(bounded[0] / bounded[1], torch.tensor(25.0))


def test_info_nce_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    queries, keys, queue = (
        torch.nn.functional.normalize(torch.randn(n, 4, generator=generator, dtype=torch.float64), dim=1)
        for n in (B, B, 6)
    )
    filled = torch.tensor([True, True, False, True, False, True])
    total = 0.0
    for q, k in zip(queries, keys, strict=True):
        scores = [q @ k, *(q @ entry for entry, there in zip(queue, filled, strict=True) if there)]
        total -= math.log(softmax([score.item() / 0.2 for score in scores])[0])
    torch.testing.assert_close(info_nce_loss(queries, keys, queue, filled, 0.2).item(), total / B)
    queries = queries.requires_grad_()
    assert torch.autograd.gradcheck(lambda q: info_nce_loss(q, keys, queue, filled, 0.2), queries)


def test_info_nce_with_an_empty_queue_is_zero():
    queries = torch.nn.functional.normalize(torch.randn(B, 4), dim=1).requires_grad_()
    loss = info_nce_loss(queries, queries.detach(), torch.zeros(6, 4), torch.zeros(6, dtype=torch.bool), 0.2)
    loss.backward()
    assert loss == 0
    assert (queries.grad == 0).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(dtype):
    student, teacher = logits(9, dtype=dtype), logits(10, dtype=dtype)
    for loss in (
        mutual_distillation_loss(student),
        collaborative_distillation_loss(student, teacher),
        expert_feature_loss(student),
    ):
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
