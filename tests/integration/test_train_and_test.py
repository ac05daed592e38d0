"""The main job on the embedded digits, from the command line."""

import csv
import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
from commands import ROOT

pytestmark = pytest.mark.slow
BKD, KD, CE = (f'configs/{name}/resnet8_digitslt.py' for name in ('bkd', 'kd', 'ce'))


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
    out, _ = run('compare.py', folder, '--plot', 'plot.png')
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


def test_grid_runs_several_seeds(run):
    (run.folder / 'own.py').write_text(f"_base_ = ['{ROOT / CE}']\ntrain_cfg = dict(max_epochs=1)\n")
    run('grid.py', 'own.py', '--seeds', '0', '1', '--jobs', '2')
    assert all(run.results(f'own/seed{seed}')['finished'] for seed in (0, 1))
    assert run.results('own/seed0')['config_hash'] != run.results('own/seed1')['config_hash']


def test_a_grid_of_several_recipes_has_a_table_for_each_and_names_what_failed(run):
    for name, text in {
        'short': 'train_cfg = dict(max_epochs=1)',
        'long': 'train_cfg = dict(max_epochs=2)',
        'broken': 'train_cfg = dict(max_epochs=1)\nmodel = dict(head=dict(in_channels=63))',
    }.items():
        (run.folder / f'{name}.py').write_text(f"_base_ = ['{ROOT / CE}']\n{text}\n")
    # A pattern of the shell and a name may be of the same file; options given twice all hold.
    out, err = run('grid.py', 'short.py', 'long.py', 'broken.py', './short.py', '--cfg-options', 'train_cfg.val_interval=1',
                   '--cfg-options', 'default_hooks.logger.interval=7', code=1)  # fmt: skip
    tables = [line for line in out.splitlines() if 'training images' in line]
    assert len(tables) == 2 and '1 epochs' in tables[0] and '2 epochs' in tables[1]
    assert out.count('started short') == 1
    message = err.strip().splitlines()[-1]
    assert '1 of 3 runs failed' in message and 'broken, seed 0' in message and 'console.log' in message
    record = run.results('long@*/seed0')
    assert record['overrides'] == {'train_cfg.val_interval': '1', 'default_hooks.logger.interval': '7'}


def test_seeds_of_one_config_may_be_given_with_several_flags(run):
    out, _ = run('train.py', CE, '--seeds', '0', '--seeds', '5', '--cfg-options', 'train_cfg.max_epochs=1')
    assert sorted(path.parent.name for path in run.folder.glob('work_dirs/**/results.json')) == ['seed0', 'seed5']
    assert 'results in' in out


def test_the_pictures_of_a_finished_run_are_drawn_without_training_it_again(run):
    options = ['--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=2', 'default_hooks.logger.interval=2']
    run('train.py', CE, *options)
    before = (run.folder / 'run/results.json').read_bytes()
    assert not (run.folder / 'run/vis_data').exists()
    (run.folder / 'drawn.py').write_text(
        f"_base_ = ['{ROOT / CE}']\nvisualizer = dict(vis_backends=[dict(type='LocalVisBackend')])\n"
    )
    out, _ = run('train.py', 'drawn.py', *options)
    assert 'nothing to do' in out and 'drawn from its scalars.jsonl by LocalVisBackend: run/vis_data' in out
    lines = [[json.loads(line) for line in (run.folder / 'run' / name).read_text().splitlines()]
             for name in ('scalars.jsonl', 'vis_data/scalars.json')]  # fmt: skip
    *same, full = lines[1]
    assert [{key: value for key, value in line.items() if key != 'epoch'} for line in lines[0]] == same
    assert 'accuracy/harmonic_mean' in full and 'accuracy/top1' not in full
    assert len(list((run.folder / 'run/vis_data/vis_image').glob('*.png'))) == 2
    assert any('accuracy/top1' in line for line in lines[1]) and (run.folder / 'run/results.json').read_bytes() == before
    out, _ = run('train.py', 'drawn.py', *options)
    assert 'its pictures are in run/vis_data; remove that folder' in out
    assert len((run.folder / 'run/vis_data/scalars.json').read_text().splitlines()) == len(lines[1])
    (run.folder / 'run/scalars.jsonl').unlink()
    shutil.rmtree(run.folder / 'run/vis_data')
    out, _ = run('train.py', 'drawn.py', *options)
    assert 'there is no run/scalars.jsonl to draw' in out and '--work-dir' in out


@pytest.mark.parametrize('text', ['[' * 200_000, '[1]', '{"finished": true}', '\\x00', '{"checkpoint": {"file": 3}}'])
def test_a_strange_results_file_below_work_dirs_hinders_nobody(run, text):
    folder = run.folder / 'work_dirs/a/seed0'
    folder.mkdir(parents=True)
    (folder / 'results.json').write_text(text)
    run('train.py', CE, '--cfg-options', 'train_cfg.max_epochs=1')
    assert (folder / 'results.json').read_text() == text


def test_an_evaluation_is_written_over_an_earlier_one_and_is_never_taken_for_the_run(run):
    options = ['--cfg-options', 'train_cfg.max_epochs=1']
    run('train.py', CE, '--work-dir', 'run', *options)
    for _ in range(2):
        run('test.py', CE, 'run/epoch_1.pth', '--out', 'run/results_again.json')
    # As a version that wrote over anything left it: the run counts as unfinished, and goes on.
    shutil.copy(run.folder / 'run/results_again.json', run.folder / 'run/results.json')
    _, err = run('train.py', CE, '--work-dir', 'run', '--resume', *options, code=1)
    assert 'run/results.json is the record of an evaluation' in err and 'move it away' in err
    (run.folder / 'run/results.json').unlink()
    out, _ = run('train.py', CE, '--work-dir', 'run', '--resume', *options)
    assert 'resumed after epoch 1' in out and json.loads((run.folder / 'run/results.json').read_text())['evaluated_epochs']


@pytest.mark.parametrize('tool', ['train.py', 'test.py', 'grid.py', 'print_config.py', 'compare.py'])
def test_help_from_the_script_itself(tool, tmp_path):
    command = [sys.executable, '-I', ROOT / 'tools' / tool, '--help']  # -I: no mmlt but the one beside the script
    assert 'usage' in subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_print_config_resolves_bases_and_overrides(run):
    out, _ = run('print_config.py', BKD, '--cfg-options', 'model.temperature=3.5')
    assert 'temperature=3.5' in out and "type='ResNetCIFAR'" in out
