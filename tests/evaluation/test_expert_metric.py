"""What the experts do beside their ensemble, against scikit-learn and loops."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, recall_score

from mmlt.errors import UserError
from mmlt.evaluation import ExpertMetric

COUNTS = [200, 50, 5]
N, E, K = 31, 3, 3


def records(experts=E, batches=(7, 24)):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(N, experts, K, generator=generator)
    target, order = torch.arange(N) % K, torch.randperm(N, generator=generator)
    found, start = [], 0
    for size in batches:
        places = order[start : start + size]
        found.append(dict(expert_logits=logits[places], target=target[places], indices=places))
        start += size
    return found, logits, target


def evaluated(found, size=N):
    metric = ExpertMetric()
    metric.dataset_meta = dict(class_counts=COUNTS)
    for record in found:
        metric.process(None, [record])
    return metric.evaluate(size)


def test_each_expert_is_judged_as_by_scikit_learn():
    found, logits, target = records()
    metrics = evaluated(found)
    for k in range(E):
        prediction = logits[:, k].argmax(1)
        assert metrics[f'experts/{k + 1}/top1'] == pytest.approx(100 * accuracy_score(target, prediction))
        recall = 100 * recall_score(target, prediction, average=None)
        assert [metrics[f'experts/{k + 1}/{name}'] for name in ('many', 'medium', 'few')] == pytest.approx(list(recall))
    best = max(range(1, E + 1), key=lambda k: metrics[f'experts/{k}/top1'])
    for name in ('top1', 'many', 'medium', 'few'):
        assert metrics[f'experts/best/{name}'] == metrics[f'experts/{best}/{name}']


def test_agreement_and_diversity_are_means_over_pairs_and_experts():
    found, logits, target = records()
    metrics = evaluated(found)
    agreement, diversity = np.zeros(N), np.zeros(N)
    for i in range(N):
        picks = logits[i].argmax(1).tolist()
        pairs = [(a, b) for a in range(E) for b in range(E) if a != b]
        agreement[i] = 100 * sum(picks[a] == picks[b] for a, b in pairs) / len(pairs)
        p = logits[i].double().softmax(1)
        mean = p.mean(0)
        diversity[i] = sum((row * (row / mean).log()).sum().item() for row in p) / E
    for kind, values in (('agreement', agreement), ('diversity', diversity)):
        assert metrics[f'experts/{kind}/top1'] == pytest.approx(values.mean())
        for c, name in enumerate(('many', 'medium', 'few')):
            assert metrics[f'experts/{kind}/{name}'] == pytest.approx(values[target.numpy() == c].mean())


def test_limits():
    certain = torch.full((2, 2, K), -1e4)
    certain[:, 0, 0] = certain[:, 1, 1] = 0  # two experts, each sure of another class
    found = [dict(expert_logits=certain, target=torch.tensor([0, 1]), indices=torch.tensor([0, 1]))]
    metrics = evaluated(found, 2)
    assert metrics['experts/agreement/top1'] == 0
    assert metrics['experts/diversity/top1'] == pytest.approx(math.log(2))
    assert 'experts/diversity/few' not in metrics  # no test image of that group
    single = evaluated(records(experts=1)[0])
    assert single['experts/agreement/top1'] == 100
    assert single['experts/diversity/top1'] == pytest.approx(0, abs=1e-12)


def test_records_without_experts_give_nothing_and_missing_images_are_refused():
    assert evaluated([dict(logits=torch.zeros(2, K), target=torch.zeros(2), indices=torch.arange(2))], 2) == {}
    with pytest.raises(UserError, match='30 distinct|31 distinct'):
        evaluated(records()[0], N + 1)


def test_an_image_drawn_twice_counts_once():
    found = records()[0]
    assert evaluated([*found, found[0]]) == evaluated(found)


def test_several_labels_are_refused():
    found, _, target = records()
    for one in found:
        one['target'] = torch.nn.functional.one_hot(one['target'], K).float()
    with pytest.raises(UserError, match='one label an image'):
        evaluated(found)
