"""RIDE, SADE and BalPoE against slow references on lists of floats; one expert is the single-expert method."""

import math

import pytest
import torch

from mmlt.batch import Batch
from mmlt.errors import UserError
from mmlt.models import losses as L
from mmlt.models.losses.experts import reversed_counts
from mmlt.registry import MODELS

D = torch.float64
COUNTS = [60, 20, 6, 2]
TARGET = [0, 3, 1, 0, 2]


def expert_logits(experts: int = 3, classes: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(len(TARGET), experts, classes, generator=generator, dtype=D)


# ------------------------------------------------------------------ slow references, on lists of floats, one by one
def log_softmax(row):
    top = max(row)
    return [z - top - math.log(math.fsum(math.exp(v - top) for v in row)) for z in row]


def slow_diversity(logits, temperatures):
    total = 0.0
    for experts in logits:
        mean = [math.fsum(column) / len(experts) for column in zip(*experts, strict=True)]
        log_q = log_softmax([z / t for z, t in zip(mean, temperatures, strict=True)])
        for expert in experts:
            log_p = log_softmax([z / t for z, t in zip(expert, temperatures, strict=True)])
            total += math.fsum(math.exp(a) * (a - b) for a, b in zip(log_q, log_p, strict=True))
    return (math.fsum(temperatures) / len(temperatures)) ** 2 * total / len(logits)


def slow_ce(logits, expert, shift):
    rows = [[z + s for z, s in zip(image[expert], shift, strict=True)] for image in logits]
    return math.fsum(-log_softmax(row)[y] for row, y in zip(rows, TARGET, strict=True)) / len(TARGET)


class TestDiversity:
    """RIDE's divergence."""

    def test_temperatures_are_the_known_ones(self):
        temperatures = L.diversity_temperatures(torch.tensor([100, 10, 1], dtype=D), 0.05)
        expected = [1.0, 0.9635135 / 1.0851351, 0.9513514 / 1.0851351]
        assert temperatures.tolist() == pytest.approx(expected, abs=1e-7)

    def test_value(self):
        logits, counts = expert_logits(), torch.tensor(COUNTS, dtype=D)
        plain = L.diversity_loss(logits).item()
        assert plain == pytest.approx(slow_diversity(logits.tolist(), [1.0] * 4), rel=1e-12)
        temperatures = L.diversity_temperatures(counts, 0.4)
        weighted = L.diversity_loss(logits, temperatures).item()
        assert weighted == pytest.approx(slow_diversity(logits.tolist(), temperatures.tolist()), rel=1e-12)
        assert weighted != pytest.approx(plain, rel=1e-3)

    def test_no_gradient_goes_through_the_mean(self):
        logits = expert_logits().requires_grad_()
        L.diversity_loss(logits).backward()
        # Of KL(q || softmax(z_k)) with q fixed: softmax(z_k) - q.
        expected = logits.softmax(2) - logits.mean(1, keepdim=True).softmax(2)
        torch.testing.assert_close(logits.grad, expected.detach() / len(TARGET))

    def test_equal_experts_and_a_single_one_have_none(self):
        one = expert_logits(1)
        assert L.diversity_loss(one).item() == pytest.approx(0, abs=1e-12)
        assert L.diversity_loss(one.expand(-1, 3, -1)).item() == pytest.approx(0, abs=1e-12)

    def test_half_precision_is_raised(self):
        assert L.diversity_loss(expert_logits().bfloat16()).dtype == torch.float32


class TestSADE:
    """Three priors."""

    def test_ranks_are_reversed(self):
        assert reversed_counts(torch.tensor([5, 100, 1, 5])).tolist() == [5, 1, 100, 5]
        assert reversed_counts(torch.tensor(COUNTS)).tolist() == COUNTS[::-1]

    def test_value_is_the_sum_of_three_losses(self):
        logits = expert_logits()
        prior = [count / sum(COUNTS) for count in COUNTS]
        uniform = [math.log(p + 1e-9) for p in prior]
        backward = [u - 2 * math.log(p + 1e-9) for u, p in zip(uniform, prior[::-1], strict=True)]
        expected = sum(slow_ce(logits.tolist(), k, shift) for k, shift in enumerate(([0.0] * 4, uniform, backward)))
        found = L.sade_loss(logits, torch.tensor(TARGET), torch.tensor(COUNTS))
        assert found.item() == pytest.approx(expected, rel=1e-12)

    def test_a_single_expert_is_cross_entropy_or_balanced_softmax(self):
        logits, target, counts = expert_logits(1), torch.tensor(TARGET), torch.tensor(COUNTS)
        plain, balanced = L.cross_entropy_loss(logits[:, 0], target), L.balanced_softmax_loss(logits[:, 0], target, counts)
        assert L.sade_loss(logits, target, counts, ['forward']).item() == pytest.approx(plain.item(), rel=1e-12)
        assert L.sade_loss(logits, target, counts, ['uniform']).item() == pytest.approx(balanced.item(), rel=1e-7)


class TestBalPoE:
    """One tau an expert."""

    def test_value_is_the_mean_of_the_losses(self):
        logits = expert_logits()
        prior = [math.log(count / sum(COUNTS)) for count in COUNTS]
        expected = sum(slow_ce(logits.tolist(), k, [tau * p for p in prior]) for k, tau in enumerate((0, 1, 2))) / 3
        found = L.balpoe_loss(logits, torch.tensor(TARGET), torch.tensor(COUNTS), (0, 1, 2))
        assert found.item() == pytest.approx(expected, rel=1e-12)

    def test_sample_weights_count_samples(self):
        logits, target, counts = expert_logits(), torch.tensor(TARGET), torch.tensor(COUNTS)
        weights = torch.tensor([1, 0, 2, 1, 0])
        twice = [0, 2, 2, 3]
        found = L.balpoe_loss(logits, target, counts, (0, 1, 2), weights)
        expected = L.balpoe_loss(logits[twice], target[twice], counts, (0, 1, 2))
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)


