"""Distillation of features against slow references on lists of floats; teachers side by side; CBD as a whole."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from mmlt.errors import UserError
from mmlt.models import losses as L
from mmlt.models.step import Outputs, step_of
from mmlt.registry import MODELS

D = torch.float64
COUNTS = [60, 20, 6, 2]


# ------------------------------------------------------------------ slow references
def length(row):
    return math.sqrt(math.fsum(x * x for x in row))


def unit(row):
    return [x / length(row) for x in row]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def slow_cosine(student, teacher):
    return math.fsum(1 - dot(unit(s), unit(t)) for s, t in zip(student, teacher, strict=True)) / len(student)


def slow_l2(student, teacher):
    return math.fsum(math.fsum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / 2
                     for s, t in zip(student, teacher, strict=True)) / len(student)  # fmt: skip


def slow_joined(features):
    return [unit([x for own in rows for x in unit(own)]) for rows in zip(*features, strict=True)]


def slow_relations(student, teacher):
    def similarities(rows):
        return [unit([dot(a, b) for b in rows]) for a in rows]

    pairs = zip(similarities(student), similarities(teacher), strict=True)
    return math.fsum((a - b) ** 2 for s, t in pairs for a, b in zip(s, t, strict=True)) / len(student) ** 2


FUNCTIONS = {
    'cosine': (L.cosine_feature_loss, slow_cosine, 5),
    'l2': (L.l2_feature_loss, slow_l2, 5),
    'relations': (L.similarity_preserving_loss, slow_relations, 3),
}
each_function = pytest.mark.parametrize('name', FUNCTIONS)


def pair_of(name, seed=0):
    g = torch.Generator().manual_seed(seed)
    width = FUNCTIONS[name][2]
    return torch.randn(6, 5, generator=g, dtype=D), torch.randn(6, width, generator=g, dtype=D)


@each_function
@pytest.mark.parametrize('seed', range(3))
def test_agrees_with_the_slow_reference(name, seed):
    fast, slow, _ = FUNCTIONS[name]
    student, teacher = pair_of(name, seed)
    loss = fast(student, teacher)
    assert loss.dtype == D and loss.item() == pytest.approx(slow(student.tolist(), teacher.tolist()), rel=1e-12)


@each_function
def test_gradient_is_right_and_none_reaches_the_teacher(name):
    fast = FUNCTIONS[name][0]
    student, teacher = pair_of(name)
    assert gradcheck(lambda s: fast(s, teacher), (student.requires_grad_(),))
    fast(student, teacher.requires_grad_()).backward()
    assert teacher.grad is None and student.grad.abs().sum() > 0


@each_function
def test_it_is_zero_where_both_agree_and_half_precision_is_raised(name):
    fast = FUNCTIONS[name][0]
    student, _ = pair_of(name)
    assert fast(student, student).item() == pytest.approx(0, abs=1e-12)
    half = fast(student.bfloat16(), student.bfloat16().double() * 1.5)
    assert half.dtype in (torch.float32, D)


def test_relations_know_no_turn_of_the_features_and_no_scale():
    student, teacher = pair_of('relations')
    turn = torch.linalg.qr(torch.randn(5, 5, dtype=D)).Q
    one, other = (L.similarity_preserving_loss(s, teacher).item() for s in (student, 3 * student @ turn))
    assert one == pytest.approx(other, rel=1e-10) and one > 1e-3


def test_joined_features():
    g = torch.Generator().manual_seed(1)
    features = [torch.randn(4, width, generator=g, dtype=D) for width in (3, 5, 2)]
    expected = slow_joined([own.tolist() for own in features])
    assert torch.allclose(L.joined_features(features), torch.tensor(expected, dtype=D), rtol=1e-12, atol=1e-13)
    one = L.joined_features(features[:1])
    assert torch.allclose(one, torch.tensor([unit(row) for row in features[0].tolist()], dtype=D), atol=1e-13)
    # Every teacher has the same say, however long its features are.
    assert torch.allclose(L.joined_features([7 * features[0], features[1]]), L.joined_features(features[:2]), atol=1e-13)


# ------------------------------------------------------------------ terms
def outputs(width, seed, size=6):
    g = torch.Generator().manual_seed(seed)
    return Outputs(torch.randn(size, width, generator=g, dtype=D), torch.randn(size, 4, generator=g, dtype=D))


def loss_of(term, student, *teachers):
    step = step_of(student, torch.zeros(6, dtype=torch.int64), torch.tensor(COUNTS), {'teacher': list(teachers)})
    (value,) = term(step).values()
    return value.item()


def test_one_teacher_side_by_side_is_the_plain_cosine():
    joined = MODELS.build(dict(type='JoinedFeatureDistillHead', weight=3.0))
    plain = MODELS.build(dict(type='FeatureDistillHead', in_channels=5, weight=3.0))
    student, teacher = outputs(5, 0), outputs(5, 1)
    assert loss_of(joined, student, teacher) == pytest.approx(loss_of(plain, student, teacher), rel=1e-12)


def test_several_teachers_are_one_target_or_several_by_weight():
    student, first, second = outputs(8, 0), outputs(3, 1), outputs(5, 2)
    joined = MODELS.build(dict(type='JoinedFeatureDistillHead'))
    expected = slow_cosine(student.features.tolist(), slow_joined([first.features.tolist(), second.features.tolist()]))
    assert loss_of(joined, student, first, second) == pytest.approx(expected, rel=1e-12)
    relation = dict(type='RelationDistillHead', weight=2.0)
    weighted = loss_of(MODELS.build(dict(relation, teacher_weights=[3, 1])), student, first, second)
    apart = [slow_relations(student.features.tolist(), own.features.tolist()) for own in (first, second)]
    assert weighted == pytest.approx(2 * (3 * apart[0] + apart[1]) / 4, rel=1e-12)


def test_l2_and_its_projection():
    term = MODELS.build(dict(type='FeatureDistillHead', in_channels=5, teacher_channels=3, distance='l2')).double()
    student, teacher = outputs(5, 0), outputs(3, 1)
    projected = student.features @ term.projection.weight.T
    expected = slow_l2(projected.tolist(), teacher.features.tolist())
    assert loss_of(term, student, teacher) == pytest.approx(expected, rel=1e-12)


def test_wrong_settings_are_named():
    with pytest.raises(UserError, match="no distance 'l3': choose one of cosine, l2"):
        MODELS.build(dict(type='FeatureDistillHead', distance='l3'))
    with pytest.raises(UserError, match=r'10 features side by side and the student 5: project it.*out_channels=10'):
        loss_of(MODELS.build(dict(type='JoinedFeatureDistillHead')), outputs(5, 0), outputs(5, 1), outputs(5, 2))


# ------------------------------------------------------------------ CBD
def network(kind='LongTailedClassifier', seed=0, head=None, **more):
    torch.manual_seed(seed)
    head = head or dict(type='LinearHead', num_classes=4)
    model = MODELS.build(dict(type=kind, backbone=dict(type='ResNetCIFAR', depth=8), head=head, **more))
    model.set_class_counts(COUNTS)
    return model


def cbd(teachers: int, **more):
    """A student and its teachers, in float64, whose batch statistics are not the initial ones."""
    frozen = [network(seed=seed + 1) for seed in range(teachers)]
    for teacher in frozen:
        for module in teacher.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
    neck = dict(neck=dict(type='ProjectionNeck', in_channels=64, out_channels=64 * teachers)) if teachers > 1 else {}
    head = dict(type='CosineHead', num_classes=4, scale=20.0)
    student = network('CBDClassifier', head=head, **neck, **more)
    student.attach('teacher', frozen)
    student.set_epoch(0)
    return student.double(), [teacher.double() for teacher in frozen]



@pytest.mark.parametrize('teachers', [1, 4])
def test_a_step_equals_a_plain_loop(teachers):
    student, frozen = cbd(teachers)
    other = copy.deepcopy(student)
    images, target = torch.randn(6, 3, 8, 8, dtype=D), torch.tensor([0, 0, 1, 2, 3, 1])
    loss = sum(student.train()(images, target, mode='loss').values())
    loss.backward()
    other.train()
    maps = other.backbone(images)
    h = (maps[-1] if isinstance(maps, (tuple, list)) else maps).mean((2, 3))
    if teachers > 1:
        h = (h @ other.neck.linear.weight.T + other.neck.linear.bias).clamp(min=0)
    f_s = h / h.norm(dim=1, keepdim=True)
    with torch.no_grad():
        each = [teacher.outputs(images).features for teacher in frozen]
        f_t = torch.cat([own / own.norm(dim=1, keepdim=True) for own in each], dim=1)
        f_t = f_t / f_t.norm(dim=1, keepdim=True)
    w = other.head.weight
    z = 20 * f_s @ (w / w.norm(dim=1, keepdim=True)).T
    expected = 0.6 * F.cross_entropy(z, target) + 0.4 * 100 * (1 - (f_s * f_t).sum(1)).mean()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    for (name, a), (_, b) in zip(student.named_parameters(), other.named_parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-6, atol=1e-9), name


def test_head_and_distillation_read_the_same_feature():
    student, _ = cbd(2)
    outputs = student.eval().outputs(torch.randn(3, 3, 8, 8, dtype=D))
    assert outputs.features.shape == (3, 128) and torch.allclose(outputs.features.norm(dim=1), torch.ones(3, dtype=D))
    assert (outputs.features >= 0).all()
    assert torch.allclose(student.head(outputs.features), outputs.logits)
    assert 'scale' not in dict(student.head.named_parameters()) and student.head.scale == 20


def test_alpha_of_zero_is_cross_entropy_and_of_one_no_label():
    images, target = torch.randn(4, 3, 8, 8, dtype=D), torch.tensor([0, 1, 2, 3])
    student, _ = cbd(1, alpha=0.0)
    losses = student.eval()(images, target, mode='loss')
    plain = F.cross_entropy(student(images), target)
    assert losses['loss_feature'] == 0 and losses['loss_cls'].item() == pytest.approx(plain.item(), rel=1e-12)
    student, _ = cbd(1, alpha=1.0, beta=2.0)
    assert student(images, target, mode='loss')['loss_cls'] == 0
    with pytest.raises(UserError, match='alpha must be a number of at least 0 and at most 1'):
        cbd(1, alpha=1.5)
