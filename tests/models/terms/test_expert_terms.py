"""Terms between experts against loops over images, labels and experts; an image that is not mixed counts as it does alone."""

import math

import pytest
import torch

from mmlt.batch import Batch
from mmlt.errors import UserError
from mmlt.models.mixing import Mixed
from mmlt.models.terms import Outputs, step_of
from mmlt.models.terms.experts import Collaboration, Diversity, ExpertFeatureDistill, NestedCollaboration
from mmlt.registry import MODELS

D = torch.float64
COUNTS = [60, 20, 6, 2]
B, E, K, C = 6, 3, 4, 16
TARGET, PARTNER = [0, 3, 1, 0, 2, 1], [1, 0, 1, 3, 0, 2]
SHARES = [1.0, 0.2, 0.5, 0.7, 0.0, 0.9]
METHODS = {
    'ncl': dict(type='NCLClassifier', hard_part=0.5),
    'ecl class': dict(type='ECLClassifier', temperature=2.0),
    'ecl target': dict(type='ECLClassifier', weighting='target', temperature=2.0),
    'ecl sample': dict(type='ECLClassifier', weighting='sample', temperature=2.0),
    'ecl none': dict(type='ECLClassifier', weighting='none', temperature=2.0),
    'sade': dict(type='SADEClassifier', tau=1.5),
    'balpoe': dict(type='BalPoEClassifier', taus=[0.0, 1.0, 2.0]),
    'ride': dict(type='RIDEClassifier'),
}
OMEGA = [0.4, 0.8, 1.2, 1.6]  # ECL's class weights


def build(**settings):
    torch.manual_seed(0)
    kind = 'CosineHead' if settings['type'] == 'RIDEClassifier' else 'LinearHead'
    backbone = dict(type='MultiExpertBackbone', backbone=dict(type='ResNetCIFAR', depth=8, base_channels=4), num_experts=E)
    model = MODELS.build(dict(backbone=backbone, head=dict(type=kind, num_classes=K), **settings)).double()
    model.set_class_counts(COUNTS)
    for term in model.terms:
        if isinstance(term, Collaboration) and term.confidence is not None:
            term.confidence.weights.copy_(torch.tensor(OMEGA))
    return model


def outputs():
    generator = torch.Generator().manual_seed(1)
    return Outputs(*(torch.randn(B, E, size, generator=generator, dtype=D) for size in (C, K)))


def losses_of(model, shares=None):
    """The losses of `outputs`, mixed by these shares."""
    step = step_of(outputs(), torch.tensor(TARGET), model.class_counts)
    if shares is not None:
        share = torch.tensor(shares, dtype=D)
        step.mixed = Mixed(torch.empty(0), torch.tensor(TARGET), torch.tensor(PARTNER), share)
    return model.losses(step)


# ------------------------------------------------------------------ slow references, on lists of floats, one by one
def log_softmax(row):
    top = max(row)
    return [z - top - math.log(math.fsum(math.exp(v - top) for v in row)) for z in row]


def kl(log_q, log_p):
    return math.fsum(math.exp(a) * (a - b) for a, b in zip(log_q, log_p, strict=True))


def labels_of(image):
    """Each label of a mixed image with its share."""
    return [(TARGET[image], SHARES[image]), (PARTNER[image], 1 - SHARES[image])]


def shifted(row, tau=1.0):
    return [z + tau * math.log(count) for z, count in zip(row, COUNTS, strict=True)]


def slow_labels(logits, shift):
    """Sum over the experts of the cross entropy of `shift(row, expert)`, each label by its share, mean over the images."""
    total = 0.0
    for image, experts in enumerate(logits):
        for place, row in enumerate(experts):
            total -= sum(share * log_softmax(shift(row, place))[y] for y, share in labels_of(image))
    return total / B


def mutual(rows):
    """Of one image: every expert's divergence from every other one."""
    logs = [log_softmax(row) for row in rows]
    return sum(kl(logs[j], logs[i]) for i in range(E) for j in range(E) if i != j) / (E - 1)


