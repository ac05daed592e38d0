"""PaCo, GPaCo and BCL whole: what is compared with what, what has a gradient, what is gone at test time."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmlt.errors import UserError
from mmlt.models.losses import balanced_contrastive_loss, balanced_softmax_loss, parametric_contrastive_loss
from mmlt.registry import MODELS

COUNTS = torch.tensor([60, 20, 5, 2])
KINDS = {'PaCoClassifier': 2, 'GPaCoClassifier': 2, 'BCLClassifier': 3}
each_method = pytest.mark.parametrize('kind', KINDS)
TARGET = torch.tensor([0, 0, 1, 3, 2, 0])


def build(kind, **options):
    torch.manual_seed(0)
    backbone = dict(type='ResNetCIFAR', depth=8, base_channels=4)
    head = options.pop('head', dict(type='LinearHead', in_channels=16, num_classes=4))
    projector = dict(in_channels=16, hidden=[8], out_channels=6, batch_norm=True)
    model = MODELS.build(dict(type=kind, backbone=backbone, head=head, projector=projector, **options))
    model.set_class_counts(COUNTS.tolist())
    model.double()
    if kind != 'BCLClassifier':
        model.terms[0].queue.float()  # as it always is
    return model


def views(number, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(number, 6, 3, 8, 8, dtype=torch.float64, generator=generator)
    return images if number > 1 else images[0]


def feature(model, images):
    return model.backbone(images)[-1].mean(dim=(2, 3))


def project(projector, features):
    """The projector by hand, in training mode: affine, normalised over the batch, ReLU, affine, length 1."""
    linear, norm, _, last = projector.layers
    hidden = features @ linear.weight.T
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + norm.eps).sqrt() * norm.weight + norm.bias
    projected = hidden.clamp_min(0) @ last.weight.T + last.bias
    return projected / projected.norm(dim=1, keepdim=True)


def assert_equal_gradients(model, other):
    for (name, weight), twin in zip(model.named_parameters(), other.parameters(), strict=True):
        if weight.requires_grad:
            torch.testing.assert_close(weight.grad, twin.grad, rtol=1e-7, atol=1e-10, msg=name)


def test_paco_compares_its_first_view_with_itself_the_keys_and_the_queue():
    model = build('PaCoClassifier', alpha=0.3, temperature=0.2, queue_size=16)
    past, past_labels = torch.empty(0, 6, dtype=torch.float64), torch.empty(0, dtype=torch.int64)
    for step in range(4):  # the queue fills up, and turns over
        other, images = copy.deepcopy(model), views(2, step)
        first, second = images
        term, twin = model.terms[0], other.terms[0]
        anchors = feature(other, first)
        with torch.no_grad():
            key = twin.encoder_k.key
            keys = project(key[2], key[0](second)[-1].mean(dim=(2, 3)))
        expected = parametric_contrastive_loss(
            other.head(anchors), project(twin.projector, anchors), TARGET, torch.cat([keys, past]),
            torch.cat([TARGET, past_labels]), COUNTS, 0.3, 0.2)  # fmt: skip
        model.zero_grad()
        losses = model(images, TARGET, mode='loss')
        assert list(losses) == ['loss_paco']
        torch.testing.assert_close(losses['loss_paco'], expected, rtol=1e-9, atol=0)
        losses['loss_paco'].backward()
        other.zero_grad()
        expected.backward()
        assert_equal_gradients(model, other)
        model.end_step(updated=True)
        past, past_labels = torch.cat([past, keys.float().double()])[-16:], torch.cat([past_labels, TARGET])[-16:]
        assert sorted(term.queue.labels[term.queue.filled].tolist()) == sorted(past_labels.tolist())


def test_gpaco_has_one_network_and_both_views_are_anchors():
    model = build('GPaCoClassifier', alpha=0.3, temperature=0.2, queue_size=16)
    assert not any('encoder' in name for name in model.state_dict())
    images = views(2)
    model(images, TARGET, mode='loss')
    model.end_step(updated=True)
    queue = model.terms[0].queue
    past, labels = queue.features[:6].double().clone(), queue.labels[:6].clone()
    assert labels.tolist() == TARGET.tolist()
    torch.testing.assert_close(past.float(), project(model.terms[0].projector, feature(model, images[1])).detach().float())
    other, images = copy.deepcopy(model), views(2, 1)
    both = [feature(other, view) for view in images]
    anchors = torch.cat([project(other.terms[0].projector, one) for one in both])
    expected = parametric_contrastive_loss(
        other.head(torch.cat(both)), anchors, TARGET.repeat(2), past, labels, COUNTS, 0.3, 0.2
    )
    loss = model(images, TARGET, mode='loss')['loss_paco']
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    assert_equal_gradients(model, other)


def test_bcl_classifies_the_first_view_and_compares_the_others_with_prototypes():
    head = dict(type='CosineHead', in_channels=16, num_classes=4, scale=30.0)
    model = build('BCLClassifier', head=head, contrast_weight=0.35, temperature=0.1)
    other, images = copy.deepcopy(model), views(3)
    features = feature(other, images.flatten(0, 1))  # one pass: its statistics are those of all views
    term = other.terms[1]
    prototypes = project(term.prototype_projector, other.head.weight)
    contrast = balanced_contrastive_loss(project(term.projector, features)[6:], TARGET.repeat(2), prototypes, 0.1)
    logits = 30 * F.cosine_similarity(features[:6, None], other.head.weight[None], dim=2)
    expected = {'loss_cls': balanced_softmax_loss(logits, TARGET, COUNTS), 'loss_contrast': 0.35 * contrast}
    losses = model(images, TARGET, mode='loss')
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-9, atol=0)
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    assert_equal_gradients(model, other)
    assert all(weight.grad.abs().sum() > 0 for weight in model.terms[1].prototype_projector.parameters())


@each_method
def test_predictions_are_raw_logits_and_do_not_depend_on_the_branch(kind):
    model = build(kind).eval()
    images = views(1)
    before = model(images)
    with torch.no_grad():
        torch.testing.assert_close(before, model.head(feature(model, images)))  # no prior
    for name, value in model.state_dict().items():
        if not name.startswith(('backbone', 'head', 'class_counts')) and value.is_floating_point():
            value.fill_(float('nan'))
    assert torch.equal(model(images), before)
    (record,) = model(images, TARGET, indices=torch.arange(6), mode='predict')
    assert torch.equal(record['logits'], before.float())


@each_method
def test_a_wrong_number_of_views_is_said_in_one_sentence(kind):
    model = build(kind)
    with pytest.raises(UserError, match=rf'{kind} learns from {KINDS[kind]} view.* the preprocessor gives 1: .*extra_views'):
        model(views(1), TARGET, mode='loss')
    with pytest.raises(UserError, match='the preprocessor gives 4'):
        model(views(4), TARGET, mode='loss')


@each_method
def test_under_bf16_the_losses_stay_float32_and_near(kind):
    model = build(kind, temperature=0.2).float()
    images = views(KINDS[kind]).float()
    exact = model(images, TARGET, mode='loss')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(images, TARGET, mode='loss')
    for name, value in losses.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name], rtol=0.03, atol=0.03)


def test_bcl_needs_a_head_with_weights():
    class Weightless(nn.Module):
        num_classes = 4

        def __init__(self, in_channels):
            super().__init__()

    MODELS.register_module(name='WeightlessHead', module=Weightless, force=True)
    with pytest.raises(UserError, match='Weightless has none'):
        build('BCLClassifier', head=dict(type='WeightlessHead'))
