"""The trails of Breadcrumb against an enumerated reference on lists, and what the head learns by them."""

import math
import os

import pytest
import torch
import torch.nn.functional as F

from mmlt.batch import Batch
from mmlt.datasets.samplers.base import Draws
from mmlt.errors import UserError
from mmlt.models.trails import FeatureTrails
from mmlt.registry import MODELS

COUNTS = [40, 9, 4, 3, 0]
QUOTA = 12  # look back 1, 2, 3, 4 epochs


def epoch(seed, drop=0):
    """Features and labels of an epoch in loader order; `drop` images are left out at the end."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(5), torch.tensor(COUNTS))
    labels = labels[torch.randperm(len(labels), generator=g)][: sum(COUNTS) - drop]
    return 3 * torch.randn(len(labels), 6, generator=g) + seed, labels


class Slow:
    """All epochs ever seen, as lists of floats; the trail is looked up in them."""

    def __init__(self):
        self.epochs = []

    def push(self, features, labels):
        rows = [[] for _ in COUNTS]
        for row, label in zip(features.half().double().tolist(), labels.tolist(), strict=True):
            rows[label].append(row)
        self.epochs.insert(0, rows)

    def of(self, c):
        back = math.ceil(QUOTA / COUNTS[c])
        return [rows[c] for rows in self.epochs if rows[c]][:back]

    def ready(self):
        return all(len(self.of(c)) == math.ceil(QUOTA / n) for c, n in enumerate(COUNTS) if n)

    def union(self):
        rows, labels = [], []
        for c, n in enumerate(COUNTS):
            if not n:
                continue
            trail = self.of(c)
            means = [[math.fsum(column) / len(own) for column in zip(*own, strict=True)] for own in trail]
            moved = [
                [x - m + newest for x, m, newest in zip(row, mean, means[0], strict=True)]
                for own, mean in zip(trail, means, strict=True)
                for row in own
            ]
            rows += moved[:QUOTA]
            labels += [c] * len(moved[:QUOTA])
        return rows, labels


def test_trails_agree_with_the_enumerated_reference():
    trails, slow = FeatureTrails(COUNTS, QUOTA, 6), Slow()
    assert trails.look_back == [1, 2, 3, 4, 0]
    became_ready, short = [], 0
    for e in range(9):
        assert trails.ready == slow.ready()
        became_ready.append(trails.ready)
        if trails.ready:
            rows, labels = trails.union()
            expected, expected_labels = slow.union()
            assert labels.tolist() == expected_labels and max(torch.bincount(labels)) == QUOTA
            short += torch.bincount(labels).tolist() != [QUOTA] * 4
            torch.testing.assert_close(rows.double(), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=3e-6)
        features, labels = epoch(e, drop=2 * (e % 2))
        trails.push(features, labels)
        slow.push(features, labels)
    assert became_ready[:4] == [False] * 4 and all(became_ready[5:])
    assert short  # where an epoch left out an image of a rare class, that class gives fewer rows


def test_one_epoch_is_enough_for_a_class_with_many_images_and_alignment_does_nothing_then():
    trails = FeatureTrails([12, 12], 12, 6)
    labels = torch.arange(2).repeat(12)
    features = torch.randn(24, 6)
    trails.push(features, labels)
    rows, _ = trails.union()
    torch.testing.assert_close(rows[:12], features[labels == 0].half().float(), atol=1e-6, rtol=0)


def test_size_is_what_full_trails_hold_and_state_comes_back_to_the_bit():
    trails = FeatureTrails(COUNTS, QUOTA, 6)
    for e in range(5):
        trails.push(*epoch(e))
    state = trails.state()
    held = sum(value.numel() * value.element_size() for name, value in state.items() if name in ('features', 'means'))
    assert trails.num_bytes == held and state['features'].dtype == torch.float16
    again = FeatureTrails(COUNTS, QUOTA, 6)
    again.load(state)
    for e in (5, 6):
        trails.push(*epoch(e))
        again.push(*epoch(e))
        assert all(torch.equal(a, b) for a, b in zip(trails.union(), again.union(), strict=True))
    for broken in (dict(state, sizes=state['sizes'] + 1), dict(state, classes=state['classes'] * 0),
                   dict(state, features=state['features'].float())):  # fmt: skip
        with pytest.raises(ValueError, match='not those of this run'):
            FeatureTrails(COUNTS, QUOTA, 6).load(broken)


# ------------------------------------------------------------------ the term
IMAGES = [6, 3, 2]
SCHEDULE = [dict(type='MultiStepLR', milestones=[2, 5], gamma=0.1), dict(type='LinearLR', start_factor=0.5, begin=0, end=2)]


def model(param_scheduler=SCHEDULE, **settings):
    torch.manual_seed(0)
    built = MODELS.build(
        dict(
            type='BreadcrumbClassifier',
            backbone=dict(type='ResNetCIFAR', depth=8),
            head=dict(type='LinearHead', num_classes=3),
            optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=0.01),
            param_scheduler=param_scheduler,
            data_preprocessor=dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3),
            **settings,
        )
    )
    built.set_class_counts(IMAGES)
    return built


def batches(e):
    """Two steps of six images, eleven images an epoch; the last step begins the order anew."""
    g = torch.Generator().manual_seed(100 + e)
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(IMAGES))
    order = torch.randperm(11, generator=g)
    for places in (order[:6], order[6:]):
        n = len(places)
        partners = Batch(torch.randn(n, 3, 8, 8, generator=g), torch.randint(3, (n,), generator=g), None, None)
        yield Batch(torch.randn(n, 3, 8, 8, generator=g), labels[places], torch.arange(n), torch.arange(n), partners)


def reference_step(weights, momenta, features, target, lr):
    """One step of SGD with momentum on a linear head, by hand in float64."""
    z = features.double() @ weights[0].T + weights[1]
    error = (z.softmax(1) - F.one_hot(target, 3)) / len(z)
    for place, gradient in enumerate((error.T @ features.double(), error.sum(0))):
        gradient = gradient + 0.01 * weights[place]
        momenta[place] = gradient if momenta[place] is None else 0.9 * momenta[place] + gradient
        weights[place] = weights[place] - lr * momenta[place]


def test_the_head_learns_partners_first_and_trails_then_and_sends_nothing_back():
    built = model()
    built.set_length(2, 6, 8)  # quota 4: look back 1, 2 and 2 epochs
    term, head = built.terms[1], built.head
    assert term.trails.quota == 4 and term.trails.look_back == [1, 2, 2]
    optimizer = torch.optim.SGD(built.parameters(), lr=0.05)
    weights, momenta = [head.weight.detach().double(), head.bias.detach().double()], [None, None]
    rates = {0: 0.1, 1: 0.2, 2: 0.02, 3: 0.02, 4: 0.02, 5: 0.002}
    trails, current = FeatureTrails(IMAGES, 4, 64), []
    for e in range(6):
        built.set_epoch(e)
        built.train()
        if current:
            trails.push(torch.cat([f for f, _ in current]), torch.cat([y for _, y in current]))
            current = []
        assert trails.ready == (e >= 2) and (term._union is not None) == (e >= 2)
        if e >= 2:
            rows, labels = trails.union()
            order = torch.from_numpy(Draws(built.data_preprocessor.seed, e).permutation(len(rows)))
        for s, batch in enumerate(batches(e)):
            statistics = {name: value.clone() for name, value in built.named_buffers()}
            features = built.network(batch.images).features.detach()
            if e >= 2:
                places = order[(6 * s + torch.arange(len(features))) % len(order)]
                balanced, target = rows[places], labels[places]
            else:
                balanced, target = built.network(batch.partners.images).features.detach(), batch.partners.targets
            for name, value in built.named_buffers():  # the reference's passes leave no trace
                value.copy_(statistics[name])
            losses = built(*batch, mode='loss')
            assert list(losses) == ['loss_cls']
            losses['loss_cls'].backward()
            assert head.weight.grad is None
            optimizer.step()
            optimizer.zero_grad()
            built.end_step(updated=True)
            current.append((features, batch.targets))
            reference_step(weights, momenta, balanced, target, rates[e])
            torch.testing.assert_close(head.weight.double(), weights[0], rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(head.bias.double(), weights[1], rtol=1e-4, atol=1e-6)
    assert all(name.startswith(('backbone', 'head', 'terms.0.head', 'class_counts')) for name in built.state_dict())


def test_what_does_not_fit_is_said_in_one_sentence():
    built = model(max_mib=1e-4)
    with pytest.raises(UserError, match='need 0 MiB of host memory, and model.max_mib allows 0.0001'):
        built.set_length(2, 6, 8)
    built = model()
    assert built.terms[1].notice() is None
    built.set_length(2, 6, 8)
    assert '4 rows a class and epoch, 2 epochs back at most' in built.terms[1].notice()
    built.set_epoch(0)
    batch = next(batches(0))
    with pytest.raises(UserError, match='partner_sampler=dict'):
        built(*batch._replace(partners=None), mode='loss')
    for schedule in (dict(type='MultiStepLR', milestones=[3], by_epoch=False), dict(type='LinearMomentum', end=3)):
        with pytest.raises(UserError, match='must be schedules of the learning rate by epoch'):
            cfg = dict(type='BreadcrumbTrails', optimizer=dict(type='SGD', lr=0.1), param_scheduler=[schedule])
            MODELS.build(cfg).bind(built)
    with pytest.raises(UserError, match='cannot be mixed'):
        model(mixing=dict(type='Mixup'))


def test_a_schedule_without_an_end_runs_to_the_end_of_the_run():
    built = model(param_scheduler=[dict(type='CosineAnnealingLR')])
    built.set_length(2, 6, 8)
    rates = []
    for e in range(8):
        built.set_epoch(e)
        rates.append(built.terms[1].optimizer.param_groups[0]['lr'])
    assert rates == pytest.approx([0.1 * (1 + math.cos(math.pi * e / 8)) for e in range(8)])


# ------------------------------------------------------------------ ranks
def walk(rank, world, epochs, state=None):
    """Some epochs of two steps of six images on this rank's share of them; what the term keeps, and the head."""
    built = model()
    built.set_length(2, 6, 8)
    if state is not None:
        built.load_state_dict(state['weights'])
        built.load_kept_state(state['kept'])
    built.eval()  # batch statistics are each rank's own
    for e in epochs:
        built.set_epoch(e)
        g = torch.Generator().manual_seed(e)
        for _ in range(2):
            images, partners = torch.randn(2, 6, 3, 8, 8, generator=g)
            labels = torch.tensor([0, 0, 0, 1, 1, 2])[torch.randperm(6, generator=g)]
            own = slice(rank, None, world)
            other = Batch(partners[own], labels.flip(0)[own], None, None)
            built(images[own], labels[own], None, None, other, mode='loss')
            built.end_step(updated=True)
    return dict(weights=built.state_dict(), kept=built.kept_state())