def slow_ncl(logits):
    hard_loss = distill = 0.0
    for image, experts in enumerate(logits):
        adjusted = [shifted(row) for row in experts]
        distill += mutual(adjusted)
        for y, share in labels_of(image):
            others = sorted((c for c in range(K) if c != y), key=lambda c: -experts[0][c])
            hard = {y, others[0]}  # half of four classes
            masked = [[z if c in hard else 0.0 for c, z in enumerate(row)] for row in adjusted]
            distill += share * mutual(masked)
            hard_loss -= share * sum(log_softmax(row)[y] for row in masked)
    balanced = slow_labels(logits, lambda row, _: shifted(row))
    return {'loss_cls': balanced, 'loss_hard': hard_loss / B, 'loss_distill': 0.6 * distill / B}


def slow_ecl(logits, second, weighting):
    def confidence(rows, y):
        return sum(math.exp(log_softmax(row)[y]) for row in rows) / E

    rho = []
    for image in range(B):
        label = sum(share * confidence(logits[image], y) for y, share in labels_of(image))
        distilled = sum(share * confidence(second[image], y) for y, share in labels_of(image))
        rho.append(min(max((label + 1e-6) / (distilled + 1e-6), 0.2), 5.0))
    total = 0.0
    for image in range(B):
        weight = {
            'class': sum(share * OMEGA[y] for y, share in labels_of(image)),
            'sample': rho[image] / (sum(rho) / B),
        }.get(weighting, 1.0)
        for k in range(E):
            rows = [shifted(logits[image][j]) for j in range(E) if j != k]
            mean = [sum(column) / (E - 1) / 2 for column in zip(*rows, strict=True)]
            if weighting == 'target':
                mean = [z + math.log(w) for z, w in zip(mean, OMEGA, strict=True)]
            total += weight * kl(log_softmax(mean), log_softmax([z / 2 for z in shifted(second[image][k])]))
    return {'loss_cls': slow_labels(logits, lambda row, _: shifted(row)), 'loss_distill': 0.6 * 4 * total / E / B}


def slow_sade(logits):
    size = sum(COUNTS)
    prior, reverse = ([math.log(n / size + 1e-9) for n in counts] for counts in (COUNTS, COUNTS[::-1]))
    shifts = [[0.0] * K, prior, [p - 1.5 * r for p, r in zip(prior, reverse, strict=True)]]
    return {'loss_cls': slow_labels(logits, lambda row, k: [z + s for z, s in zip(row, shifts[k], strict=True)])}


def slow_balpoe(logits):
    return {'loss_cls': slow_labels(logits, lambda row, k: shifted(row, [0.0, 1.0, 2.0][k])) / E}


def slow_ride(logits):
    margins = [0.5 * (min(COUNTS) / count) ** 0.25 for count in COUNTS]
    total = 0.0
    for image, experts in enumerate(logits):
        for y, share in labels_of(image):
            rows = [[z - 30 * margins[y] * (c == y) for c, z in enumerate(row)] for row in experts]
            total -= share * sum(log_softmax(row)[y] for row in rows)
    return {'loss_cls': total / B}


@pytest.mark.parametrize('name', METHODS)
def test_mixed_images_against_a_loop(name):
    model, logits = build(**METHODS[name]), outputs().logits.tolist()
    found = losses_of(model, SHARES)
    if name.startswith('ecl'):
        (term,) = (term for term in model.terms if isinstance(term, Collaboration))
        expected = slow_ecl(logits, term.head(outputs().features).tolist(), name.split()[1])
    else:
        expected = {'ncl': slow_ncl, 'sade': slow_sade, 'balpoe': slow_balpoe, 'ride': slow_ride}[name](logits)
    assert {key: found[key].item() for key in expected} == pytest.approx(expected, rel=1e-6 if 'ecl' in name else 1e-11)


@pytest.mark.parametrize('name', METHODS)
def test_an_image_with_all_of_its_label_is_one_that_is_not_mixed(name):
    alone, mixed = (losses_of(build(**METHODS[name]), shares) for shares in (None, [1.0] * B))
    assert alone.keys() == mixed.keys()
    for key, value in alone.items():
        torch.testing.assert_close(mixed[key], value, rtol=1e-14, atol=1e-15, msg=key)


@pytest.mark.parametrize('name', METHODS)
def test_an_image_with_all_of_its_partners_label_has_that_one(name):
    model, swapped = build(**METHODS[name]), build(**METHODS[name])
    found = losses_of(model, [0.0] * B)
    expected = swapped.losses(step_of(outputs(), torch.tensor(PARTNER), swapped.class_counts))
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-14, atol=1e-15, msg=key)


