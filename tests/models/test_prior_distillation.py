"""DiVE and LTKD against slow references on lists of floats, and what they come to in the limits."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from mmlt.models import losses as L
from mmlt.models.losses.group_distillation import (
    cross_group_loss,
    frequency_groups,
    group_log_masses,
    within_group_loss,
)
from mmlt.models.step import Outputs, step_of
from mmlt.models.terms import prior_distillation
from mmlt.registry import MODELS

D = torch.float64
COUNTS = torch.tensor([3, 50, 20, 7, 100, 9, 1])
GROUPS = [2, 0, 1, 1, 0, 1, 2]  # two, three and two of the seven, by hand
T = 2.0


# ------------------------------------------------------------------ slow references
def softmax(row, temperature=T):
    e = [math.exp(z / temperature) for z in row]
    return [v / math.fsum(e) for v in e]


def kl(p, q):
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def slow_dive(student, teacher, temperature, power):
    total = []
    for s, t in zip(student, teacher, strict=True):
        q = [p**power for p in softmax(t, temperature)]
        total.append(kl([v / math.fsum(q) for v in q], softmax(s, temperature)))
    return temperature**2 * mean(total)


def masses(p):
    return [math.fsum(p[c] for c in range(7) if GROUPS[c] == g) for g in range(3)]


def slow_ltkd(student, teacher, alpha, beta, others=()):
    """Of the images of a rank; `others` are the teacher's logits on the other ranks."""
    totals = [math.fsum(column) for column in zip(*[masses(softmax(t)) for t in [*teacher, *others]], strict=True)]
    between, within = [], []
    for s, t in zip(student, teacher, strict=True):
        p_s, p_t = softmax(s), softmax(t)
        m_s, m_t = masses(p_s), masses(p_t)
        scaled = [m * mean(totals) / total for m, total in zip(m_t, totals, strict=True)]
        between.append(kl([v / math.fsum(scaled) for v in scaled], m_s))
        for g in range(3):
            own = [c for c in range(7) if GROUPS[c] == g]
            within.append(kl([p_t[c] / m_t[g] for c in own], [p_s[c] / m_s[g] for c in own]))
    return T**2 * (alpha * mean(between) + beta * math.fsum(within) / len(student))


def logits(seed, size=6):
    g = torch.Generator().manual_seed(seed)
    return tuple(2 * torch.randn(size, 7, generator=g, dtype=D) for _ in range(2))


def term(**settings):
    built = MODELS.build(dict(type='GroupDistillHead', temperature=T, **settings))
    built.bind(MODELS.build(dict(type='LongTailedClassifier', backbone=dict(type='ResNetCIFAR', depth=8),
                                 head=dict(type='LinearHead', num_classes=7))))  # fmt: skip
    built.set_class_counts(COUNTS)
    return built


def loss_of(built, student, teacher, classes=None):
    outputs = Outputs(student[:, :2], student), Outputs(teacher[:, :2], teacher, classes=classes)
    step = step_of(outputs[0], torch.zeros(len(student), dtype=torch.int64), COUNTS, {'teacher': [outputs[1]]})
    (value,) = built(step).values()
    return value


# ------------------------------------------------------------------ DiVE
@pytest.mark.parametrize('power', [0.5, 0.3, 1.0, 0.0])
@pytest.mark.parametrize('temperature', [2.0, 3.0])
def test_virtual_examples_agree_with_the_slow_reference(power, temperature):
    student, teacher = logits(1)
    loss = L.virtual_example_loss(student, teacher, temperature, power)
    assert loss.dtype == D
    assert loss.item() == pytest.approx(slow_dive(student.tolist(), teacher.tolist(), temperature, power), rel=1e-11)
    built = MODELS.build(dict(type='VirtualExampleDistillHead', temperature=temperature, power=power, weight=0.5))
    assert loss_of(built, student, teacher).item() == pytest.approx(loss.item() / 2, rel=1e-12)


def test_a_power_of_one_is_plain_distillation_and_gradients_are_right():
    student, teacher = logits(2)
    plain = L.distillation_loss(student, teacher, 3.0)
    assert L.virtual_example_loss(student, teacher, 3.0, 1.0).item() == pytest.approx(plain.item(), rel=1e-12)
    assert gradcheck(lambda s: L.virtual_example_loss(s, teacher, 3.0, 0.5), (student.requires_grad_(),))
    L.virtual_example_loss(student, teacher.requires_grad_(), 3.0, 0.5).backward()
    assert teacher.grad is None
    with pytest.raises(ValueError, match='temperature must be more than 0'):
        L.virtual_example_loss(student, teacher, 0.0, 0.5)


