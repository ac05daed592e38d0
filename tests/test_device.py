"""The device that tests run on, on a machine with a GPU too."""

import os
import runpy
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
