"""The lock of a run's folder: refused or waited for, by one process or by several ranks together."""

import fcntl
import threading
import time
from pathlib import Path

import pytest

from mmlt import files
from mmlt.engine import lock
from mmlt.engine.lock import run_lock
from mmlt.errors import UserError
from mmlt.files import atomic_write

ROOT = Path(__file__).resolve().parents[2]
RANK = """
import os, time
from datetime import timedelta
import torch
from mmlt.engine import lock
lock.POLL, lock.ROUND = 0.05, 0.5
open('ready' + os.environ['RANK'], 'w')
while not (os.path.exists('ready0') and os.path.exists('ready1')):  # imports do not count
    time.sleep(0.05)
torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=4))
with lock.run_lock('run', wait=True):
    open('got' + os.environ['RANK'], 'w').write(str(time.time()))
"""


@pytest.fixture
def other(tmp_path):
    """Another holder of the folder's lock."""
    (tmp_path / 'run').mkdir()
    with open(tmp_path / 'run/.lock', 'w') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def test_a_folder_in_use_is_refused(tmp_path, other):
    with pytest.raises(UserError, match='another process is training into'), run_lock(tmp_path / 'run', wait=False):
        pass
    other.close()
    with run_lock(tmp_path / 'run', wait=False):
        pass


def test_what_a_killed_process_left_half_written_goes_once_the_lock_is_held(tmp_path, other):
    names = ['epoch_3.pth', 'best.pth', 'elapsed.json', 'results.json', 'per_class.csv', 'report.html', 'scalars.jsonl']
    for name in names:
        (tmp_path / 'run' / name).write_text('whole')
        with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
            patch.setattr(files.os, 'replace', interrupted)
            patch.setattr(files.Path, 'unlink', lambda *args, **kwargs: None)  # as a kill would leave it
            atomic_write(tmp_path / 'run' / name, 'half')
    with pytest.raises(UserError), run_lock(tmp_path / 'run', wait=False):
        pass
    assert len(list((tmp_path / 'run').glob('.*.tmp'))) == len(names), 'the other process may be writing them'
    other.close()
    with run_lock(tmp_path / 'run', wait=False):
        assert {path.name for path in (tmp_path / 'run').iterdir()} == {'.lock', *names}


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_lock_that_is_waited_for_is_told_once_and_taken(tmp_path, other, monkeypatch, capsys):
    monkeypatch.setattr(lock, 'POLL', 0.01)
    monkeypatch.setattr(lock, 'ROUND', 0.05)
    threading.Timer(0.5, other.close).start()
    with run_lock(tmp_path / 'run', wait=True):
        assert other.closed
    assert capsys.readouterr().out.count('waiting for another process') == 1


def test_ranks_wait_longer_than_a_collective_call_may_take(run, tmp_path, other):
    (tmp_path / 'rank.py').write_text(RANK)
    ranks = run.start_ranks(tmp_path / 'rank.py')
    ranks[0].wait_for_line('waiting for another process')
    time.sleep(6)  # longer than the group's timeout
    assert [rank.poll() for rank in ranks] == [None, None], ranks[0].read()
    released = time.time()
    other.close()
    done = [rank.done(timeout=60) for rank in ranks]
    assert [rank.code for rank in done] == [0, 0], done
    assert all(float((tmp_path / f'got{rank}').read_text()) >= released for rank in range(2))
