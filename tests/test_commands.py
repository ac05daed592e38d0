"""The tests' own driver of the command line leaves nothing behind, and tells how a command ended."""

import os
import signal
import sys

import pytest
import torch
from commands import ROOT, call
from mmengine.registry import DefaultScope

from mmlt.registry import MODELS

CE = 'configs/ce/resnet8_digitslt.py'
OWN = """
import os, torch
from mmlt.registry import MODELS
os.environ['OWN_LOSS'] = 'imported'
@MODELS.register_module()
class OwnLoss(torch.nn.Module):
    pass
"""


def state() -> list:
    """What a command may change in its process."""
    return [
        os.getcwd(), sys.argv, list(sys.path), dict(os.environ), torch.get_rng_state().tolist(), torch.get_num_threads(),
        signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), dict(DefaultScope._instance_dict),
        torch.are_deterministic_algorithms_enabled(), 'own_loss' in sys.modules, 'OwnLoss' in MODELS.module_dict,
    ]  # fmt: skip


@pytest.mark.parametrize(('more', 'code'), [('', 0), ('1 / 0', 1)])
def test_a_command_leaves_the_process_as_it_was(tmp_path, more, code):
    (tmp_path / 'own_loss.py').write_text(OWN + more)
    (tmp_path / 'own.py').write_text(f"_base_ = ['{ROOT / CE}']\ncustom_imports = dict(imports=['own_loss'])\n")
    call('train', '--help')  # some packages set variables when they are imported
    before = state()
    for _ in range(2):  # the second could not register its part if that of the first were still there
        done = call('train', 'own.py', '--cfg-options', 'train_cfg.max_epochs=1', folder=tmp_path)
        assert done.code == code and 'already registered' not in done.err, done
    assert state() == before


def test_a_signal_that_the_tests_were_started_with_ignored_is_heard(tmp_path, run):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        first = 'import os, signal; os.kill(os.getpid(), signal.SIGINT)'
        assert run.start('train', CE, first=first).done().code != 0
        assert run.start('train', CE, first=first.replace('INT', 'KILL')).done().code == -signal.SIGKILL
    finally:
        signal.signal(signal.SIGINT, before)


def test_both_ways_give_what_the_script_gives(run):
    for args in ((), ('--help',), ('nowhere.py',)):
        forked = run.start('train', *args).done()
        assert forked == call('train', *args, folder=run.folder)
        assert forked.code == {(): 1, ('--help',): 0, ('nowhere.py',): 1}[args]


def test_something_is_made_once(once):
    made = []
    folders = {once('test_commands', lambda folder: (made.append(folder), (folder / 'file').touch())) for _ in range(2)}
    assert len(folders) == 1 and len(made) <= 1 and (folders.pop() / 'file').exists()
