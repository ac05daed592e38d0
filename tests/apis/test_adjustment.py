"""`--adjust`: what is asked for, what is refused, and that it acts on the very model that is evaluated."""

import json
from pathlib import Path

import pytest
import torch
from commands import call

from mmlt.analysis.results import read_results, validate
from mmlt.apis.adjustment import Adjustment
from mmlt.apis.test import test as evaluate
from mmlt.apis.train import train
from mmlt.engine.checkpoint import load_checkpoint, save_checkpoint
from mmlt.errors import UserError

CE = 'ce/resnet8_digitslt.py'
SHORT = {'train_cfg.max_epochs': 2, 'default_hooks.checkpoint.seconds': 1000}


@pytest.fixture(scope='module')
def runs(tmp_path_factory) -> dict[str, Path]:
    """Two short runs, one of which set images aside."""
    folder = tmp_path_factory.mktemp('runs')
    found = {}
    for protocol in ('cao', 'cao-holdout'):
        overrides = {**SHORT, 'train_dataloader.dataset.protocol': protocol}
        result = train(CE, work_dir=folder / protocol, overrides=overrides)
        found[protocol] = folder / protocol / result['checkpoint']['file']
    return found


def run(checkpoint: Path, *settings: str | None, protocol: str = 'cao', **named: str) -> dict:
    overrides = {'train_dataloader.dataset.protocol': protocol}
    adjustment = Adjustment(*settings, **named) if settings else None
    return evaluate(CE, checkpoint, overrides=overrides, work_dir=checkpoint.parent / 'test', adjustment=adjustment)


def test_neutral_settings_change_nothing(runs):
    plain = run(runs['cao'])
    for settings in (dict(adjust='temperature', temperature='1'), dict(adjust='logit_adjustment', tau='0')):
        assert run(runs['cao'], settings.pop('adjust'), **settings)['metrics'] == pytest.approx(plain['metrics'], abs=1e-4)
    assert 'adjustment' not in plain


def test_a_temperature_moves_calibration_but_no_prediction(runs):
    plain, hot = run(runs['cao']), run(runs['cao'], 'temperature', temperature='5')
    assert hot['metrics']['accuracy/top1'] == plain['metrics']['accuracy/top1']
    assert hot['metrics']['nll'] != plain['metrics']['nll']
    assert hot['adjustment'] == dict(adjust='temperature', temperature='5', value=5.0, found_on=None)


def test_a_strong_adjustment_prefers_the_rarest_class(runs):
    rows = run(runs['cao'], 'logit_adjustment', tau='100')['per_class']
    assert [row['accuracy'] for row in rows] == [0.0] * 9 + [100.0]
    uniform, adjusted = run(runs['cao'], 'prior'), run(runs['cao'], 'logit_adjustment')
    assert uniform['metrics'] == pytest.approx(adjusted['metrics'], abs=1e-6)


def test_a_known_prior_comes_from_a_file(runs, tmp_path):
    prior = tmp_path / 'prior.json'
    prior.write_text(json.dumps([0] * 9 + [1]))
    rows = run(runs['cao'], 'prior', test_prior=str(prior))['per_class']
    assert [row['accuracy'] for row in rows] == [0.0] * 9 + [100.0]
    prior.write_text(json.dumps({'9': 2, '0': 0}))  # by name; a class that is not named has none
    assert run(runs['cao'], 'prior', test_prior=str(prior))['per_class'] == rows
    prior.write_text('[1, 2]')
    with pytest.raises(UserError, match='10 numbers'):
        run(runs['cao'], 'prior', test_prior=str(prior))
    with pytest.raises(UserError, match='JSON'):
        run(runs['cao'], 'prior', test_prior=str(tmp_path / 'none.json'))
    estimated = run(runs['cao'], 'prior', test_prior='estimate')['adjustment']
    assert estimated['found_on'] == 'unlabelled test images' and sum(estimated['value']) == pytest.approx(1)


def test_a_model_balanced_in_training_is_corrected_from_a_uniform_prior(tmp_path, capsys):
    overrides = {**SHORT, 'model.loss.type': 'BalancedSoftmaxLoss'}
    result = train(CE, work_dir=tmp_path / 'run', overrides=overrides)
    checkpoint = tmp_path / 'run' / result['checkpoint']['file']

    def adjusted(*settings):
        return evaluate(CE, checkpoint, overrides=overrides, work_dir=tmp_path / 'test', adjustment=Adjustment(*settings))

    capsys.readouterr()
    assert adjusted('prior')['metrics'] == pytest.approx(result['last']['metrics'], abs=1e-4)
    said = ' '.join(capsys.readouterr().out.split())
    assert 'do not count on the prior of the training images, by balanced softmax (model.loss): corrected' in said
    assert adjusted('logit_adjustment')['metrics']['accuracy/top1'] != result['last']['metrics']['accuracy/top1']
    assert 'overshoots' in capsys.readouterr().out


def test_tau_normalisation_and_nearest_means_replace_the_head_of_this_evaluation_only(runs):
    before = runs['cao'].read_bytes()
    plain = run(runs['cao'])
    for settings in (('tau_norm', '1'), ('ncm',)):
        record = run(runs['cao'], *settings)
        assert record['metrics'] != plain['metrics']
        assert (runs['cao'].parent / 'test' / f'per_class_{settings[0]}.csv').is_file()
    assert runs['cao'].read_bytes() == before