def test_a_sure_teacher_does_not_overflow():
    teacher = torch.tensor([[3e3, 0.0, -3e3, 0, 0, 0, 0]], dtype=D)
    student = torch.zeros(1, 7, dtype=D, requires_grad=True)
    for loss in (L.virtual_example_loss(student, teacher, 2.0, 0.5), loss_of(term(), student, teacher)):
        loss.backward()
        assert loss.isfinite() and student.grad.isfinite().all()


# ------------------------------------------------------------------ LTKD
@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(('alpha', 'beta'), [(1.0, 1.0), (0.7, 0.0), (0.0, 2.5)])
def test_ltkd_agrees_with_the_slow_reference(seed, alpha, beta):
    student, teacher = logits(seed)
    loss = loss_of(term(alpha=alpha, beta=beta), student, teacher)
    assert loss.dtype == D
    assert loss.item() == pytest.approx(slow_ltkd(student.tolist(), teacher.tolist(), alpha, beta), rel=1e-11)


@pytest.mark.parametrize('seed', range(3))
def test_the_divergence_is_the_sum_of_its_parts(seed):
    """KL(p_t || p_s) = KL(P_t || P_s) + sum over g of P_t,g KL(p~_t,g || p~_s,g)."""
    student, teacher = logits(seed)
    groups = torch.tensor(GROUPS)
    ours, theirs = (group_log_masses(own, groups, 3, T) for own in (student, teacher))
    within = within_group_loss(student, teacher, groups, T, (ours, theirs), weights=theirs.exp())
    whole = mean(kl(softmax(t), softmax(s)) for s, t in zip(student.tolist(), teacher.tolist(), strict=True))
    assert (cross_group_loss(ours, theirs) + within).item() == pytest.approx(whole, rel=1e-11)
    expected = [masses(softmax(row)) for row in teacher.tolist()]
    assert torch.allclose(theirs.exp(), torch.tensor(expected, dtype=D), rtol=1e-12)


def test_equal_totals_change_nothing_and_unequal_ones_favour_the_group_with_less():
    student, teacher = logits(4)
    groups = torch.tensor(GROUPS)
    ours, theirs = (group_log_masses(own, groups, 3, T) for own in (student, teacher))
    plain = cross_group_loss(ours, theirs).item()
    assert cross_group_loss(ours, theirs, torch.full((3,), 2.7, dtype=D)).item() == pytest.approx(plain, rel=1e-12)
    # A student with the masses p has the least loss where the target is p: so the target is found by its gradient.
    masses_of_student = theirs.clone().requires_grad_()
    cross_group_loss(masses_of_student, theirs, torch.tensor([4.0, 1.0, 1.0], dtype=D)).backward()
    target = -masses_of_student.grad * len(theirs)
    assert (target[:, 0] < theirs.exp()[:, 0]).all() and (target[:, 1:] > theirs.exp()[:, 1:]).all()
    assert torch.allclose(target.sum(1), torch.ones(6, dtype=D))


def test_one_group_is_plain_distillation():
    student, teacher = logits(5)
    built = term()
    built.groups.zero_()
    built.num_groups = 1
    plain = L.distillation_loss(student, teacher, T)
    assert loss_of(built, student, teacher).item() == pytest.approx(plain.item(), rel=1e-11)


def test_gradient_is_right_and_none_reaches_the_teacher():
    student, teacher = logits(6, size=3)
    built = term()
    assert gradcheck(lambda s: loss_of(built, s, teacher), (student.requires_grad_(),))
    loss_of(built, student, teacher.requires_grad_()).backward()
    assert teacher.grad is None


def test_half_precision_is_raised_before_anything_is_computed():
    student, teacher = (own.bfloat16() for own in logits(3))
    halves = loss_of(term(), student, teacher).item()
    assert halves == pytest.approx(slow_ltkd(student.double().tolist(), teacher.double().tolist(), 1, 1), rel=1e-5)
    virtual = L.virtual_example_loss(student, teacher, 3.0, 0.5).item()
    assert virtual == pytest.approx(slow_dive(student.double().tolist(), teacher.double().tolist(), 3.0, 0.5), rel=1e-5)


def test_the_totals_are_those_of_all_ranks(monkeypatch):
    student, teacher = logits(7, size=8)
    halves = []

    def all_reduce(totals, op):
        """As on two ranks: what the other one has is added."""
        assert op == 'sum'
        totals += torch.tensor([math.fsum(column) for column in zip(*map(masses, map(softmax, halves[0])), strict=True)])

    monkeypatch.setattr(prior_distillation, 'all_reduce', all_reduce)
    losses = []
    for own, other in ((slice(0, 4), slice(4, 8)), (slice(4, 8), slice(0, 4))):
        halves[:] = [teacher[other].tolist()]
        loss = loss_of(term(), student[own], teacher[own]).item()
        assert loss == pytest.approx(slow_ltkd(student[own].tolist(), teacher[own].tolist(), 1, 1, halves[0]), rel=1e-6)
        losses.append(loss)
    monkeypatch.undo()
    assert mean(losses) == pytest.approx(loss_of(term(), student, teacher).item(), rel=1e-6)


