"""A disk that is full, really: a small file system, or a limit on the size of files where none may be mounted."""

import contextlib
import os
import resource
import subprocess
from pathlib import Path

import pytest

from mmlt.engine.checkpoint import checkpoints_of, load_checkpoint

pytestmark = pytest.mark.slow
CE = 'configs/ce/resnet8_digitslt.py'
OPTIONS = ('--cfg-options', 'train_cfg.max_epochs=3', 'default_hooks.checkpoint.seconds=0')


@pytest.fixture
def whole(call, tmp_path) -> Path:
    """The last checkpoint of the run that had room enough."""
    code, out, err = call('train', CE, '--work-dir', tmp_path / 'whole', *OPTIONS)
    assert code == 0, out + err
    return tmp_path / 'whole/epoch_3.pth'


@pytest.fixture
def disk(tmp_path):
    """A file system of its own; called with a size in bytes it is mounted, or resized."""
    folder = tmp_path / 'disk'
    folder.mkdir()

    def mount(size: int) -> Path:
        how = 'remount,' if os.path.ismount(folder) else ''
        command = ['mount', '-t', 'tmpfs', '-o', f'{how}size={size}', 'tmpfs', str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip('there is no mount command')
        if done.returncode:
            pytest.skip(f'no file system may be mounted here: {done.stderr.strip()}')
        return folder

    yield mount
    if os.path.ismount(folder):
        subprocess.run(['umount', str(folder)], check=True)


def check_stopped(code: int, out: str, err: str, said: str) -> None:
    assert code == 1, out + err
    assert 'Traceback' not in out + err
    message = err.strip().splitlines()[-1]
    assert message.startswith('error: ') and said in message and '--work-dir' in message, message


# Room for so many checkpoints: for none, for one and a part of the next, for two and a part of the last.
@pytest.mark.parametrize('room', [0.1, 0.7, 1.5, 2.2])
def test_a_full_disk_stops_the_run_and_loses_nothing(room, whole, disk, call):
    size = whole.stat().st_size
    folder = disk(int(room * size)) / 'run'
    check_stopped(*call('train', CE, '--work-dir', folder, *OPTIONS), 'No space left on device')
    kept = checkpoints_of(folder)
    assert [load_checkpoint(path)['meta']['epoch'] for path in kept] == list(range(int(room), 0, -1))[:2]
    assert not list(folder.glob('.*.tmp')) and not (folder / 'results.json').exists()
    disk(10 * size)
    code, out, err = call('train', CE, '--work-dir', folder, '--resume', *OPTIONS)
    assert code == 0, out + err
    assert load_checkpoint(folder / 'epoch_3.pth')['sha256'] == load_checkpoint(whole)['sha256']


def test_files_that_may_not_grow_stop_the_run_too(whole, call, tmp_path):
    folder = tmp_path / 'run'
    code, *_ = call('train', CE, '--work-dir', folder, *OPTIONS)
    for path in (folder / 'epoch_3.pth', folder / 'results.json'):
        path.unlink()  # killed before its last epoch was saved
    with file_size(whole.stat().st_size // 2):
        stopped = call('train', CE, '--work-dir', folder, '--resume', *OPTIONS)
    check_stopped(*stopped, 'File too large')
    assert load_checkpoint(folder / 'epoch_2.pth')['meta']['epoch'] == 2 and not list(folder.glob('.*.tmp'))
    code, out, err = call('train', CE, '--work-dir', folder, '--resume', *OPTIONS)
    assert code == 0 and 'resumed after epoch 2 ' in out, out + err
    assert load_checkpoint(folder / 'epoch_3.pth')['sha256'] == load_checkpoint(whole)['sha256']


@contextlib.contextmanager
def file_size(most: int):
    """No file of this process may grow beyond `most` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
