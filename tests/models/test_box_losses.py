"""Box classification losses against slow pure-Python references, and what is promised of them."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from mmlt.models import losses as L

D = torch.float64
K = 5
COUNTS = torch.tensor([400, 120, 30, 8, 1])
FREQUENCY = COUNTS / 500


# ------------------------------------------------------------------ slow references, on lists of floats, one by one
def slow_ce(row, place):
    top = max(row)
    return top + math.log(math.fsum(math.exp(z - top) for z in row)) - row[place]


def slow_bce(z, y):
    return math.log1p(math.exp(-z)) if y else math.log1p(math.exp(z))


def slow_softmax(logits, target, shift=None):
    shift = shift or [0.0] * len(logits[0])
    losses = [slow_ce([z + s for z, s in zip(row, shift, strict=True)], y) for row, y in zip(logits, target, strict=True)]
    return math.fsum(losses) / len(losses)


def slow_balanced_softmax(logits, target, counts):
    mean = math.fsum(counts) / len(counts)
    return slow_softmax(logits, target, [0.0] + [math.log(n / mean) for n in counts])


def slow_sigmoid(logits, target, frequency=None, rare_below=None):
    total = 0.0
    for row, y in zip(logits, target, strict=True):
        for c, z in enumerate(row):
            if rare_below is not None and y > 0 and frequency[c] < rare_below and y != c + 1:
                continue
            if rare_below is None and frequency is not None and y > 0:
                z = z - math.log((1 - frequency[c]) / frequency[c])
            total += slow_bce(z, y == c + 1)
    return total / len(logits)


def slow_seesaw(logits, target, seen, p, q):
    objectness = classes = 0.0
    for row, y in zip(logits, target, strict=True):
        objectness += slow_ce(row[:2], int(y > 0))
        if y == 0:
            continue
        z, i = row[2:], y - 1
        s = [math.exp(-slow_ce(z, c)) for c in range(len(z))]
        below = 0.0
        for j in range(len(z)):
            n_i, n_j = max(seen[i], 1), max(seen[j], 1)
            mitigation = (n_j / n_i) ** p if n_j < n_i else 1.0
            compensation = (s[j] / max(s[i], 0.01)) ** q if s[j] / max(s[i], 0.01) > 1 else 1.0
            below += math.exp(z[j]) * (1.0 if j == i else mitigation * compensation)
        classes += math.log(below) - z[i]
    return objectness / len(logits), classes / len(logits)


def case(seed, extra, size=40):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size, K + extra, generator=generator, dtype=D)
    target = torch.randint(-K, K + 1, (size,), generator=generator).clamp_min(0)  # about half background
    return logits, target


LOSSES = {  # extra columns, fast, slow
    'softmax': (1, lambda z, y: L.softmax_box_loss(z, y), slow_softmax),
    'balanced softmax': (
        1,
        lambda z, y: L.balanced_softmax_box_loss(z, y, COUNTS),
        lambda z, y: slow_balanced_softmax(z, y, COUNTS.tolist()),
    ),
    'sigmoid': (0, lambda z, y: L.sigmoid_box_loss(z, y), slow_sigmoid),
    'balanced sigmoid': (
        0,
        lambda z, y: L.balanced_sigmoid_box_loss(z, y, FREQUENCY.double()),
        lambda z, y: slow_sigmoid(z, y, FREQUENCY.double().tolist()),
    ),
    'EQL': (
        0,
        lambda z, y: L.equalization_box_loss(z, y, FREQUENCY.double(), 0.05),
        lambda z, y: slow_sigmoid(z, y, FREQUENCY.double().tolist(), 0.05),
    ),
    'seesaw': (
        2,
        lambda z, y: sum(L.seesaw_box_loss(z, y, COUNTS)),
        lambda z, y: math.fsum(slow_seesaw(z, y, COUNTS.tolist(), 0.8, 2.0)),
    ),
}
each_loss = pytest.mark.parametrize('name', LOSSES)


@each_loss
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_agrees_with_the_slow_reference(name, seed):
    extra, fast, slow = LOSSES[name]
    logits, target = case(seed, extra)
    assert 0 < (target > 0).sum() < len(target) and target.max() == K
    loss = fast(logits, target)
    assert loss.shape == () and loss.dtype == D
    assert loss.item() == pytest.approx(slow(logits.tolist(), target.tolist()), abs=1e-12, rel=1e-12)


@pytest.mark.parametrize('name', [name for name in LOSSES if name != 'seesaw'])
def test_gradient_is_right(name):
    extra, fast, _ = LOSSES[name]
    logits, target = case(3, extra, size=6)
    assert gradcheck(lambda z: fast(z, target), (logits.requires_grad_(),))


def test_the_weights_of_seesaw_carry_no_gradient():
    logits, target = case(4, 2, size=6)
    logits.requires_grad_()
    L.seesaw_box_loss(logits, target, COUNTS)[1].backward()
    frozen = logits.detach()[:, 2:].softmax(dim=1)
    rows = []
    for row, y, s in zip(logits.detach()[:, 2:], target.tolist(), frozen, strict=True):
        if y == 0:
            rows.append(torch.zeros(K, dtype=D))
            continue
        ratio = COUNTS.double() / COUNTS[y - 1]
        weight = ratio.clamp_max(1) ** 0.8 * (s / s[y - 1].clamp_min(0.01)).clamp_min(1) ** 2
        weight[y - 1] = 1
        probability = (row + weight.log()).softmax(dim=0)
        probability[y - 1] -= 1
        rows.append(probability / len(target))
    torch.testing.assert_close(logits.grad[:, 2:], torch.stack(rows), rtol=1e-10, atol=1e-12)


@each_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(name, dtype):
    extra, fast, _ = LOSSES[name]
    logits, target = case(5, extra)
    half = logits.to(dtype)
    assert fast(half, target).dtype == torch.float32
    torch.testing.assert_close(fast(half, target), fast(half.float(), target), rtol=0, atol=0)


# ------------------------------------------------------------------ identities
def test_only_foreground_proposals_are_shifted():
    logits, target = case(6, 0)
    background = target == 0
    moved = L.balanced_sigmoid_box_loss(logits, torch.where(background, 0, target), FREQUENCY)
    parts = [
        L.sigmoid_box_loss(logits[background], target[background]) * background.sum(),
        L.balanced_sigmoid_loss(logits[~background], L.boxes.multi_hot(target[~background], K), FREQUENCY)
        * (~background).sum(),
    ]
    torch.testing.assert_close(moved, sum(parts) / len(target))
    alone = L.balanced_sigmoid_box_loss(logits[background], target[background], FREQUENCY)
    assert torch.equal(alone, L.sigmoid_box_loss(logits[background], target[background]))


def test_with_every_frequency_one_half_balanced_sigmoid_is_the_plain_one():
    logits, target = case(7, 0)
    half = torch.full((K,), 0.5)
    assert torch.equal(L.balanced_sigmoid_box_loss(logits, target, half), L.sigmoid_box_loss(logits, target))


def test_with_equal_counts_balanced_softmax_is_the_plain_one():
    logits, target = case(8, 1)
    equal = torch.full((K,), 37)
    assert torch.equal(L.balanced_softmax_box_loss(logits, target, equal), L.softmax_box_loss(logits, target))


def test_balanced_softmax_shifts_the_foreground_alone():
    counts = torch.tensor([30.0, 10, 5, 3, 2])  # the mean is 10
    target = torch.tensor([0])
    loss = L.balanced_softmax_box_loss(torch.zeros(1, K + 1, dtype=D), target, counts)
    assert loss.item() == pytest.approx(math.log(1 + 3 + 1 + 0.5 + 0.3 + 0.2), rel=1e-12)


def test_equalization_spares_rare_classes_from_other_objects_but_not_from_the_background():
    logits = torch.zeros(3, K, dtype=D, requires_grad=True)
    target = torch.tensor([0, 1, 5])  # background, a frequent class, the rarest
    L.equalization_box_loss(logits, target, FREQUENCY, 0.05).backward()
    pushed = logits.grad * 3
    assert pushed[0].tolist() == [0.5] * K
    assert pushed[1].tolist() == [-0.5, 0.5, 0.5, 0, 0]
    assert pushed[2].tolist() == [0.5, 0.5, 0.5, 0, -0.5]


def test_seesaw_without_its_factors_is_a_softmax_of_the_foreground():
    logits, target = case(9, 2)
    objectness, classes = L.seesaw_box_loss(logits, target, COUNTS, p=0, q=0)
    foreground = target > 0
    expected = L.cross_entropy_loss(logits[foreground][:, 2:], target[foreground] - 1) * foreground.sum() / len(target)
    torch.testing.assert_close(classes, expected)
    torch.testing.assert_close(objectness, L.cross_entropy_loss(logits[:, :2], foreground.long()))


def test_seesaw_of_background_alone_has_no_class_loss():
    logits, _ = case(10, 2)
    logits.requires_grad_()
    objectness, classes = L.seesaw_box_loss(logits, torch.zeros(len(logits), dtype=torch.int64), COUNTS)
    (objectness + classes).backward()
    assert classes.item() == 0 and logits.grad[:, 2:].abs().max() == 0


def test_counts_that_do_not_fit_are_refused():
    logits, target = case(11, 1)
    with pytest.raises(ValueError, match='the logits have 5 classes'):
        L.balanced_softmax_box_loss(logits, target, torch.ones(K + 1))
