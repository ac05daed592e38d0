"""The rival's loop follows the config's recipe, goes on where it was stopped, and is set beside mmlt seed by seed."""

import json

import pytest
import torch

from benchmarks.accuracy import compare_accuracy, differences
from benchmarks.rival_train import RivalRun, rival_network
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.registry import MODELS

CONFIG = 'configs/ce/resnet8_digitslt.py'
SHORT = {'train_cfg.max_epochs': 4, 'param_scheduler.0.milestones': [1, 3]}


@pytest.fixture
def few_images(monkeypatch):
    """One batch an epoch, loaded without workers."""
    monkeypatch.setattr('benchmarks.rival_train.WORKERS', 0)
    return {**SHORT, 'train_dataloader.batch_size': 342}


def silent(line: str) -> None:
    """Say nothing."""


def test_the_rival_has_the_network_and_the_weights_of_the_config():
    model = MODELS.build(Stage(CONFIG).cfg.model).eval()
    rival = rival_network(model, 8).eval()
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(rival(images), model(images), atol=1e-5)


def test_the_rival_follows_the_recipe(tmp_path, few_images):
    run = RivalRun(Stage(CONFIG, overrides=few_images), tmp_path)
    rates = []
    while run.epoch < run.max_epochs:
        rates.append(run.optimizer.param_groups[0]['lr'])
        run._train_epoch(run._loader(run.stage.loader.dataset, []))
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001])
    group = run.optimizer.param_groups[0]
    assert (group['momentum'], group['weight_decay'], run.images) == (0.9, 5e-4, 4 * 342)


def test_the_rivals_warm_up_goes_by_steps(tmp_path, few_images):
    warm_up = dict(type='LinearLR', start_factor=0.01, begin=0, end=2, convert_to_iter_based=True)
    few_images['train_dataloader.batch_size'] = 171
    stage = Stage(CONFIG, overrides={**few_images, 'param_scheduler': [warm_up]})
    run = RivalRun(stage, tmp_path)
    rates = []
    while run.epoch < 3:
        rates.append(run.optimizer.param_groups[0]['lr'])
        run._train_epoch(run._loader(run.stage.loader.dataset, []))
    assert rates == pytest.approx([0.001, 0.1 * (0.01 + 0.99 * 2 / 3), 0.1])  # two steps an epoch, 0.1 from the fourth


def test_a_stopped_rival_goes_on_as_if_it_had_not_been(tmp_path, few_images):
    stage = Stage(CONFIG, overrides=few_images)
    whole = RivalRun(stage, tmp_path / 'whole', save_every=2)
    expected = whole.run(silent)
    stopped = RivalRun(stage, tmp_path / 'stopped', save_every=2)

    def stop(line: str) -> None:
        if 'epoch 3' in line:  # after the checkpoint of epoch 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(stop)
    resumed = RivalRun(stage, tmp_path / 'stopped', save_every=2)
    assert resumed.epoch == 2
    assert resumed.run(silent)['metrics'] == expected['metrics']
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_method_that_the_rival_has_no_loop_for_is_refused(tmp_path):
    with pytest.raises(UserError, match='plain cross entropy'):
        RivalRun(Stage('configs/balanced_softmax/resnet8_digitslt.py'), tmp_path)


def test_differences_count_the_seeds_that_both_have():
    def records(*top1: float) -> list[dict]:
        return [dict(seed=seed, metrics={'accuracy/top1': value}) for seed, value in enumerate(top1)]

    found = differences(dict(rival=records(30.0, 32.0, 90.0), mmlt=records(31.0, 35.0)))['accuracy/top1']
    assert (found['points'], found['rival_mean'], found['seeds']) == (2.0, 31.0, [0, 1])
    assert found['rival_deviation'] == pytest.approx(2**0.5, abs=1e-3)
    assert differences(dict(rival=records(30.0), mmlt=[])) == {}


def test_both_routes_stand_in_the_file_and_are_not_trained_twice(tmp_path, few_images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = compare_accuracy(CONFIG, [0], threads=torch.get_num_threads(), overrides=few_images, out='found.json')
    assert json.loads((tmp_path / 'found.json').read_text()) == found
    (rival,), (own,) = found['routes']['rival'], found['routes']['mmlt']
    assert rival['epoch'] == own['epoch'] == 4 and rival['precision'] == 'fp32'
    assert found['difference']['accuracy/top1']['points'] == pytest.approx(
        own['metrics']['accuracy/top1'] - rival['metrics']['accuracy/top1'], abs=1e-3
    )
    monkeypatch.setattr(RivalRun, '__init__', None)  # nothing is trained again
    assert compare_accuracy(CONFIG, [0], threads=torch.get_num_threads(), overrides=few_images)['routes'] == found['routes']
