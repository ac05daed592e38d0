"""The full evaluation beside a run's and an evaluation's results: there, checked, repeatable; and of several checkpoints."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import ROOT, call

from mmlt.analysis.evaluation_files import file_names, read_evaluation, read_images, write_evaluation
from mmlt.analysis.results import read_results
from mmlt.apis.ensemble import mean_of_sigmoids, mean_of_softmaxes
from mmlt.apis.test import test as evaluate
from mmlt.engine.finished import load_classifier
from mmlt.errors import UserError

CE, LABELS = 'ce/resnet8_digitslt.py', 'multi_label/resnet8_digitsmulti.py'
TINY = ['train_cfg.max_epochs=2', 'param_scheduler.0.milestones=[1]', 'default_hooks.checkpoint.seconds=0']
FILES = ('evaluation.json', 'evaluation_images.npz')


@pytest.fixture(scope='module')
def runs(once) -> Path:
    """Two seeds of a short run."""

    def make(folder: Path) -> None:
        for seed in (0, 1):
            done = call('train', CE, '--seed', seed, '--work-dir', folder / f'seed{seed}', '--cfg-options', *TINY)
            assert done.code == 0, done

    return once('two short seeds', make)


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_a_run_leaves_its_full_evaluation(runs):
    record, results = read_evaluation(runs / 'seed0'), read_results(runs / 'seed0')
    arrays = read_images(runs / 'seed0', record)
    assert record['split'] == 'test' and record['images'] == 500 == len(arrays['target'])
    found = {name: record['metrics'][name] for name in results['last']['metrics']}
    assert found == results['last']['metrics']
    assert 100 * (arrays['top_classes'][:, 0] == arrays['target']).mean() == pytest.approx(found['accuracy/top1'])
    assert len(record['intervals']['metrics']) == len(record['metrics']) - 2
    for name, (low, high) in record['intervals']['metrics'].items():
        assert low <= high, name
    low, high = record['intervals']['metrics']['accuracy/top1']
    assert low < found['accuracy/top1'] < high


def test_an_evaluation_of_the_checkpoint_gives_the_same_bytes_again(runs, call):
    for _ in range(2):
        done = call('test', CE, runs / 'seed0/epoch_2.pth', '--out', 'new/results.json', '--work-dir', 'rows')
        assert done.code == 0, done
        assert contents(Path('new')) == contents(runs / 'seed0')
        assert 'every figure with its interval: new/evaluation.json' in done.out
    assert not list(Path('rows').glob('evaluation*'))


def test_a_run_killed_before_its_results_leaves_the_same_files(runs, call):
    folder = Path(shutil.copytree(runs / 'seed0', 'run'))
    for name in ('results.json', *FILES):
        (folder / name).unlink()
    done = call('train', CE, '--work-dir', folder, '--resume', '--cfg-options', *TINY)
    assert done.code == 0, done
    assert contents(folder) == contents(runs / 'seed0')


def test_two_processes_and_an_uneven_split_give_the_files_of_one(runs, run):
    """Every image is computed by itself, so the figures agree to the last bit where the network's outputs do."""
    options = ['--cfg-options', 'test_dataloader.batch_size=7']
    done = run.ranks('test.py', CE, runs / 'seed0/epoch_2.pth', '--out', 'two/results.json', *options)
    assert [one.code for one in done] == [0, 0], done
    one, two = read_evaluation(runs / 'seed0'), read_evaluation(run.folder / 'two')
    exact = ('images', 'class_counts', 'per_class', 'confusion', 'group_confusion', 'confused_pairs')
    assert {key: one[key] for key in exact} == {key: two[key] for key in exact}
    assert two['metrics'] == pytest.approx(one['metrics'], rel=1e-6) and 'calibration/classwise_ece' in two['metrics']
    assert (read_images(run.folder / 'two', two)['target'] == read_images(runs / 'seed0', one)['target']).all()


