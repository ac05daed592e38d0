"""Runs with a hold-out: all that is chosen is chosen on it, and the test set is looked at once, at the end."""

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import ROOT, call

from mmlt.analysis.evaluation_files import read_evaluation
from mmlt.analysis.results import read_results
from mmlt.apis.test import test as evaluate
from mmlt.datasets import Digits, LongTailedDataset
from mmlt.engine.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
CE, BKD, THRESHOLDS = 'ce/resnet8_digitslt.py', 'bkd/resnet8_digitslt.py', 'multi_label/resnet8_digitsmulti_thresholds.py'
# Every epoch is evaluated, and the one with the WORST likelihood is chosen, which is not the last.
ODD = ['train_cfg.max_epochs=3', 'param_scheduler.0.milestones=[2]', 'train_cfg.val_interval=1',
       'default_hooks.checkpoint.seconds=0', 'default_hooks.checkpoint.save_best=nll',
       'default_hooks.checkpoint.rule=greater']  # fmt: skip


@pytest.fixture(scope='module')
def finished(once) -> Path:
    """The folder of a run whose best epoch is not its last."""

    def make(folder: Path) -> None:
        done = call('train', CE, '--holdout', '--work-dir', folder / 'run', '--cfg-options', *ODD)
        assert done.code == 0, done

    return once('run with a hold-out', make) / 'run'


def scalars(folder: Path) -> dict[int, float]:
    """Epoch -> likelihood of the evaluations while training."""
    lines = map(json.loads, (folder / 'scalars.jsonl').read_text().splitlines())
    return {line['epoch']: line['nll'] for line in lines if 'nll' in line}


def test_both_columns_are_of_the_test_set_and_the_choice_of_the_hold_out(finished, tmp_path):
    record, seen = read_results(finished), scalars(finished)
    best = max(seen, key=seen.get)
    assert best != 3 and record['best']['epoch'] == best, seen
    assert record['best']['selected_on'] == 'holdout' and record['best']['selected_by'] == 'nll'
    assert record['evaluated_on'] == 'test' and record['data']['protocol'] == 'cao-holdout'
    assert record['holdout']['last']['nll'] == seen[3] and record['holdout']['best']['nll'] == seen[best]
    for which, name in (('last', 'epoch_3.pth'), ('best', 'best.pth')):
        tested = evaluate(CE, finished / name, work_dir=tmp_path)
        assert tested['test_data']['num_images'] == 500 and tested['evaluated_on'] == 'test'
        assert record[which]['metrics'] == pytest.approx(tested['metrics'], rel=1e-6)
        assert record['test_data'] == tested['test_data']
    full = read_evaluation(finished)
    assert full['split'] == 'test' and full['images'] == 500
    assert {name: full['metrics'][name] for name in record['last']['metrics']} == record['last']['metrics']


def test_the_test_set_has_no_say_before_the_end(finished):
    aside = LongTailedDataset(Digits(), imbalance_ratio=50, protocol='cao-holdout', split='holdout')
    outcome = load_checkpoint(finished / 'epoch_3.pth')['meta']['outcome']
    assert outcome['test_data']['split'] == 'holdout' and outcome['holdout'] is True
    assert outcome['final_test'] == dict(type='Digits', split='test')
    assert len(aside) == 40
    log = (finished / 'train.log').read_text()
    assert log.index('chosen on 40 images') < log.index('the test set, 500 images, is looked at now')


def test_the_page_has_pictures_of_the_test_images(finished, call):
    left = (finished / 'report.html').read_text()
    assert left.count('<img ') > 20 and 'has changed' not in left
    folder = Path(shutil.copytree(finished, 'run'))
    (folder / 'report.html').unlink()
    assert call('report', folder).code == 0
    assert (folder / 'report.html').read_text() == left
    (folder / 'report.html').unlink()
    done = call('train', CE, '--holdout', '--work-dir', folder, '--cfg-options', *ODD)
    assert 'nothing to do' in done.out and (folder / 'report.html').read_text() == left


def test_the_page_of_a_run_on_some_classes_has_pictures_of_these(call):
    some = ['train_cfg.max_epochs=1', 'param_scheduler.0.milestones=[1]', 'train_dataloader.classes=[7,3]']
    done = call('train', CE, '--holdout', '--work-dir', 'run', '--cfg-options', *some)
    assert done.code == 0, done
    left = Path('run/report.html').read_text()
    assert left.count('<img ') and read_evaluation('run')['classes'] == ['7', '3']
    assert call('report', 'run').code == 0 and Path('run/report.html').read_text() == left


def test_a_run_killed_before_its_end_is_tested_alike(finished, call):
    folder = Path(shutil.copytree(finished, 'run'))
    for name in ('results.json', 'evaluation.json', 'evaluation_images.npz'):
        (folder / name).unlink()
    done = call('train', CE, '--holdout', '--work-dir', folder, '--resume', '--cfg-options', *ODD)
    assert done.code == 0, done
    one, other = read_results(finished), read_results(folder)
    assert all(one[key] == other[key] for key in ('last', 'best', 'holdout'))
    assert (folder / 'evaluation.json').read_bytes() == (finished / 'evaluation.json').read_bytes()
    (folder / 'results.json').unlink()
    (folder / 'best.pth').write_bytes((folder / 'epoch_3.pth').read_bytes())
    done = call('train', CE, '--holdout', '--work-dir', folder, '--resume', '--cfg-options', *ODD)
    assert done.code == 0 and 'best.pth holds the weights of another epoch' in done.out
    assert read_results(folder)['best']['metrics'] == {} and read_results(folder)['last'] == one['last']


