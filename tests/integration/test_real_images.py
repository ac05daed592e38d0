"""The main job on real CIFAR-100-LT, an epoch of each stage, from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data'
pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.skipif(not (SHARED / 'unpack.py').is_file(), reason=f'no real images in {SHARED}'),
]
OPTIONS = [
    *('--cfg-options', 'train_cfg.max_epochs=1', 'param_scheduler.1.milestones=[1]', 'model.backbone.depth=8'),
    *('train_dataloader.dataset.dataset.data_root=cifar', 'val_dataloader.dataset.data_root=cifar'),
]


def test_teacher_and_student_train_on_the_exported_subset(run):
    subprocess.run([sys.executable, SHARED / 'unpack.py', 'cifar100-lt100', run.folder / 'cifar'], check=True)
    run('train.py', 'configs/ce/resnet32_cifar100lt_30e.py', '--work-dir', 'teacher', *OPTIONS)
    teacher = json.loads((run.folder / 'teacher/results.json').read_text())
    assert teacher['data']['num_images'] == 10_847
    assert teacher['shot_groups'] == dict(convention='standard', many=35, medium=35, few=30)
    assert teacher['last']['metrics']['accuracy/top1'] > 2, 'an epoch beats guessing (1 %) clearly'
    options = [*OPTIONS, 'prerequisites.teacher.checkpoint=teacher/epoch_1.pth']
    run('train.py', 'configs/bkd/resnet32_cifar100lt_30e.py', '--work-dir', 'student', *options)
    student = json.loads((run.folder / 'student/results.json').read_text())
    assert student['prerequisites']['teacher']['checkpoint_sha256'] == teacher['checkpoint']['sha256']
    assert student['data'] == teacher['data']
    assert student['last']['metrics']['accuracy/top1'] > 2