def test_several_labels(call):
    assert call('train', LABELS, '--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=1').code == 0
    record, results = read_evaluation('run'), read_results('run')
    arrays = read_images('run', record)
    assert record['task'] == 'multi_label' and record['metrics'] == results['last']['metrics']
    assert record['intervals']['metrics'].keys() == record['metrics'].keys() and record['intervals']['resamples'] == 1000
    assert arrays['target'].sum(0).tolist() == record['per_class']['test_images']
    checkpoint = 'run/epoch_1.pth'
    done = call('test', LABELS, checkpoint, checkpoint, '--out', 'mean.json')
    assert done.code == 0, done
    assert read_evaluation('evaluation_mean.json')['metrics'] == pytest.approx(record['metrics'], rel=1e-4)
    twice = read_images('evaluation_images_mean.npz', record)['probabilities'].astype(float)
    np.testing.assert_allclose(twice, arrays['probabilities'], atol=1e-3)


def test_a_disk_without_room_leaves_the_earlier_files(runs, call, monkeypatch):
    shutil.copytree(runs / 'seed0', 'old')
    (Path('old') / 'results.json').unlink()
    for name in ('epoch_1.pth', 'epoch_2.pth', 'best.pth'):
        (Path('old') / name).unlink(missing_ok=True)
    before = contents(Path('old'))

    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmlt.files.os.fsync', full)
    done = call('test', CE, runs / 'seed1/epoch_2.pth', '--out', 'old/results.json', '--work-dir', 'rows')
    assert done.code == 1 and 'No space left' in done.err and 'Traceback' not in done.err
    assert contents(Path('old')) == before and not list(Path('old').glob('.*.tmp'))


def test_tables_of_mmpretrains_metrics_stand_in_it(runs, call):
    Path('own.py').write_text(
        f"_base_ = ['{ROOT / 'configs' / CE}']\n"
        "test_evaluator = [dict(type='ShotGroupMetric'), dict(type='ConfusionMatrix'), dict(type='mmpretrain.Accuracy')]\n"
    )
    done = call('test', 'own.py', runs / 'seed0/epoch_2.pth', '--out', 'results.json')
    assert done.code == 1 and "Set one's prefix" in done.err, done
    text = Path('own.py').read_text()
    Path('own.py').write_text(text.replace("'mmpretrain.Accuracy'", "'mmpretrain.Accuracy', prefix='its'"))
    done = call('test', 'own.py', runs / 'seed0/epoch_2.pth', '--out', 'results.json')
    assert done.code == 0, done
    record = read_evaluation('evaluation.json')
    whole = np.zeros((10, 10), int)
    whole[record['confusion']['true'], record['confusion']['predicted']] = record['confusion']['images']
    assert record['tables'] == {'confusion_matrix/result': whole.tolist()}
    assert read_results('results.json')['metrics']['its/top1'] == pytest.approx(record['metrics']['accuracy/top1'], rel=1e-5)


def test_files_of_others_are_not_written_over(runs, call):
    Path('evaluation_mine.json').write_text('{"my": "own"}')
    done = call('test', CE, runs / 'seed0/epoch_2.pth', '--out', 'results_mine.json')
    assert done.code == 1 and 'evaluation_mine.json is there and was not made by this tool' in done.err
    assert file_names('a/results_x.json') == (Path('a/evaluation_x.json'), Path('a/evaluation_images_x.npz'))
    assert file_names('a/x.json') == file_names('a/results_x.json')
    assert file_names('results.json') == (Path('evaluation.json'), Path('evaluation_images.npz'))


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (dict(schema=2), 'no evaluation of schema 1'),
        (dict(task='detection'), 'no evaluation'),
        (dict(class_counts=[1, 2]), 'class_counts has 2 entries for 10 classes'),
        (dict(metrics={'nll': 'low'}), 'metrics.nll must be int or float'),
        (dict(shot_groups=dict(convention='standard', many=[10], medium=[], few=[])), 'a class outside 0 to 9'),
        (dict(confusion=dict(true=[1], predicted=[1, 2], images=[3])), 'different lengths'),
        (dict(intervals=dict(level=0.95, resamples=1, metrics={'nll': [1]})), 'two ends'),
    ],
)
def test_a_damaged_evaluation_is_named(runs, tmp_path, change, said):
    record = {**read_evaluation(runs / 'seed0'), **change}
    with pytest.raises(UserError, match=said):
        write_evaluation(tmp_path / 'results.json', record, {})
    (tmp_path / 'evaluation.json').write_text(json.dumps(record))
    with pytest.raises(UserError, match=said):
        read_evaluation(tmp_path)