def test_the_confidences_of_mixed_images_count_by_their_shares():
    model = build(**METHODS['ecl class'])
    (term,) = (term for term in model.terms if isinstance(term, Collaboration))
    losses_of(model, SHARES)
    model.end_step(updated=True)
    second = term.head(outputs().features)
    expected = torch.zeros(3, K, dtype=D)
    for image in range(B):
        for y, share in labels_of(image):
            for row, logits in enumerate((outputs().logits, second)):
                expected[row, y] += share * logits[image].softmax(1)[:, y].mean().detach()
            expected[2, y] += share
    torch.testing.assert_close(term.confidence.sums, expected)
    assert term.confidence.sums[2].sum().item() == pytest.approx(B)


def test_what_takes_no_label_is_the_same_for_mixed_images():
    for term in (Diversity(), ExpertFeatureDistill()):
        step = step_of(outputs(), torch.tensor(TARGET), torch.tensor(COUNTS))
        (plain,) = term(step).values()
        step.mixed = Mixed(torch.empty(0), torch.tensor(TARGET), torch.tensor(PARTNER), torch.tensor(SHARES, dtype=D))
        assert torch.equal(*term(step).values(), plain)


def test_features_approach_each_other_by_cosine():
    features, total = outputs().features, 0.0
    for image in features:
        for i in range(E):
            for j in range(E):
                if i != j:
                    total += 1 - (image[i] @ image[j] / image[i].norm() / image[j].norm()).item()
    loss = ExpertFeatureDistill(weight=0.3)(step_of(outputs(), torch.tensor(TARGET), torch.tensor(COUNTS)))
    assert loss['loss_feature'].item() == pytest.approx(0.3 * total / B / E / (E - 1), rel=1e-12)


@pytest.mark.parametrize('part, hard', [(0.01, 1), (0.3, 1), (0.6, 2), (1.0, 4)])
def test_the_hard_classes_are_a_part_of_all(part, hard):
    term = NestedCollaboration(hard_part=part)
    term.bind(build(**METHODS['ncl']))
    assert term.num_hard == hard


@pytest.mark.parametrize('settings', [dict(type='Diversity'), dict(type='NestedCollaboration'), dict(type='MomentumContrast')])
def test_a_single_network_is_told_what_to_set(settings):
    model = dict(type='LongTailedClassifier', backbone=dict(type='ResNetCIFAR', depth=8), terms=[settings])
    with pytest.raises(UserError, match=f"{settings['type']} needs experts: set model.backbone=dict"):
        MODELS.build(dict(**model, head=dict(type='LinearHead', num_classes=K)))


def test_experts_contrast_two_views_by_a_momentum_encoder_and_a_queue():
    contrast = dict(dim=5, queue_size=16, temperature=0.2, momentum=0.7)
    model = build(type='NCLClassifier', contrast=contrast, contrast_weight=0.4).float()
    term = model.terms[-1]
    past = []  # keys (E, D) of the images so far
    for number in range(4):
        generator = torch.Generator().manual_seed(number)
        views = torch.randn(2, B, 3, 8, 8, generator=generator)
        with torch.no_grad():
            backbone, projectors = term.encoder.key
            keys = projectors(backbone(views[1])).double()
        model.zero_grad()
        loss = model(*Batch(views, torch.tensor(TARGET), None, None), mode='loss')['loss_contrast']
        queries = torch.stack([own(part) for own, part in zip(term.projectors.projectors,
                               model.backbone(views[0]).unbind(1), strict=True)], 1).double()  # fmt: skip
        total = 0.0
        for image in range(B):
            for expert in range(E):
                q = queries[image, expert]
                others = [q @ one[expert] / 0.2 for one in past]
                scores = torch.stack([q @ keys[image, expert] / 0.2, *others])
                total = total - scores.log_softmax(0)[0]
        torch.testing.assert_close(loss.double(), 0.4 * total / B, rtol=1e-5, atol=1e-7)
        if past:
            weight = term.projectors.projectors[0].layers[0].weight
            found, expected = (torch.autograd.grad(one, weight, retain_graph=True) for one in (loss, 0.4 * total / B))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        model.end_step(updated=True)
        past = [*past, *keys][-16:]