# ------------------------------------------------------------------ whole classifiers
IMAGES = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(2), dtype=D)


def build(kind: str, num_experts: int = 1, head: str = 'CosineHead', **settings) -> torch.nn.Module:
    torch.manual_seed(0)
    backbone = dict(type='ResNetCIFAR', depth=8)
    if num_experts:
        backbone = dict(type='MultiExpertBackbone', backbone=backbone, num_experts=num_experts)
    head = dict(type=head, in_channels=64, num_classes=4, **settings.pop('head_settings', {}))
    model = MODELS.build(
        dict(
            type=kind,
            backbone=backbone,
            head=head,
            data_preprocessor=dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3),
            **settings,
        )
    ).double()
    model.set_class_counts(COUNTS)
    return model


def same_start(experts: torch.nn.Module, single: torch.nn.Module) -> None:
    """Give a model of one expert the weights of a single network."""
    names = dict(zip(experts.state_dict(), single.state_dict(), strict=True))
    state = single.state_dict()
    experts.load_state_dict({name: state[other] for name, other in names.items()})


def check_equal(experts: torch.nn.Module, single: torch.nn.Module, batch: tuple, epoch: int = 0) -> None:
    """The same loss, the same gradients, the same prediction."""
    same_start(experts, single)
    values = []
    for model in (experts, single):
        model.set_epoch(epoch)
        model.train()
        values.append(sum(model(*batch, mode='loss').values()))
        values[-1].backward()
    assert values[0].item() == pytest.approx(values[1].item(), rel=1e-6)
    for (name, one), other in zip(experts.named_parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-8, msg=name)
    assert torch.equal(experts.eval()(IMAGES).argmax(1), single.eval()(IMAGES).argmax(1))


class TestOneExpertIsTheSingleMethod:
    """E = 1."""

    @pytest.mark.parametrize('epoch', [0, 1])
    def test_ride_is_ldam_drw(self, epoch):
        drw = dict(reweighting=dict(beta=0.99, start_epoch=1))
        single = build('LongTailedClassifier', 0, loss=dict(type='LDAMLoss', max_margin=0.5, scale=30.0), **drw)
        check_equal(build('RIDEClassifier', **drw), single, (IMAGES, torch.tensor(TARGET)), epoch)

    @pytest.mark.parametrize(('expert', 'loss'), [('forward', 'CrossEntropyLoss'), ('uniform', 'BalancedSoftmaxLoss')])
    def test_sade_is_cross_entropy_or_balanced_softmax(self, expert, loss):
        single = build('LongTailedClassifier', 0, 'LinearHead', loss=dict(type=loss))
        check_equal(build('SADEClassifier', 1, 'LinearHead', experts=[expert]), single, (IMAGES, torch.tensor(TARGET)))

    def test_balpoe_without_mixing_is_logit_adjustment(self):
        single = build('LongTailedClassifier', 0, 'LinearHead', loss=dict(type='LogitAdjustedLoss', tau=1.5))
        check_equal(build('BalPoEClassifier', 1, 'LinearHead', taus=[1.5]), single, (IMAGES, torch.tensor(TARGET)))

    def test_balpoe_mixes_as_the_mixing_classifier(self):
        keys = torch.arange(5)
        partners = Batch(IMAGES.flip(0), torch.tensor(TARGET[::-1]), keys, keys)
        batch = Batch(IMAGES, torch.tensor(TARGET), keys, keys, partners)
        mixing = dict(mixing=dict(type='Mixup', alpha=1.0))  # of a table in float32 otherwise
        single = build('MixingClassifier', 0, 'LinearHead', loss=dict(type='LogitAdjustedLoss', tau=2.0), **mixing)
        check_equal(build('BalPoEClassifier', 1, 'LinearHead', taus=[2.0], **mixing), single, batch)


