"""Contrastive losses against loops over anchors and keys in plain Python, and their limits."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from mmlt.models.losses import (
    balanced_contrastive_loss,
    balanced_softmax_loss,
    parametric_contrastive_loss,
    supervised_contrastive_loss,
)

D = torch.float64
COUNTS = torch.tensor([50, 20, 7, 3])


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


# ------------------------------------------------------------------ slow references: one anchor, one key at a time
def slow_supervised(features, target, temperature, keys=(), key_labels=()):
    losses = []
    for i, (f, y) in enumerate(zip(features, target, strict=True)):
        others = [(k, c) for j, (k, c) in enumerate(zip(features, target, strict=True)) if j != i]
        others += [(k, c) for k, c in zip(keys, key_labels, strict=True) if c != -1]
        scores = [math.exp(dot(f, k) / temperature) for k, _ in others]
        own = [-math.log(s / math.fsum(scores)) for s, (_, c) in zip(scores, others, strict=True) if c == y]
        if own:
            losses.append(math.fsum(own) / len(own))
    return math.fsum(losses) / len(losses) if losses else 0.0


def slow_parametric(logits, features, target, keys, key_labels, counts, alpha, temperature):
    losses = []
    for i, (z, f, y) in enumerate(zip(logits, features, target, strict=True)):
        row, weights = [], []
        for c, value in enumerate(z):
            if counts[c]:
                row.append(value + math.log(counts[c] / sum(counts)))
                weights.append(1.0 if c == y else 0.0)
        for j, (k, c) in enumerate(zip([*features, *keys], [*target, *key_labels], strict=True)):
            if j != i and c != -1:
                row.append(dot(f, k) / temperature)
                weights.append(alpha if c == y else 0.0)
        total = math.log(math.fsum(math.exp(value) for value in row))
        losses.append(-math.fsum(w * (v - total) for w, v in zip(weights, row, strict=True)) / math.fsum(weights))
    return math.fsum(losses) / len(losses)


def slow_balanced(features, target, prototypes, temperature):
    losses = []
    for i, (f, y) in enumerate(zip(features, target, strict=True)):
        members = {c: [dot(f, p) / temperature] for c, p in enumerate(prototypes)}
        for j, (k, c) in enumerate(zip(features, target, strict=True)):
            if j != i:
                members[c].append(dot(f, k) / temperature)
        total = math.fsum(math.fsum(map(math.exp, values)) / len(values) for values in members.values())
        losses.append(math.log(total) - math.fsum(members[y]) / len(members[y]))
    return math.fsum(losses) / len(losses)


class Case:
    """Random unit vectors, labels and a queue of which some places are empty."""

    def __init__(self, seed: int, size: int = 9, queue: int = 8, dim: int = 5) -> None:
        g = torch.Generator().manual_seed(seed)
        unit = lambda rows: F.normalize(torch.randn(rows, dim, generator=g, dtype=D), dim=1)  # noqa: E731
        self.features, self.keys, self.prototypes = unit(size), unit(queue), unit(4)
        self.logits = 2 * torch.randn(size, 4, generator=g, dtype=D)
        self.target = torch.randint(4, (size,), generator=g)
        self.key_labels = torch.randint(4, (queue,), generator=g)
        self.key_labels[queue // 2 :: 2] = -1


# name: (fast(case, features, logits), slow(case)); every one is computed from `features`, PaCo's from `logits` too
LOSSES = {
    'supervised': (
        lambda k, f, z: supervised_contrastive_loss(f, k.target, 0.3),
        lambda k: slow_supervised(k.features.tolist(), k.target.tolist(), 0.3),
    ),
    'supervised, queue': (
        lambda k, f, z: supervised_contrastive_loss(f, k.target, 0.3, k.keys, k.key_labels),
        lambda k: slow_supervised(
            k.features.tolist(), k.target.tolist(), 0.3, k.keys.tolist(), k.key_labels.tolist()
        ),
    ),
    'parametric': (
        lambda k, f, z: parametric_contrastive_loss(z, f, k.target, k.keys, k.key_labels, COUNTS, 0.2, 0.3),
        lambda k: slow_parametric(k.logits.tolist(), k.features.tolist(), k.target.tolist(), k.keys.tolist(),
                                  k.key_labels.tolist(), COUNTS.tolist(), 0.2, 0.3),
    ),
    'balanced': (
        lambda k, f, z: balanced_contrastive_loss(f, k.target, k.prototypes, 0.3),
        lambda k: slow_balanced(k.features.tolist(), k.target.tolist(), k.prototypes.tolist(), 0.3),
    ),
}  # fmt: skip
each_loss = pytest.mark.parametrize('name', LOSSES)


@each_loss
@pytest.mark.parametrize('seed', range(4))
def test_agrees_with_the_slow_reference(name, seed):
    case = Case(seed)
    fast, slow = LOSSES[name]
    loss = fast(case, case.features, case.logits)
    assert loss.shape == () and loss.dtype == D
    assert loss.item() == pytest.approx(slow(case), rel=1e-12, abs=1e-12)


@each_loss
@pytest.mark.parametrize('labels', [[0, 0, 1, 1, 2], [0, 1, 2, 3, 3], [2, 2, 2, 2, 2], [0]])
def test_classes_alone_and_batches_of_one_class_or_one_image(name, labels):
    case = Case(7, size=len(labels))
    case.target = torch.tensor(labels)
    fast, slow = LOSSES[name]
    assert fast(case, case.features, case.logits).item() == pytest.approx(slow(case), rel=1e-12, abs=1e-12)
    features = case.features.requires_grad_()
    fast(case, features, case.logits).backward()
    assert features.grad.isfinite().all()


@each_loss
def test_gradient_is_right(name):
    case = Case(3, size=5, queue=4, dim=3)
    assert gradcheck(lambda f, z: LOSSES[name][0](case, f, z), (case.features.requires_grad_(), case.logits.requires_grad_()))


def test_gradients_of_prototypes_and_keys_are_right():
    case = Case(4, size=5, queue=4, dim=3)
    assert gradcheck(
        lambda p: balanced_contrastive_loss(case.features, case.target, p, 0.3), (case.prototypes.requires_grad_(),)
    )
    keys = case.keys.requires_grad_()
    assert gradcheck(lambda k: supervised_contrastive_loss(case.features, case.target, 0.3, k, case.key_labels), (keys,))


@each_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize('autocast', [False, True])
def test_half_precision_and_autocast_are_computed_in_float32(name, dtype, autocast):
    case = Case(5)
    features, logits = case.features.to(dtype).requires_grad_(), case.logits.to(dtype)
    case.keys, case.prototypes = case.keys.float(), case.prototypes.float()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        loss = LOSSES[name][0](case, features, logits)
    assert loss.dtype == torch.float32
    case.features, case.logits = features.detach().double(), logits.double()  # the same, rounded, numbers
    case.keys, case.prototypes = case.keys.double(), case.prototypes.double()
    assert loss.item() == pytest.approx(LOSSES[name][1](case), rel=5e-6)
    loss.backward()
    assert features.grad.dtype == dtype and features.grad.isfinite().all()


@each_loss
def test_a_low_temperature_stays_finite_and_one_of_zero_is_refused(name):
    case = Case(6)
    features = (100 * case.features.float()).requires_grad_()  # similarities of 10 ** 4
    loss = LOSSES[name][0](case, features, case.logits.float())
    loss.backward()
    assert loss.isfinite() and features.grad.isfinite().all()
    with pytest.raises(ValueError, match='temperature'):
        supervised_contrastive_loss(features, case.target, 0.0)


@pytest.mark.parametrize('filled', [0, 3, 8])
def test_places_of_a_queue_that_hold_nothing_are_out_exactly(filled):
    case = Case(8)
    labels = torch.cat([torch.arange(filled) % 4, torch.full((8 - filled,), -1)])
    rubbish = torch.where(labels[:, None] >= 0, case.keys, 1e6).requires_grad_()
    few = case.keys[:filled].clone().requires_grad_()
    for loss in (
        lambda k, y: supervised_contrastive_loss(case.features, case.target, 0.3, k, y),
        lambda k, y: parametric_contrastive_loss(case.logits, case.features, case.target, k, y, COUNTS, 0.2, 0.3),
    ):
        whole, part = loss(rubbish, labels), loss(few, labels[:filled])
        assert whole.item() == pytest.approx(part.item(), rel=1e-14)
        (gradient,), (expected,) = torch.autograd.grad(whole, rubbish), torch.autograd.grad(part, few)
        torch.testing.assert_close(gradient[:filled], expected)
        assert not gradient[filled:].any()


# ------------------------------------------------------------------ limits
def test_paco_without_positive_keys_is_the_cross_entropy_of_the_whole_row():
    case = Case(9)
    loss = parametric_contrastive_loss(
        case.logits, case.features, case.target, case.keys, case.key_labels, COUNTS, 0.0, 0.3
    )
    row = torch.cat([case.features, case.keys[case.key_labels >= 0]])
    row = case.features @ row.T / 0.3
    row[range(9), range(9)] = -torch.inf
    shifted = case.logits + (COUNTS.double() / COUNTS.sum()).log()
    assert loss.item() == pytest.approx(F.cross_entropy(torch.cat([shifted, row], 1), case.target).item(), rel=1e-12)


def test_paco_of_an_image_alone_is_balanced_softmax():
    case = Case(10)
    for place in range(3):
        one = slice(place, place + 1)
        loss = parametric_contrastive_loss(case.logits[one], case.features[one], case.target[one], case.keys,
                                           torch.full((8,), -1), COUNTS, 0.7, 0.1)  # fmt: skip
        assert loss.item() == pytest.approx(
            balanced_softmax_loss(case.logits[one], case.target[one], COUNTS).item(), rel=1e-12
        )


def test_paco_leaves_an_empty_class_without_probability_or_gradient():
    case = Case(11)
    case.target[case.target == 3] = 0
    counts = torch.tensor([50, 20, 7, 0])
    logits = case.logits.requires_grad_()
    loss = parametric_contrastive_loss(logits, case.features, case.target, case.keys, case.key_labels, counts, 0.2, 0.3)
    loss.backward()
    expected = slow_parametric(logits.tolist(), case.features.tolist(), case.target.tolist(), case.keys.tolist(),
                               case.key_labels.tolist(), counts.tolist(), 0.2, 0.3)  # fmt: skip
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert not logits.grad[:, 3].any() and logits.grad.isfinite().all()


def test_without_any_positive_the_supervised_loss_is_zero_and_alone_anchors_do_not_dilute_it():
    case = Case(12, size=4)
    features = case.features.requires_grad_()
    loss = supervised_contrastive_loss(features, torch.arange(4), 0.3)
    loss.backward()
    assert loss.item() == 0 and not features.grad.any()
    # two anchors of one class, everything else alone and orthogonal: each sees one positive and two others
    axes = torch.eye(4, dtype=D)[[0, 0, 1, 2]]
    loss = supervised_contrastive_loss(axes, torch.tensor([0, 0, 1, 2]), 0.5)
    assert loss.item() == pytest.approx(math.log(math.exp(2) + 2) - 2)


@pytest.mark.parametrize('numbers', [(1, 1, 1, 1), (6, 3, 2, 0), (9, 0, 0, 0)])
def test_balanced_where_nothing_tells_keys_apart_is_log_of_the_classes_whatever_their_numbers(numbers):
    target = torch.repeat_interleave(torch.arange(4), torch.tensor(numbers))
    same = F.normalize(torch.ones(1, 3, dtype=D))
    loss = balanced_contrastive_loss(same.expand(len(target), 3), target, same.expand(4, 3), 0.07)
    assert loss.item() == pytest.approx(math.log(4))
    plain = supervised_contrastive_loss(same.expand(9, 3), torch.arange(9) % 2, 0.07)
    assert plain.item() == pytest.approx(math.log(8))


def test_balanced_with_equal_numbers_is_the_supervised_loss_but_for_the_anchor_itself():
    """Classes of n keys: the supervised loss over the same keys, had the anchor's own class n keys beside it too."""
    case, n = Case(13, size=8), 3
    target = torch.arange(8) % 4  # two features and one prototype a class
    keys, labels = torch.cat([case.features, case.prototypes]), torch.cat([target, torch.arange(4)])
    row = case.features @ keys.T / 0.3
    row[range(8), range(8)] = -torch.inf
    own = labels == target[:, None]
    supervised = row.logsumexp(1) - row.masked_fill(~own | row.isinf(), 0).sum(1) / (n - 1)
    expected = supervised - math.log(n) + ((row + own.double() * math.log(n / (n - 1))).logsumexp(1) - row.logsumexp(1))
    loss = balanced_contrastive_loss(case.features, target, case.prototypes, 0.3)
    assert loss.item() == pytest.approx(expected.mean().item(), rel=1e-12)


def test_balanced_does_not_heed_how_many_images_another_class_has():
    """With copies of class 1 at its prototype, an anchor of class 0 keeps its loss: the sum over anchors is affine."""
    case = Case(14)
    total = {}
    for copies in (1, 2, 7):
        features = torch.cat([case.features[:3], case.prototypes[1].expand(copies, 5)])
        target = torch.tensor([0] * 3 + [1] * copies)
        total[copies] = len(target) * balanced_contrastive_loss(features, target, case.prototypes, 0.3).item()
    assert total[7] - total[1] == pytest.approx(6 * (total[2] - total[1]), rel=1e-12)


def test_an_image_alone_in_its_class_is_drawn_to_the_prototype():
    case = Case(15, size=1)
    case.target = torch.tensor([2])
    scores = (case.features @ case.prototypes.T / 0.3)[0]
    loss = balanced_contrastive_loss(case.features, case.target, case.prototypes, 0.3)
    assert loss.item() == pytest.approx(F.cross_entropy(scores, torch.tensor(2)).item(), rel=1e-12)
