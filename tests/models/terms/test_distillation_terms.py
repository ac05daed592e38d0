"""Distillation from several teachers, and from teachers of some of the classes, against loops."""

import math

import pytest
import torch

from mmlt.errors import UserError
from mmlt.models.terms import Outputs, step_of
from mmlt.priors import effective_number_weights
from mmlt.registry import MODELS

D = torch.float64
COUNTS = [60, 20, 6, 2]
B, K, C = 5, 4, 7
T, BETA = 2.0, 0.9
KINDS = {
    'LogitDistillHead': dict(temperature=T),
    'BalancedDistillHead': dict(num_classes=K, temperature=T, beta=BETA),
    'FeatureDistillHead': dict(in_channels=C),
}
each_kind = pytest.mark.parametrize('kind', KINDS)


def outputs(seed, classes=K, channels=C):
    generator = torch.Generator().manual_seed(seed)
    return Outputs(*(torch.randn(B, size, generator=generator, dtype=D) for size in (channels, classes)))


def loss_of(kind, student, teachers, **settings):
    term = MODELS.build(dict(type=kind, **{**KINDS[kind], **settings}))
    term.set_class_counts(torch.tensor(COUNTS))
    term.begin_epoch(0)
    step = step_of(student, torch.arange(B) % K, torch.tensor(COUNTS), {settings.get('role', 'teacher'): teachers})
    (loss,) = term(step).values()
    return loss


def slow(kind, student, teacher, classes=None):
    """One image after the other; `classes`, the student's column behind each of the teacher's."""
    classes = list(range(teacher.logits.shape[1])) if classes is None else classes
    weights = [1.0] * K
    if kind == 'BalancedDistillHead':
        weights = [(1 - BETA) / (1 - BETA**count) for count in COUNTS]
    total = 0.0
    for image in range(B):
        if kind == 'FeatureDistillHead':
            a, b = student.features[image], teacher.features[image]
            total += 1 - (a @ b / a.norm() / b.norm()).item()
            continue
        s = [student.logits[image, c].item() / T for c in classes]
        t = [z / T for z in teacher.logits[image].tolist()]
        log_z = math.log(math.fsum(map(math.exp, s)))
        q = [weights[c] * math.exp(z) for c, z in zip(classes, t, strict=True)]
        q = [one / math.fsum(q) for one in q]
        total += T**2 * math.fsum(a * (math.log(a) - (b - log_z)) for a, b in zip(q, s, strict=True))
    return total / B


@each_kind
@pytest.mark.parametrize('weights', [None, [1.0, 1.0, 1.0], [0.2, 0.0, 0.6]])
def test_several_teachers_are_averaged_by_their_weights(kind, weights):
    student, teachers = outputs(0), [outputs(seed) for seed in (1, 2, 3)]
    found = loss_of(kind, student, teachers, weight=0.7, teacher_weights=weights).item()
    each = [slow(kind, student, teacher) for teacher in teachers]
    w = weights or [1.0] * 3
    assert found == pytest.approx(0.7 * sum(a * b for a, b in zip(w, each, strict=True)) / sum(w), rel=1e-6)


@each_kind
def test_equal_teachers_are_one(kind):
    student, teacher = outputs(0), outputs(1)
    one = loss_of(kind, student, [teacher])
    torch.testing.assert_close(loss_of(kind, student, [teacher] * 3), one, rtol=1e-12, atol=0)
    torch.testing.assert_close(loss_of(kind, student, [teacher] * 2, teacher_weights=[0.3, 2.0]), one, rtol=1e-12, atol=0)


@pytest.mark.parametrize('kind', ['LogitDistillHead', 'BalancedDistillHead'])
@pytest.mark.parametrize('classes', [[2, 0], [3, 1, 2], [3, 2, 1, 0], [1]])
def test_a_teacher_of_some_classes_is_compared_on_those(kind, classes):
    student, teacher = outputs(0), outputs(1, len(classes))
    student.logits.requires_grad_()
    loss = loss_of(kind, student, [teacher._replace(classes=torch.tensor(classes))])
    assert loss.item() == pytest.approx(slow(kind, student, teacher, classes), rel=1e-6, abs=1e-12)
    loss.backward()
    others = [c for c in range(K) if c not in classes]
    assert not student.logits.grad[:, others].any()
    assert len(classes) == 1 or student.logits.grad[:, classes].abs().min() > 0


def test_a_teacher_of_all_and_one_of_some_classes_go_together():
    student, whole, part = outputs(0), outputs(1), outputs(2, 2)
    found = loss_of('LogitDistillHead', student, [whole, part._replace(classes=torch.tensor([3, 0]))])
    expected = (slow('LogitDistillHead', student, whole) + slow('LogitDistillHead', student, part, [3, 0])) / 2
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_class_weights_of_balanced_distillation_are_the_effective_numbers():
    weights = effective_number_weights(COUNTS, BETA).tolist()
    wanted = [(1 - BETA) / (1 - BETA**count) for count in COUNTS]
    assert weights == pytest.approx([K * one / sum(wanted) for one in wanted])  # what `slow` takes, up to a factor


def test_a_projection_bridges_features_of_another_size():
    student, teacher = outputs(0, channels=C), outputs(1, channels=3)
    term = MODELS.build(dict(type='FeatureDistillHead', in_channels=C, teacher_channels=3)).double()
    step = step_of(student, torch.zeros(B).long(), torch.tensor(COUNTS), dict(teacher=[teacher]))
    projected = student.features @ term.projection.weight.T
    expected = 1 - torch.nn.functional.cosine_similarity(projected, teacher.features).mean()
    torch.testing.assert_close(term(step)['loss_feature'].double(), expected, rtol=1e-6, atol=0)
    with pytest.raises(UserError, match='set teacher_channels=3 of FeatureDistillHead'):
        MODELS.build(dict(type='FeatureDistillHead', in_channels=C))(step)


@each_kind
def test_weights_of_other_teachers_are_refused(kind):
    with pytest.raises(UserError, match=f'{kind} has 2 teacher weights for 3 teachers'):
        loss_of(kind, outputs(0), [outputs(1)] * 3, teacher_weights=[1.0, 2.0])
    with pytest.raises(UserError, match='add up to nothing'):
        loss_of(kind, outputs(0), [outputs(1)] * 2, teacher_weights=[0.0, 0.0])


def test_an_expert_student_is_its_ensemble():
    generator = torch.Generator().manual_seed(4)
    experts = Outputs(*(torch.randn(B, 3, size, generator=generator, dtype=D) for size in (C, K)))
    mean = Outputs(experts.features.mean(1), experts.logits.mean(1))
    for kind in KINDS:
        torch.testing.assert_close(loss_of(kind, experts, [outputs(1)]), loss_of(kind, mean, [outputs(1)]))
