"""The device that tests run on, on a machine with a GPU too."""

import os
import runpy
import subprocess
from pathlib import Path

import pytest
import torch


@pytest.mark.parametrize(('asked', 'visible'), [('', ''), ('1', '5')])
def test_gpus_are_hidden_unless_asked_for(asked, visible, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5')
    monkeypatch.setenv('MMLT_TEST_GPU', asked)
    runpy.run_path(str(Path(__file__).with_name('conftest.py')))
    assert os.environ['CUDA_VISIBLE_DEVICES'] == visible


@pytest.mark.skipif(bool(os.environ.get('MMLT_TEST_GPU')), reason='a GPU is asked for')
def test_torch_was_not_imported_too_early_to_be_told():
    assert torch.cuda.device_count() == 0


@pytest.mark.parametrize(('one', 'other'), [
    (dict(SLURM_JOB_ID='100'), dict(SLURM_JOB_ID='101')),
    (dict(SLURM_JOB_ID='100', SLURM_STEP_ID='0'), dict(SLURM_JOB_ID='100', SLURM_STEP_ID='1')),
    (dict(SLURM_JOB_ID='100', SLURM_STEP_ID='1'), dict(SLURM_JOB_ID='101', SLURM_STEP_ID='0')),
])  # fmt: skip
def test_jobs_of_slurm_that_share_a_node_meet_at_ports_of_their_own(one, other):
    from mmlt.engine.device import slurm_port

    assert slurm_port(one) != slurm_port(other)
    assert slurm_port(one) == slurm_port(dict(one)), 'every process of a job finds the same'
    assert all(1024 < slurm_port(env) < 32768 for env in (one, other, {}, dict(SLURM_JOB_ID=str(2**32), SLURM_STEP_ID='x')))


def test_machines_of_one_slurm_job_name_the_same_port_in_the_launcher_too():
    def port(**env: str) -> str:
        script = f'source {Path(__file__).parents[1]}/tools/dist_common.sh; PYTHON=echo; GPUS=1; launch x'
        done = subprocess.run(['bash', '-c', script], env={'PATH': os.environ['PATH'], **env}, capture_output=True, text=True)
        words = done.stdout.split()
        return words[words.index('--master-port') + 1]

    from mmlt.engine.device import slurm_port

    assert port(NNODES='2', SLURM_JOB_ID='1234') == str(slurm_port(dict(SLURM_JOB_ID='1234')))
    assert port(NNODES='2', SLURM_JOB_ID='1234', PORT='5') == '5' and port(NNODES='2') == '29500'