@pytest.mark.parametrize('kind, setting', [('logit_adjustment', 'tau'), ('tau_norm', 'tau'), ('temperature', 'temperature')])
def test_a_value_is_tuned_on_the_holdout_and_refused_without_one(runs, kind, setting):
    record = run(runs['cao-holdout'], kind, protocol='cao-holdout', **{setting: 'tune'})
    assert record['adjustment']['found_on'] == 'holdout' and record['adjustment']['value'] >= 0
    with pytest.raises(UserError, match='cao-holdout'):
        run(runs['cao'], kind, **{setting: 'tune'})


def test_the_tuned_value_is_the_best_on_the_holdout_not_on_the_test_set(runs):
    holdout = {'test_dataloader.dataset': dict(
        type='LongTailedDataset', dataset=dict(type='Digits', split='train'), imbalance_ratio=50,
        protocol='cao-holdout', split='holdout',
    )}  # fmt: skip
    tuned = run(runs['cao-holdout'], 'logit_adjustment', 'tune', protocol='cao-holdout')['adjustment']['value']

    def on_holdout(tau: float) -> float:
        record = evaluate(CE, runs['cao-holdout'], overrides=holdout, work_dir=runs['cao'].parent / 'holdout',
                          adjustment=Adjustment('logit_adjustment', str(tau)))  # fmt: skip
        return record['metrics']['accuracy/mean_class']

    best = on_holdout(tuned)
    assert all(best >= on_holdout(tau) for tau in (0.0, 0.5, 1.0, 1.5, 2.0))


def test_a_value_that_was_tuned_on_one_run_corrects_another(runs, tmp_path):
    """The command line's way: tune on a run with a holdout, then correct the run of the table with the file."""
    file, out = tmp_path / 'tuned.json', tmp_path / 'results_tau.json'
    adjust = ['--work-dir', tmp_path, '--adjust', 'tau_norm', '--tau']
    options = ['--cfg-options', 'train_dataloader.dataset.protocol=cao-holdout']
    done = call('test', CE, runs['cao-holdout'], *adjust, 'tune', '--out', file, *options)
    assert done.code == 0, done
    done = call('test', CE, runs['cao'], *adjust, file, '--out', out)
    assert done.code == 0, done
    tuned, record = json.loads(file.read_text())['adjustment'], read_results(out)
    assert tuned['found_on'] == record['adjustment']['found_on'] == 'holdout'
    assert record['adjustment']['value'] == tuned['value']
    assert record['metrics'] == run(runs['cao'], 'tau_norm', str(tuned['value']))['metrics']


def test_a_value_from_a_file_must_be_tuned_for_this_very_thing(runs, tmp_path):
    file = tmp_path / 'tuned.json'
    file.write_text(json.dumps(dict(config='ce/resnet8_digitslt', adjustment=dict(adjust='tau_norm', value=1, found_on=None))))
    with pytest.raises(UserError, match='found on None'):
        run(runs['cao'], 'tau_norm', str(file))
    file.write_text('{}')
    with pytest.raises(UserError, match='was not written by'):
        run(runs['cao'], 'tau_norm', str(file))


def test_the_record_is_that_of_the_run_it_corrects(runs):
    """Its training data, seed and epochs come from the checkpoint; a table can place it."""
    record, own = run(runs['cao'], 'tau_norm', '1'), read_results(runs['cao'].parent)
    validate(record, 'here')
    for key in ('data', 'seed', 'config', 'config_hash', 'epochs', 'shot_groups', 'precision', 'finished'):
        assert record[key] == own[key], key
    assert record['prerequisites']['model']['checkpoint_sha256'] == own['checkpoint']['sha256']
    assert record['last']['metrics'] == record['metrics'] and record['best']['metrics'] == {}
    assert set(run(runs['cao'], 'ncm')['metrics']) & {'calibration/ece', 'nll'} == set(), 'cosines are no probabilities'


def test_another_training_set_than_the_checkpoints_is_refused(runs):
    overrides = {'train_dataloader.dataset.protocol': 'cao-holdout', 'train_dataloader.dataset.imbalance_ratio': 10}
    with pytest.raises(UserError, match='same overrides'):
        evaluate(CE, runs['cao-holdout'], overrides=overrides, work_dir=runs['cao'].parent / 'other',
                 adjustment=Adjustment('logit_adjustment', 'tune'))  # fmt: skip


def test_a_cosine_head_has_no_norms(runs, tmp_path):
    content = load_checkpoint(runs['cao'])
    state = content['state_dict']
    del state['head.bias']
    path = save_checkpoint(tmp_path / 'cosine.pth', {**content, 'state_dict': state})
    with pytest.raises(UserError, match='CosineHead'):
        evaluate(CE, path, overrides={'model.head': dict(type='CosineHead', in_channels=64, num_classes=10)},
                 work_dir=tmp_path, adjustment=Adjustment('tau_norm', '1'))  # fmt: skip


@pytest.mark.parametrize(
    'settings, word',
    [
        (dict(adjust='magic'), 'magic'),
        (dict(adjust='tau_norm'), '--tau'),
        (dict(adjust='temperature'), '--temperature'),
        (dict(adjust='temperature', temperature='0'), 'above 0'),
        (dict(adjust='tau_norm', tau='much'), 'number'),
        (dict(adjust='ncm', tau='1'), '--tau does not belong'),
        (dict(adjust='logit_adjustment', test_prior='uniform'), '--test-prior does not belong'),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, word):
    with pytest.raises(UserError, match=word):
        Adjustment(**settings)


def test_adjusted_records_are_plain_json(runs):
    record = run(runs['cao'], 'ncm')
    assert json.loads(json.dumps(record, allow_nan=False))['adjustment']['adjust'] == 'ncm'
    assert torch.load(runs['cao'])['meta']['class_counts'] == [row['train_images'] for row in record['per_class']]
