"""The main job on the embedded digits, from the command line."""

import csv
import json
import re
import subprocess
import sys

import pytest
import torch
from commands import ROOT

pytestmark = pytest.mark.slow
BKD, KD, CE, FOCAL = (f'configs/{name}/resnet8_digitslt.py' for name in ('bkd', 'kd', 'ce', 'focal'))


@pytest.mark.real_data
def test_bkd_whole_beats_its_teacher_and_is_reused(run):
    out, _ = run('train.py', BKD)
    teacher, student = run.results('ce/resnet8_digitslt/seed0'), run.results('bkd/resnet8_digitslt/seed0')
    assert student['last']['metrics']['accuracy/top1'] > teacher['last']['metrics']['accuracy/top1']
    assert student['last']['metrics']['accuracy/few'] > teacher['last']['metrics']['accuracy/few']
    assert student['last']['selected_on'] is None and student['best']['selected_on'] == 'test'
    assert student['prerequisites']['teacher']['checkpoint_sha256'] == teacher['checkpoint']['sha256']
    assert student['data'] == teacher['data'] and student['data']['num_images'] == 342
    assert student['shot_groups'] == dict(convention='standard', many=1, medium=4, few=5)
    folder = run.folder / 'work_dirs/bkd/resnet8_digitslt/seed0'
    rows = list(csv.DictReader((folder / 'per_class.csv').open()))
    assert len(rows) == 10 and [int(row['train_images']) for row in rows] == [124, 80, 51, 33, 21, 14, 9, 5, 3, 2]
    mean = sum(float(row['accuracy']) for row in rows) / 10
    assert mean == pytest.approx(student['last']['metrics']['accuracy/mean_class'], abs=0.01)
    assert '<html' in (folder / 'report.html').read_text()

    again, _ = run('train.py', BKD)
    assert 'finished before' in again and 'epoch' not in re.sub(r'finished before.*', '', again).lower().split('┃')[0]
    out, _ = run('train.py', KD)
    assert re.search(r'ce/resnet8_digitslt, seed 0: finished before', out), 'KD reuses the teacher of BKD'

    checkpoint = folder / 'epoch_60.pth'
    run('test.py', BKD, checkpoint, '--out', 'out.json')
    tested = json.loads((run.folder / 'out.json').read_text())
    assert tested['metrics'] == pytest.approx(student['last']['metrics'], abs=1e-4)
    assert not any('teacher' in name for name in torch.load(checkpoint)['state_dict'])
    out, _ = run('compare_runs.py', folder, '--plot', 'plot.png')
    assert (run.folder / 'plot.png').stat().st_size > 5000


def test_an_override_of_the_data_changes_the_teacher_too(run):
    run.train(BKD, 'train_dataloader.dataset.imbalance_ratio=10', 'model.temperature=4')
    student = run.results('bkd/resnet8_digitslt@*/seed0')
    (teacher_folder,) = run.folder.glob('work_dirs/ce/resnet8_digitslt@*/seed0')
    teacher = run.results('ce/resnet8_digitslt@*/seed0')
    assert student['data'] == teacher['data'] and teacher['data']['imbalance_ratio'] == 10
    assert list(teacher['overrides']) == ['train_dataloader.dataset.imbalance_ratio']
    assert teacher['epochs'] == 60, 'a short student does not get a short teacher unasked'
    assert student['epochs'] == 3
    assert student['prerequisites']['teacher']['run'] == str(teacher_folder.relative_to(run.folder))


def test_two_students_at_once_share_one_teacher(run):
    processes = [run.start('train.py', config, '--cfg-options', 'train_cfg.max_epochs=2') for config in (BKD, KD)]
    outs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outs
    trained = [out for out, _ in outs if 'ce/resnet8_digitslt: finished in' in out]
    assert len(trained) == 1
    shas = {run.results(f'{name}/resnet8_digitslt@*/seed0')['prerequisites']['teacher']['checkpoint_sha256']
            for name in ('bkd', 'kd')}  # fmt: skip
    assert len(shas) == 1


def test_resumed_after_a_kill_at_a_checkpoint_equals_the_run_that_was_not_killed(run):
    options = ['default_hooks.checkpoint.seconds=0']
    run.train(CE, *options, '--work-dir', 'whole')
    process = run.start('train.py', CE, '--work-dir', 'killed', '--cfg-options', *options, 'train_cfg.max_epochs=3',
                        'param_scheduler.0.milestones=[2]')  # fmt: skip
    while not list((run.folder / 'killed').glob('epoch_*.pth')):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not (run.folder / 'killed/results.json').exists()
    _, err = run.train(CE, *options, '--work-dir', 'killed', code=1)
    assert '--resume' in err
    out, _ = run.train(CE, *options, '--work-dir', 'killed', '--resume')
    assert 'resumed after epoch' in out
    whole, killed = (json.loads((run.folder / name / 'results.json').read_text()) for name in ('whole', 'killed'))
    for record in (whole, killed):
        for timed in ('wall_seconds', 'images_per_s', 'peak_memory_mb', 'checkpoint'):
            del record[timed]
    assert whole == killed
    steps = [[json.loads(line)['step'] for line in (run.folder / name / 'scalars.jsonl').read_text().splitlines()]
             for name in ('whole', 'killed')]  # fmt: skip
    assert steps[0] == steps[1], 'a resumed run tells every step once'
    one, other = (torch.load(run.folder / name / 'epoch_3.pth') for name in ('whole', 'killed'))
    assert all(torch.equal(value, other['state_dict'][name]) for name, value in one['state_dict'].items())
    _, err = run.train(CE, *options, 'model.head.bias=False', '--work-dir', 'killed', '--resume', code=1)
    assert 'model.head.bias' in err and 'outcome' in err


def test_several_seeds_differ_and_the_precision_is_recorded(run):
    run.train(CE, '--seeds', '0', '1', '--precision', 'fp32')
    one, other = run.results('ce/resnet8_digitslt@*/seed0'), run.results('ce/resnet8_digitslt@*/seed1')
    assert one['config_hash'] != other['config_hash'] and one['precision'] == 'fp32'
    assert one['last']['metrics']['nll'] != other['last']['metrics']['nll']


def test_grid_runs_configs_and_seeds_and_names_what_failed(run):
    wrong = run.folder / 'wrong.py'
    wrong.write_text(f"_base_ = ['{ROOT / CE}']\nmodel = dict(head=dict(in_channels=63))\n")
    options = ['--seeds', '0', '1', '--jobs', '2', '--cfg-options', 'train_cfg.max_epochs=1']
    out, err = run('grid.py', wrong, CE, *options, code=1)
    assert all(run.results(f'ce/resnet8_digitslt@*/seed{seed}')['finished'] for seed in (0, 1)), out
    assert '2 of 4 runs failed: wrong' in err and 'console.log' in err and 'resnet8' not in err


@pytest.mark.parametrize('tool', ['train.py', 'test.py', 'grid.py', 'print_config.py', 'compare_runs.py'])
def test_help_from_the_script_itself(tool, tmp_path):
    command = [sys.executable, '-I', ROOT / 'tools' / tool, '--help']  # -I: no mmlt but the one beside the script
    assert 'usage' in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_print_config_resolves_bases_and_overrides(run):
    out, _ = run('print_config.py', BKD, '--cfg-options', 'model.temperature=3.5')
    assert 'temperature=3.5' in out and "type='ResNetCIFAR'" in out
