"""`--aggregate`: the weights it finds, and that the very model that is evaluated has them."""

import json
from types import SimpleNamespace

import pytest
import torch

from mmlt.apis.aggregation import aggregate
from mmlt.apis.test import test as evaluate
from mmlt.apis.train import train
from mmlt.datasets import Digits
from mmlt.engine.finished import load_classifier
from mmlt.errors import UserError
from mmlt.evaluation.posthoc.aggregation import Aggregation

SADE = 'sade/resnet8_digitslt.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sade')
    result = train(SADE, work_dir=folder, overrides={'train_cfg.max_epochs': 3})
    return folder / result['checkpoint']['file']


class Steady(torch.nn.Module):
    """Stands in for a classifier: one expert sees nothing, one always the same, one each view anew."""

    def network(self, images):
        fickle = (images.sum((1, 2, 3)).abs() * 7).long() % 4
        steady = torch.tensor([4.0, 0, 0, 0]).expand(len(images), 4)
        return SimpleNamespace(
            logits=torch.stack([torch.zeros(len(images), 4), steady, 8 * torch.eye(4)[fickle]], dim=1)
        )


def test_it_prefers_the_expert_that_is_sure_whatever_the_view(checkpoint, monkeypatch):
    model = load_classifier(checkpoint)
    monkeypatch.setattr(model, 'network', Steady().network)
    loader = SimpleNamespace(dataset=Digits('test'), num_workers=0)
    runner = SimpleNamespace(bare_model=model, test_loop=SimpleNamespace(dataloader=loader), precision='fp32')
    record = aggregate(runner)
    assert record['weights'][1] > 0.5 > record['weights'][0] > record['weights'][2]
    assert record['similarity'][1] > record['similarity'][0]
    torch.testing.assert_close(model.combine(torch.eye(3)[None]), model.expert_weights[None])
    assert aggregate(runner) == record  # the same draws
    assert record['epochs'] < 5 and min(record['weights']) < 0.05  # it was enough
    assert aggregate(runner, Aggregation(epochs=2, lr=0.01))['epochs'] == 2


def test_a_config_says_how_the_weights_are_learnt(checkpoint):
    once = evaluate(SADE, checkpoint, aggregate_experts=True, overrides={'aggregation.epochs': 1, 'aggregation.lr': 1e-4})
    assert once['aggregation']['epochs'] == 1
    assert once['aggregation']['weights'] == pytest.approx([1 / 3] * 3, abs=1e-3)
    with pytest.raises(UserError, match='aggregation takes epochs'):
        evaluate(SADE, checkpoint, aggregate_experts=True, overrides={'aggregation.rate': 1})


def test_the_evaluated_model_has_the_weights(checkpoint):
    before = checkpoint.read_bytes()
    plain = evaluate(SADE, checkpoint)
    record = evaluate(SADE, checkpoint, aggregate_experts=True)
    weights = record['aggregation']['weights']
    assert len(weights) == 3 and sum(weights) == pytest.approx(1, abs=1e-5) and weights != [round(1 / 3, 6)] * 3
    assert record['aggregation']['found_on'] == 'unlabelled test images' and 'aggregation' not in plain
    json.dumps(record, allow_nan=False)
    model = load_classifier(checkpoint).eval()
    images, labels = Digits('test').tensors()
    with torch.inference_mode():
        logits = model.network(model.data_preprocessor.normalise(images)).logits
    predicted = (torch.tensor(weights)[:, None] * logits).sum(1).argmax(1)
    accuracy = 100 * (predicted == labels).float().mean().item()
    assert record['metrics']['accuracy/top1'] == pytest.approx(accuracy, abs=0.21)  # one of 500 on the brink
    assert (checkpoint.parent / 'test' / 'per_class_aggregated.csv').is_file()
    assert checkpoint.read_bytes() == before


def test_a_model_without_experts_is_refused(tmp_path):
    result = train('ce/resnet8_digitslt.py', work_dir=tmp_path, overrides={'train_cfg.max_epochs': 1})
    with pytest.raises(UserError, match='LongTailedClassifier here has no two of them'):
        evaluate('ce/resnet8_digitslt.py', tmp_path / result['checkpoint']['file'], aggregate_experts=True)
