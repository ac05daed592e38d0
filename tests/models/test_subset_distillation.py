"""RSKD against a slow reference on lists of floats; one subset of all classes is plain distillation."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from mmlt.batch import Batch
from mmlt.errors import UserError
from mmlt.models import losses as L
from mmlt.models.mixing.base import Mixed
from mmlt.models.step import Outputs, Prior, Step, step_of
from mmlt.registry import MODELS

D = torch.float64
COUNTS = torch.tensor([50, 20, 9, 4, 2])
SUBSETS = [[0, 1], [3, 1, 2], [2, 3, 4]]  # they overlap, and one has an order of its own
WEIGHTS = [1.0, 0.5, 2.0]
T = 2.0


def softmax(row):
    e = [math.exp(z / T) for z in row]
    return [v / math.fsum(e) for v in e]


def sigmoid(z):
    return 1 / (1 + math.exp(-z / T))


def kl_softmax(student, teacher):
    return math.fsum(p * math.log(p / q) for p, q in zip(softmax(teacher), softmax(student), strict=True))


def kl_binary(student, teacher):
    total = []
    for zs, zt in zip(student, teacher, strict=True):
        q, p = sigmoid(zs), sigmoid(zt)
        total.append(p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
    return math.fsum(total)


def slow(student, teachers, belongs, divergence):
    """`belongs(i, subset)`: how far image i belongs to it."""
    total = 0.0
    for i, row in enumerate(student):
        for weight, subset, teacher in zip(WEIGHTS, SUBSETS, teachers, strict=True):
            total += weight * belongs(i, subset) * divergence([row[c] for c in subset], teacher[i])
    return T**2 * total / len(student)


def case(seed=0, size=8):
    g = torch.Generator().manual_seed(seed)
    student = 2 * torch.randn(size, 5, generator=g, dtype=D)
    teachers = [2 * torch.randn(size, len(subset), generator=g, dtype=D) for subset in SUBSETS]
    labels = torch.randint(5, (size,), generator=g)
    many = (torch.rand(size, 5, generator=g) < 0.35).float()
    many[0] = 0
    return student, teachers, labels, many


def outputs(teachers):
    known = [torch.tensor(subset) for subset in SUBSETS]
    return [Outputs(z[:, :1], z, classes=classes) for z, classes in zip(teachers, known, strict=True)]


def loss_of(student, teachers, target, **settings):
    settings = dict(type='SubsetDistillHead', temperature=T, teacher_weights=WEIGHTS, **settings)
    term = MODELS.build(settings)
    step = step_of(Outputs(student[:, :2], student), target, COUNTS, {'teacher': teachers})
    return term(step)['loss_rskd']


@pytest.mark.parametrize('seed', range(4))
def test_it_agrees_with_the_slow_reference(seed):
    student, teachers, labels, many = case(seed)
    rows, told = student.tolist(), [z.tolist() for z in teachers]
    one = slow(rows, told, lambda i, subset: int(labels[i]) in subset, kl_softmax)
    assert loss_of(student, outputs(teachers), labels).item() == pytest.approx(one, rel=1e-10)
    several = slow(rows, told, lambda i, subset: any(many[i, c] for c in subset), kl_binary)
    assert loss_of(student, outputs(teachers), many, weight=3.0).item() == pytest.approx(3 * several, rel=1e-9)


def test_mixed_images_belong_by_their_shares():
    student, teachers, labels, _ = case(5)
    partner, share = labels.flip(0), torch.linspace(0, 1, 8, dtype=D)

    def belongs(i, subset):
        return float(share[i]) * (int(labels[i]) in subset) + (1 - float(share[i])) * (int(partner[i]) in subset)

    expected = slow(student.tolist(), [z.tolist() for z in teachers], belongs, kl_softmax)
    step = Step(
        Batch(student, labels, None, None), [student], lambda _: Outputs(student[:, :2], student), lambda out: out,
        Prior(COUNTS), {'teacher': outputs(teachers)}, Mixed(student, labels, partner, share),
    )  # fmt: skip
    term = MODELS.build(dict(type='SubsetDistillHead', temperature=T, teacher_weights=WEIGHTS))
    assert term(step)['loss_rskd'].item() == pytest.approx(expected, rel=1e-10)


def test_one_subset_of_all_classes_is_plain_distillation():
    student, _, labels, many = case(1)
    teacher = case(2)[0]
    for classes in (None, torch.arange(5)):
        known = {'teacher': [Outputs(teacher[:, :1], teacher, classes=classes)]}
        step = step_of(Outputs(student[:, :2], student), labels, COUNTS, known)
        subset = MODELS.build(dict(type='SubsetDistillHead', temperature=3.0))(step)['loss_rskd']
        plain = MODELS.build(dict(type='LogitDistillHead', temperature=3.0))(step)['loss_kd']
        assert subset.item() == pytest.approx(plain.item(), rel=1e-12)
    step = step_of(Outputs(student[:, :2], student), many, COUNTS, {'teacher': [Outputs(teacher[:, :1], teacher)]})
    subset = MODELS.build(dict(type='SubsetDistillHead', temperature=3.0))(step)['loss_rskd']
    plain = MODELS.build(dict(type='BinaryDistillHead', temperature=3.0))(step)['loss_kd']
    assert subset.item() == pytest.approx(plain.item(), rel=1e-12)
    assert plain.item() == pytest.approx(L.binary_distillation_loss(student, teacher, 3.0).mean().item(), rel=1e-12)


def test_gradients():
    student, teachers, labels, many = case(3, size=3)
    for target in (labels, many):
        assert gradcheck(lambda z, y=target: loss_of(z, outputs(teachers), y), (student.requires_grad_(),))
    loss_of(student, outputs([z.requires_grad_() for z in teachers]), labels).backward()
    assert all(z.grad is None for z in teachers)
    alone = student.detach().clone().requires_grad_()
    loss_of(alone, outputs(teachers), torch.zeros(3, dtype=torch.int64)).backward()
    assert not alone.grad[:, 2:].any() and alone.grad[:, :2].any()  # class 0 is in the first subset alone


def test_not_one_weight_for_each_teacher():
    student, teachers, labels, _ = case()
    with pytest.raises(UserError, match='3 teacher weights for 2 teachers'):
        loss_of(student, outputs(teachers)[:2], labels)