class TestRIDE:
    """Losses of the whole classifier."""

    def test_losses_by_hand(self):
        model = build('RIDEClassifier', 3, diversity=-0.3, eta=0.2, reweighting=dict(beta=0.9, start_epoch=1))
        outputs = model.network(IMAGES)
        assert outputs.logits.abs().max() <= 30
        for epoch in (0, 1):
            model.set_epoch(epoch)
            weights = model.reweighting.weights.double().tolist()
            temperatures = [1.0] * 4
            if epoch:
                raw = [4 * count / sum(COUNTS) * 0.2 + 0.8 for count in COUNTS]
                temperatures = [t / max(raw) for t in raw]
            margins = [0.5 * (min(COUNTS) / count) ** 0.25 for count in COUNTS]
            expected = 0.0
            for expert in outputs.logits.unbind(1):
                rows = expert.tolist()
                for row, y in zip(rows, TARGET, strict=True):
                    row[y] -= 30 * margins[y]
                losses = [-weights[y] * log_softmax(row)[y] for row, y in zip(rows, TARGET, strict=True)]
                expected += math.fsum(losses) / math.fsum(weights[y] for y in TARGET)
            losses = model(IMAGES, torch.tensor(TARGET), mode='loss')
            assert losses['loss_cls'].item() == pytest.approx(expected, rel=1e-6)
            diversity = -0.3 * slow_diversity(outputs.logits.tolist(), temperatures)
            assert losses['loss_diversity'].item() == pytest.approx(diversity, rel=1e-6)

    def test_the_ensemble_learns_from_the_teachers_once(self):
        heads = [dict(type='LogitDistillHead', temperature=1.5)]
        student, teacher = build('RIDEDistillationClassifier', 3, distill_heads=heads), build('RIDEClassifier', 6)
        student.attach('teacher', [teacher])
        plain = build('RIDEClassifier', 3)
        plain.load_state_dict(student.state_dict())
        for model in (student, plain):
            model.eval()
            model.set_epoch(0)
        losses = student(IMAGES, torch.tensor(TARGET), mode='loss')
        own = plain(IMAGES, torch.tensor(TARGET), mode='loss')
        assert {name: losses[name].item() for name in own} == pytest.approx({k: v.item() for k, v in own.items()})
        z_s, z_t = (one.network(IMAGES).logits.mean(1) / 1.5 for one in (student, teacher))
        total = 0.0
        for s, t in zip(z_s.tolist(), z_t.tolist(), strict=True):
            log_s, log_t = log_softmax(s), log_softmax(t)
            total += math.fsum(math.exp(a) * (a - b) for a, b in zip(log_t, log_s, strict=True))
        assert losses['loss_kd'].item() == pytest.approx(1.5**2 * total / len(TARGET), rel=1e-9)
        assert not any('teacher' in name for name in student.state_dict())


@pytest.mark.parametrize(
    ('kind', 'settings', 'words'),
    [
        ('RIDEClassifier', dict(head_settings=dict(scale=30.0)), 'set model.scale'),
        ('RIDEClassifier', dict(eta=1.0), 'eta lies in'),
        ('SADEClassifier', dict(experts=['forward', 'backward']), 'each of the 1 experts'),
        ('SADEClassifier', dict(experts=['sideways']), 'sideways'),
        ('BalPoEClassifier', dict(taus=[0, 1, 2]), 'one tau for each of its 1 experts'),
        ('RIDEClassifier', dict(num_experts=0), "needs experts: set model.backbone=dict.type='MultiExpertBackbone'"),
    ],
)
def test_wrong_settings_say_so(kind, settings, words):
    with pytest.raises(UserError, match=words):
        build(kind, **settings)
