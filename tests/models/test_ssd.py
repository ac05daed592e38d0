"""SSD: contrast with images of other labels, two heads on one feature, and what the stages hand on."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from mmlt.batch import Batch
from mmlt.config.load import load_config
from mmlt.errors import UserError
from mmlt.models.losses.contrastive import info_nce_loss
from mmlt.registry import MODELS

D = torch.float64
COUNTS = [60, 20, 6, 2]
SIZES = {'resnet8_digitslt': 342, 'resnet32_cifar100lt': 10847, 'resnet32_cifar10lt': 12406}


def build(kind='LongTailedClassifier', seed=0, **settings):
    torch.manual_seed(seed)
    head = dict(type='LinearHead', num_classes=4)
    backbone = dict(type='ResNetCIFAR', depth=8, base_channels=4)
    model = MODELS.build(dict(type=kind, backbone=backbone, head=head, **settings))
    model.set_class_counts(COUNTS)
    model.set_epoch(0)
    return model


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


# ------------------------------------------------------------------ stage 1
def stage1(**settings):
    contrast = dict(type='OtherLabelContrast', dim=6, queue_size=10, momentum=0.7, **settings)
    model = build(terms=[contrast])  # in float32, as its queue
    model.init_weights()
    return model, model.terms[1]


def views(seed, size=4, dtype=torch.float32):
    return torch.randn(2, size, 3, 8, 8, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def slow_contrast(queries, keys, target, queue, temperature=0.2):
    """One anchor after the other: its own key against the entries of other labels."""
    losses = []
    for q, k, y in zip(queries, keys, target, strict=True):
        scores = [dot(q, k) / temperature, *(dot(q, key) / temperature for key, label in queue if label != y)]
        losses.append(math.log(math.fsum(map(math.exp, scores))) - scores[0])
    return math.fsum(losses) / len(losses)


def test_the_contrast_leaves_out_entries_with_the_anchors_label():
    model, term = stage1()
    queue = []
    for number, target in enumerate(([0, 1, 2, 3], [0, 0, 1, 0], [3, 0, 0, 1], [0, 1, 1, 2])):
        images, labels = views(number), torch.tensor(target)
        step = model.step(Batch(images, labels, None, None))
        with torch.no_grad():  # in training mode, as in the step; statistics play no part in it
            encoder = copy.deepcopy(term.encoder)
            keys = encoder(images[1]).tolist()
            queries = term.projector(step.outputs().features).tolist()
        loss = term(step)['loss_contrast']
        assert loss.item() == pytest.approx(slow_contrast(queries, keys, target, queue), rel=1e-4, abs=1e-6), number
        model.end_step(updated=True)
        queue = [*queue, *zip(keys, target, strict=True)][-10:]  # of the newest ten
    assert sorted(term.queue.labels.tolist()) == sorted(label for _, label in queue)


def test_an_anchor_whose_label_fills_the_queue_has_no_negatives_and_others_all():
    model, term = stage1()
    term.queue.features.copy_(F.normalize(torch.randn(10, 6), dim=1))
    term.queue.labels.fill_(2)
    step = model.step(Batch(views(9), torch.tensor([2, 2, 2, 2]), None, None))
    loss = term(step)['loss_contrast']
    loss.backward()
    assert loss == 0 and all(p.grad.isfinite().all() for p in term.projector.parameters())
    step = model.step(Batch(views(9), torch.tensor([0, 1, 3, 0]), None, None))
    encoder = copy.deepcopy(term.encoder)
    plain = info_nce_loss(
        term.projector(step.outputs().features), encoder(step.images[1]), term.queue.features, term.queue.filled, 0.2
    )
    assert term(step)['loss_contrast'].item() == pytest.approx(plain.item(), rel=1e-6)


def test_the_key_encoder_begins_as_a_copy_and_follows_before_its_next_batch():
    model, term = stage1()
    own = torch.nn.Sequential(*term.encoder._query).state_dict()
    assert all(torch.equal(value, own[name]) for name, value in term.encoder.key.state_dict().items())
    before = [p.clone() for p in term.encoder.key.parameters()]
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(1)
    model.end_step(updated=True)
    for old, new, query in zip(before, term.encoder.key.parameters(), term.encoder._pairs()[1], strict=True):
        assert torch.allclose(new, 0.7 * old + 0.3 * query)


def test_the_contrast_is_gone_at_test_time_and_refuses_mixing():
    model, _ = stage1()
    plain = build()
    names = plain.state_dict().keys()
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if name in names})
    assert torch.equal(model.eval()(views(1)[0]), plain.eval()(views(1)[0]))
    with pytest.raises(UserError, match='OtherLabelContrast cannot be mixed'):
        build(terms=[dict(type='OtherLabelContrast')], mixing=dict(type='Mixup'))


@pytest.mark.parametrize('data', SIZES)
def test_the_queue_holds_an_epoch_of_whole_batches(data):
    for ending in ('', '_30e') if 'cifar' in data else ('',):
        cfg = load_config(f'configs/ssd/{data}_stage1{ending}.py')
        batch = cfg.train_dataloader.batch_size
        (contrast,) = cfg.model.terms
        assert contrast.queue_size == SIZES[data] // batch * batch


# ------------------------------------------------------------------ stages 3 and 4
@pytest.fixture
def pair():
    """A student and its teacher, of LWS on a first stage."""
    teacher = build('LWSClassifier', seed=1)
    with torch.no_grad():
        teacher.scale.uniform_(0.5, 2)
        teacher.backbone.train()(torch.randn(16, 3, 8, 8) * 2 + 1)
    student = build('SSDClassifier', seed=2)
    student.attach('teacher', [teacher])
    return student.double(), teacher.double()


IMAGES, TARGET = views(5, size=6, dtype=D)[0], torch.tensor([0, 0, 1, 2, 3, 1])


def test_a_step_equals_a_plain_loop(pair):
    student, teacher = pair
    other = copy.deepcopy(student).train()
    loss = sum(student.train()(IMAGES, TARGET, mode='loss').values())
    loss.backward()
    features = other.network(IMAGES).features
    with torch.no_grad():
        p = torch.softmax(teacher(IMAGES) / 2, dim=1)
    soft = torch.log_softmax((features @ other.head.weight.T + other.head.bias) / 2, dim=1)
    hard = features @ other.hard_head.weight.T + other.hard_head.bias
    expected = F.cross_entropy(hard, TARGET) + 4 * (p * (p.log() - soft)).sum(1).mean()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    for (name, a), (_, b) in zip(student.named_parameters(), other.named_parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-6, atol=1e-9), name


def test_each_head_has_its_own_teacher_and_the_soft_one_predicts(pair):
    student, _ = pair
    losses = student(IMAGES, TARGET, mode='loss')
    hard, soft = student.hard_head.weight, student.head.weight
    assert torch.autograd.grad(losses['loss_cls'], soft, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(losses['loss_kd'], hard, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(losses['loss_cls'], hard, retain_graph=True)[0].any()
    assert torch.autograd.grad(losses['loss_kd'], soft, retain_graph=True)[0].any()
    outputs = student.eval().outputs(IMAGES)
    (record,) = student(IMAGES, TARGET, mode='predict')
    assert torch.equal(record['logits'], student.head(outputs.features).float())


def test_stage_four_scales_the_hard_head(pair):
    student, _ = pair
    scaled = build('SSDScalingClassifier', seed=7).double()
    scaled.attach('backbone', [student])
    assert torch.equal(scaled.head.weight, student.hard_head.weight)
    assert not torch.equal(scaled.head.weight, student.head.weight)
    assert [name for name, p in scaled.named_parameters() if p.requires_grad] == ['scale']
    features = student.eval().outputs(IMAGES).features
    assert torch.allclose(scaled.eval()(IMAGES), student.hard_head(features))
    with pytest.raises(UserError, match='scales the hard head of an SSDClassifier, and LongTailedClassifier has none'):
        build('SSDScalingClassifier').attach('backbone', [build()])


def test_experts_have_a_hard_head_each():
    backbone = dict(type='MultiExpertBackbone', backbone=dict(type='ResNetCIFAR', depth=8), num_experts=2, shared_stages=1)
    student = MODELS.build(dict(type='SSDClassifier', backbone=backbone, head=dict(type='LinearHead', num_classes=4)))
    student.set_class_counts(COUNTS)
    student.attach('teacher', [build()])
    losses = student.double()(IMAGES, TARGET, mode='loss')
    hard = student.hard_head(student.network(IMAGES).features)
    assert hard.shape == (6, 2, 4)
    expected = sum(F.cross_entropy(own, TARGET) for own in hard.unbind(1))
    assert losses['loss_cls'].item() == pytest.approx(expected.item(), rel=1e-10)