def test_missing_and_foreign_files_are_named(runs, tmp_path):
    with pytest.raises(UserError, match='there is no full evaluation at'):
        read_evaluation(tmp_path)
    (tmp_path / 'evaluation.json').write_text('{')
    with pytest.raises(UserError, match='is not valid JSON'):
        read_evaluation(tmp_path)
    record = read_evaluation(runs / 'seed0')
    np.savez(tmp_path / 'evaluation_images.npz', **{**read_images(runs / 'seed0', record), 'nll': np.zeros(3)})
    with pytest.raises(UserError, match='nll in .* is not of 500 images'):
        read_images(tmp_path, record)
    (tmp_path / 'evaluation_images.npz').write_bytes(b'PK')
    with pytest.raises(UserError, match='cannot be read'):
        read_images(tmp_path, record)


def test_several_checkpoints_predict_the_mean_of_their_probabilities(runs, call):
    paths = [runs / f'seed{seed}/epoch_2.pth' for seed in (0, 1)]
    done = call('test', CE, *paths, '--out', 'results_mean.json')
    assert done.code == 0, done
    record = json.loads(Path('results_mean.json').read_text())
    assert [one['file'] for one in record['ensemble']] == list(map(str, paths)) and record['seed'] is None
    assert sorted(record['prerequisites']) == ['model.0', 'model.1']
    full = read_evaluation('evaluation_mean.json')
    arrays = read_images('evaluation_images_mean.npz', full)

    from mmlt.datasets import Digits
    from mmlt.engine.loader import build_loader

    (batch,) = build_loader(dict(batch_size=500, dataset=Digits(split='test')))
    with torch.no_grad():
        models = [load_classifier(path).eval() for path in paths]
        expected = sum(m(m.data_preprocessor(batch, False).images).double().softmax(1) for m in models) / 2
    best = expected.sort(descending=True, stable=True)
    np.testing.assert_allclose(arrays['top_probabilities'], best.values[:, :5], rtol=1e-4)
    assert record['metrics']['accuracy/top1'] == pytest.approx(
        100 * (best.indices[:, 0] == batch.targets).double().mean().item()
    )
    assert full['metrics']['nll'] == pytest.approx(-expected[range(500), batch.targets].log().mean().item(), rel=1e-5)


def test_one_checkpoint_twice_is_that_checkpoint(runs, tmp_path):
    path = runs / 'seed0/epoch_2.pth'
    once, twice = (evaluate(CE, paths, work_dir=tmp_path)['metrics'] for paths in (path, [path, path]))
    assert twice == pytest.approx(once, rel=1e-5)
    assert sorted(file.name for file in tmp_path.glob('*.json')) == ['evaluation.json', 'evaluation_ensemble.json']


def test_checkpoints_that_do_not_go_together_are_refused(runs, call):
    path = runs / 'seed0/epoch_2.pth'
    done = call('test', CE, path, path, '--adjust', 'ncm')
    assert done.code == 1 and 'give one checkpoint' in done.err
    options = ['train_dataloader.dataset.imbalance_ratio=10', *TINY]
    assert call('train', CE, '--work-dir', 'other', '--cfg-options', *options).code == 0
    done = call('test', CE, path, 'other/epoch_2.pth')
    assert done.code == 1 and 'average models of the same training set' in done.err


def test_means_of_probabilities_in_double():
    logits = torch.randn(3, 20, 6, dtype=torch.float64) * 5
    torch.testing.assert_close(mean_of_softmaxes(logits).exp(), logits.softmax(2).mean(0))
    torch.testing.assert_close(mean_of_sigmoids(logits).sigmoid(), logits.sigmoid().mean(0))
