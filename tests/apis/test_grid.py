"""A grid's file of runs, the time it stops at, and how its runs stand."""

from datetime import datetime

import pytest

from mmlt.apis.grid import parse_until, plan, read_runs, status_of
from mmlt.engine.lock import run_lock
from mmlt.errors import UserError

CE, BKD = 'ce/resnet8_digitslt', 'bkd/resnet8_digitslt.py'


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_file_of_runs(tmp_path):
    file = tmp_path / 'runs.txt'
    file.write_text(
        f"# first the teacher\n{CE} --seeds 0 2\n\n{BKD} --precision bf16 --cfg-options train_cfg.max_epochs=3  # short\n"
    )
    planned = read_runs(file)
    assert [(run.stage.name, run.stage.seed) for run in planned] == [
        ('ce/resnet8_digitslt', 0), ('ce/resnet8_digitslt', 2), ('bkd/resnet8_digitslt', 0),
    ]  # fmt: skip
    assert planned[2].stage.cfg.train_cfg.max_epochs == 3 and planned[2].stage.cfg.precision == 'bf16'
    assert planned[1].arguments[1:] == ['--seed', '2']
    assert planned[2].arguments[1:] == ['--seed', '0', '--precision', 'bf16', '--cfg-options', 'train_cfg.max_epochs=3']


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('# nothing\n\n', ['names no run']),
        (f'{CE}\nce/none\n', ['line 2', 'no config ce/none']),
        (f'{CE} --sees 0\n', ['line 1', "'--sees'"]),
        (f'{CE} --seeds x\n', ['line 1', 'x']),
        (f'{CE} --seeds 1 1\n', ['line 1', 'seed 1', 'once']),
        (f'{CE} --precision fp8\n', ['line 1', 'fp8']),
        (f'"{CE}\n', ['line 1', 'quotation']),
        (f'{CE} --cfg-options train_cfg.max_epoch=3\n', ['line 1', 'max_epochs']),
    ],
)  # fmt: skip
def test_a_file_of_runs_that_is_wrong(tmp_path, text, words):
    file = tmp_path / 'runs.txt'
    file.write_text(text)
    with pytest.raises(UserError) as error:
        read_runs(file)
    assert all(word in str(error.value) for word in ['runs.txt', *words])


def test_a_file_of_runs_that_is_not_there():
    with pytest.raises(UserError, match='cannot read the runs from none.txt'):
        read_runs('none.txt')


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('18:30', datetime(2026, 3, 1, 18, 30)), ('09:15', datetime(2026, 3, 2, 9, 15)),
        ('2026-03-05 07:00', datetime(2026, 3, 5, 7)),
    ],
)  # fmt: skip
def test_the_time_to_stop(text, expected):
    assert parse_until(text, datetime(2026, 3, 1, 12)) == expected


@pytest.mark.parametrize('text', ['25:00', 'noon', '12', '2026-13-01 00:00'])
def test_no_time(text):
    with pytest.raises(UserError, match='--until'):
        parse_until(text)


def test_how_a_run_stands():
    run = plan([CE], [0])[0]
    folder = run.stage.folder
    assert status_of(run) == dict(state='owed', epoch='', eta='', top1='')
    with run_lock(folder, wait=False):
        line = 'epoch 12/60  lr 0.1  loss 0.326  top1 84.20  1787 images/s  ETA 0:03:01'
        (folder / 'train.log').write_text(f'{line}\nepoch 12/60  evaluated: top1 84.20\n')
        assert status_of(run) == dict(state='running', epoch='12/60', eta='0:03:01', top1='84.20')
    (folder / 'epoch_12.pth').touch()
    assert status_of(run) == dict(state='stopped', epoch='12/60', eta='', top1='84.20')