def test_values_are_tuned_on_the_hold_out_by_one_command(finished, call):
    for kind, name in (('logit_adjustment', 'tau'), ('tau_norm', 'tau'), ('temperature', 'temperature')):
        done = call('test', CE, finished / 'epoch_3.pth', '--adjust', kind, f'--{name}', 'tune', '--out', f'{kind}.json')
        assert done.code == 0, done
        record = json.loads(Path(f'{kind}.json').read_text())
        assert record['adjustment']['found_on'] == 'holdout' and 'found on the holdout' in done.out
        assert record['test_data']['num_images'] == 500


def test_a_teacher_has_not_seen_what_is_set_aside(call):
    short = ['train_cfg.max_epochs=1', 'param_scheduler.0.milestones=[1]']
    teacher = ['--seed', '3', '--holdout', '--work-dir', 'teacher']
    assert call('train', CE, *teacher, '--cfg-options', *short).code == 0
    named = 'prerequisites.teacher.checkpoint=teacher/epoch_1.pth'
    assert call('train', BKD, '--holdout', '--work-dir', 'student', '--cfg-options', *short, named).code == 0
    from mmlt.engine.stages import Stage

    stage = Stage(BKD, overrides=dict(holdout=True))
    (need,) = stage.needs
    assert need.source.cfg.train_dataloader.dataset == stage.cfg.train_dataloader.dataset
    assert stage.cfg.train_dataloader.dataset.protocol == 'cao-holdout'


def test_several_labels_have_their_thresholds_from_the_hold_out(call):
    done = call('train', THRESHOLDS, '--holdout', '--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    assert done.code == 0, done
    record = read_results('run')
    assert record['tuned']['thresholds']['found_on'] == 'holdout' and record['evaluated_on'] == 'test'
    assert record['holdout']['last'].keys() >= {'mAP', 'F1'} and record['best']['selected_on'] == 'holdout'
    chosen = load_checkpoint('run/epoch_1.pth')['meta']['thresholds']
    assert record['tuned']['thresholds']['value'] == chosen and len(set(chosen)) > 1
    tested = evaluate(THRESHOLDS, 'run/epoch_1.pth')
    assert tested['tuned'] == record['tuned'] and tested['metrics'] == pytest.approx(record['last']['metrics'], rel=1e-6)


def own_data(folder: Path, more: str = '') -> str:
    """A config for class folders of the digits, and these."""
    from PIL import Image

    digits = Digits()
    for split, (start, stop) in dict(train=(0, 200), test=(200, 260)).items():
        for place in range(start, stop):
            image, label = digits[place]
            path = folder / split / f'digit {label}' / f'{place}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    sets = {split: dict(_delete_=True, type='ImageFolder', data_root=f'{folder}/{split}', image_size=8) for split in
            ('train', 'val', 'test')}  # fmt: skip
    (folder / 'own.py').write_text(f"""
_base_ = ['{ROOT / 'configs' / CE}']
holdout = True
train_dataloader = dict(dataset={sets['train'] | dict(crop='random_resized')})
test_dataloader = dict(dataset={sets['test']})
val_dataloader = dict(dataset={sets['val' if (folder / 'val').is_dir() else 'test']})
""")
    return str(folder / 'own.py')


def test_ones_own_images(call, tmp_path):
    short = ['train_cfg.max_epochs=2', 'param_scheduler.0.milestones=[1]', 'train_cfg.val_interval=1']
    config = own_data(tmp_path)
    done = call('train', config, '--work-dir', 'run', '--cfg-options', *short)
    assert done.code == 0, done
    record = read_results('run')
    assert record['data']['holdout'] == dict(part='train', fraction=0.1, seed=0) and record['data']['num_images'] < 200
    aside = int(re.search(r'chosen on (\d+) images', done.out)[1])
    assert aside + record['data']['num_images'] == 200 and 10 <= aside <= 30
    assert record['best']['selected_on'] == 'holdout' and read_evaluation('run')['images'] == 60
    test_data = load_checkpoint('run/epoch_2.pth')['meta']['outcome']['test_data']
    assert 'crop' not in test_data, 'what is set aside is looked at as a test image is'
    done = call('test', config, 'run/epoch_2.pth', '--adjust', 'temperature', '--temperature', 'tune', '--out', 'tuned.json')
    assert done.code == 0 and json.loads(Path('tuned.json').read_text())['adjustment']['found_on'] == 'holdout', done
    again = ['train', config, '--work-dir', 'run', '--cfg-options', *short]
    assert 'nothing to do' in call(*again).out
    one, other = sorted((tmp_path / 'test').rglob('*.png'))[:2]
    shutil.copy(other, one)
    done = call(*again)  # as without a hold-out: its figures are of other images
    assert done.code == 1 and 'of other data (outcome.final_test_fingerprint.content_sha256 was' in done.err, done


def test_ones_own_validation_set_is_what_is_chosen_and_tuned_on(call, tmp_path):
    own_data(tmp_path)
    shutil.copytree(tmp_path / 'test', tmp_path / 'val')
    config = own_data(tmp_path)
    short = ['train_cfg.max_epochs=1', 'param_scheduler.0.milestones=[1]']
    done = call('train', config, '--work-dir', 'run', '--cfg-options', *short)
    assert done.code == 0, done
    record = read_results('run')
    assert record['data']['num_images'] == 200 and 'holdout' not in record['data']
    assert record['best']['selected_on'] == 'holdout' and record['evaluated_on'] == 'test'
    tune = ['--adjust', 'temperature', '--temperature', 'tune']
    done = call('test', config, 'run/epoch_1.pth', *tune, '--out', 'tuned.json')
    assert done.code == 0, done
    next((tmp_path / 'val').rglob('*.png')).unlink()
    done = call('test', config, 'run/epoch_1.pth', *tune)
    assert done.code == 1 and 'validation set of this config is not the one' in done.err, done