def test_a_teacher_of_some_classes_has_its_own_groups():
    student, teacher = logits(8)
    classes = torch.tensor([1, 4, 0, 6])  # none of the middle group
    loss = loss_of(term(), student, teacher[:, :4], classes=classes)
    four = frequency_groups(COUNTS)[classes]
    assert four.tolist() == [0, 0, 2, 2]
    totals = [0.0, 0.0]
    for t in teacher[:, :4].tolist():
        p = softmax(t)
        totals = [totals[0] + p[0] + p[1], totals[1] + p[2] + p[3]]
    parts = []
    for s, t in zip(student[:, classes].tolist(), teacher[:, :4].tolist(), strict=True):
        p_s, p_t = softmax(s), softmax(t)
        m_s, m_t = ([p[0] + p[1], p[2] + p[3]] for p in (p_s, p_t))
        scaled = [m / total for m, total in zip(m_t, totals, strict=True)]
        parts.append(kl([v / sum(scaled) for v in scaled], m_s))
        for g, own in enumerate(((0, 1), (2, 3))):
            parts.append(kl([p_t[c] / m_t[g] for c in own], [p_s[c] / m_s[g] for c in own]))
    assert loss.item() == pytest.approx(T**2 * math.fsum(parts) / 6, rel=1e-10)


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [
        (COUNTS.tolist(), GROUPS),
        (range(100, 0, -1), [0] * 33 + [1] * 34 + [2] * 33),
        (range(1, 11), [2] * 3 + [1] * 4 + [0] * 3),
        ([5, 5, 5], [0, 1, 2]),
        ([4, 9], [1, 0]),
        ([3], [0]),
    ],
)
def test_groups_by_frequency(counts, expected):
    assert frequency_groups(torch.tensor(list(counts))).tolist() == expected


# ------------------------------------------------------------------ the classifiers
def classifier(kind, counts, **settings):
    torch.manual_seed(0)
    head = dict(type='LinearHead', num_classes=7)
    model = MODELS.build(dict(type=kind, backbone=dict(type='ResNetCIFAR', depth=8), head=head, **settings))
    model.set_class_counts(counts)
    teacher = MODELS.build(dict(type='LongTailedClassifier', backbone=dict(type='ResNetCIFAR', depth=8), head=head))
    model.attach('teacher', [teacher])
    model.set_epoch(0)
    return model.double().eval(), teacher.double()


IMAGES, TARGET = torch.randn(6, 3, 8, 8, dtype=D, generator=torch.Generator().manual_seed(3)), torch.arange(6)


def test_a_step_of_dive():
    model, teacher = classifier('DiVEClassifier', COUNTS.tolist(), alpha=0.3)
    losses = model(IMAGES, TARGET, mode='loss')
    student = model(IMAGES)
    balanced = F.cross_entropy(student + COUNTS.double().log(), TARGET)
    virtual = slow_dive(student.tolist(), teacher(IMAGES).tolist(), 3.0, 0.5)
    assert losses['loss_cls'].item() == pytest.approx(0.7 * balanced.item(), rel=1e-10)
    assert losses['loss_dive'].item() == pytest.approx(0.3 * virtual, rel=1e-9)


def test_with_equal_counts_and_a_power_of_one_dive_is_plain_distillation():
    model, teacher = classifier('DiVEClassifier', [9] * 7, power=1.0, temperature=2.0)
    plain = F.cross_entropy(model(IMAGES), TARGET) + L.distillation_loss(model(IMAGES), teacher(IMAGES), 2.0)
    assert sum(model(IMAGES, TARGET, mode='loss').values()).item() == pytest.approx(plain.item() / 2, rel=1e-10)


def test_a_step_of_ltkd():
    model, teacher = classifier('LTKDClassifier', COUNTS.tolist(), alpha=0.5, beta=1.5)
    losses = model(IMAGES, TARGET, mode='loss')
    student = model(IMAGES)
    assert losses['loss_cls'].item() == pytest.approx(F.cross_entropy(student, TARGET).item(), rel=1e-12)
    expected = slow_ltkd(student.tolist(), teacher(IMAGES).tolist(), 0.5, 1.5)
    assert losses['loss_ltkd'].item() == pytest.approx(expected, rel=1e-9)
