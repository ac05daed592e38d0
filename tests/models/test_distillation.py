"""BKD as a whole against a loop in plain PyTorch; a teacher that stays apart."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mmlt.errors import UserError
from mmlt.models.terms import Outputs, step_of
from mmlt.registry import MODELS

COUNTS = [60, 20, 6, 2]


def build(kind: str = 'BKDClassifier', **more) -> torch.nn.Module:
    head = dict(type='LinearHead', in_channels=64, num_classes=4)
    model = MODELS.build(dict(type=kind, backbone=dict(type='ResNetCIFAR', depth=8), head=head, **more))
    model.set_class_counts(COUNTS)
    return model


@pytest.fixture
def pair():
    torch.manual_seed(0)
    teacher, student = build('LongTailedClassifier'), build()
    for module in teacher.modules():  # statistics a fresh network does not have
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
    student.attach('teacher', [teacher])
    student.set_epoch(0)
    return student, teacher


def bkd_by_hand(student_logits, teacher_logits, target, temperature=2.0, beta=0.9999):
    """methods: q = w p_t renormalised; CE + T^2 KL(q || p_s), one image after the other."""
    weights = [(1 - beta) / (1 - beta**count) for count in COUNTS]
    total = 0.0
    for s, t, y in zip(student_logits, teacher_logits, target, strict=True):
        p = torch.exp(t / temperature) / torch.exp(t / temperature).sum()
        q = torch.stack([w * p_c for w, p_c in zip(weights, p, strict=True)])
        q = q / q.sum()
        log_s = s / temperature - torch.logsumexp(s / temperature, 0)
        total = total - torch.log_softmax(s, 0)[y] + temperature**2 * (q * (q.log() - log_s)).sum()
    return total / len(target)


def test_loss_and_gradients_of_a_step_equal_a_plain_loop(pair):
    student, teacher = (model.double() for model in pair)
    other = copy.deepcopy(student)
    student.train()
    other.train()
    images, target = torch.randn(8, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 0, 1, 2, 3, 1, 0, 2])
    loss = sum(student(images, target, mode='loss').values())
    loss.backward()
    features = F.adaptive_avg_pool2d(other.backbone(images)[-1], 1).flatten(1)
    with torch.no_grad():
        teacher_logits = teacher(images)
    expected = bkd_by_hand(other.head(features), teacher_logits, target)
    expected.backward()
    # The class weights are float32 in the model, as in the recipe's own code.
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for (name, a), (_, b) in zip(student.named_parameters(), other.named_parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-7), name


def test_the_teacher_stays_apart(pair):
    student, teacher = pair
    before = copy.deepcopy(teacher.state_dict())
    student.train()
    sum(student(torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3]), mode='loss').values()).backward()
    assert not teacher.training and not any(module.training for module in teacher.modules())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    own = {id(p) for p in student.parameters()}
    assert not own & {id(p) for p in teacher.parameters()}
    assert not any('teacher' in name for name in student.state_dict())
    assert student.state_dict().keys() == build('LongTailedClassifier').state_dict().keys()


def test_the_teacher_follows_the_student_to_another_type(pair):
    student, teacher = pair
    student.double()
    assert next(teacher.parameters()).dtype == torch.float64


def test_a_teacher_of_other_classes_or_counts_is_refused(pair):
    student, _ = pair
    other = MODELS.build(
        dict(
            type='LongTailedClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', in_channels=64, num_classes=5),
        )
    )
    with pytest.raises(UserError, match='5 classes'):
        student.attach('teacher', [other])
    counts = build('LongTailedClassifier')
    counts.set_class_counts([60, 20, 6, 3])
    with pytest.raises(UserError, match='other class counts'):
        student.attach('teacher', [counts])


def test_without_a_teacher_training_says_so_and_prediction_works():
    student = build()
    student.set_epoch(0)
    with pytest.raises(UserError, match='no teacher'):
        student(torch.randn(2, 3, 8, 8), torch.tensor([0, 1]), mode='loss')
    assert student(torch.randn(2, 3, 8, 8)).shape == (2, 4)


def test_before_the_start_epoch_bkd_is_plain_distillation(pair):
    _, teacher = pair
    torch.manual_seed(1)
    deferred = build(reweight_start_epoch=160)
    torch.manual_seed(1)
    plain = build('DistillationClassifier', distill_heads=[dict(type='LogitDistillHead', temperature=2.0)])
    images, target = torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    losses = {}
    for name, model in (('deferred', deferred), ('plain', plain)):
        model.attach('teacher', [teacher])
        for epoch in (159, 160):
            model.set_epoch(epoch)
            losses[name, epoch] = sum(model(images, target, mode='loss').values()).item()
    assert losses['deferred', 159] == pytest.approx(losses['plain', 159], rel=1e-6)
    assert losses['deferred', 160] != pytest.approx(losses['plain', 160], rel=1e-3)


def test_heads_combine(pair):
    _, teacher = pair
    student = build(distill_heads=[dict(type='FeatureDistillHead', in_channels=64, weight=0.5)])
    student.attach('teacher', [teacher])
    student.set_epoch(0)
    losses = student(torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3]), mode='loss')
    assert set(losses) == {'loss_cls', 'loss_bkd', 'loss_feature'}


def test_feature_head_is_one_minus_cosine():
    head = MODELS.build(dict(type='FeatureDistillHead', in_channels=5))
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    z = torch.zeros(6, 4)
    step = step_of(Outputs(a, z), torch.zeros(6).long(), torch.tensor(COUNTS), dict(teacher=[Outputs(b, z)]))
    loss = head(step)['loss_feature']
    expected = sum(1 - (x @ y) / (x.norm() * y.norm()) for x, y in zip(a, b, strict=True)) / 6
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