def two_ranks(folder, epochs, state=None):
    """`walk` in two processes; what each of them gives."""
    folder.mkdir()
    children = []
    for rank in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            code = 1
            try:
                torch.set_num_threads(1)
                torch.distributed.init_process_group('gloo', f'file://{folder}/meet', rank=rank, world_size=2)
                torch.save(walk(rank, 2, epochs, state), folder / f'{rank}.pth')
                code = 0
            finally:
                os._exit(code)
    assert all(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child in children)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


def close(one, other, exact=False):
    kept = [state['kept']['1'] for state in (one, other)]
    for name in ('features', 'means', 'classes', 'sizes'):
        tolerance = dict(rtol=0, atol=0) if exact else dict(rtol=0, atol=2e-3)
        torch.testing.assert_close(*(part['trails'][name] for part in kept), **tolerance)
    assert torch.equal(*(part['labels'] for part in kept)) and kept[0]['step'] == kept[1]['step']
    tolerance = dict(rtol=0, atol=0) if exact else dict(rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(one['weights']['head.weight'], other['weights']['head.weight'], **tolerance)


def test_two_ranks_keep_the_same_trails_and_go_on_as_one_and_back(tmp_path):
    alone = walk(0, 1, range(5))
    ranks = two_ranks(tmp_path / 'two', range(5))
    close(ranks[0], ranks[1], exact=True)
    close(alone, ranks[0])
    assert len(alone['kept']['1']['trails']['sizes']) == 5  # full: 1 + 2 + 2 epochs
    half = two_ranks(tmp_path / 'half', range(3))[0]
    close(alone, walk(0, 1, range(3, 5), half))
    close(alone, two_ranks(tmp_path / 'rest', range(3, 5), walk(0, 1, range(3)))[0])
