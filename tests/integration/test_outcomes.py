"""What decides a run's result decides its hash; a run that ends otherwise than planned is finished all the same."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.stages import Stage

ROOT = Path(__file__).resolve().parents[2]
CE = 'configs/ce/resnet8_digitslt.py'
FOLDERS = f"""
_base_ = ['{ROOT / CE}']
num_classes = 2
train_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', data_root='train', image_size=8))
val_dataloader = dict(dataset=dict(_delete_=True, type='ImageFolder', data_root='test', image_size=8))
test_dataloader = val_dataloader
"""


@pytest.fixture
def folders(tmp_path, monkeypatch) -> Path:
    """A config of image folders, run from its own place."""
    for name, images in dict(train=3, test=1, more=2).items():
        for label in 'ab':
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(images):
                Image.new('RGB', (9, 9), (number * 90, 0, 0)).save(tmp_path / name / label / f'{number}.png')
    (tmp_path / 'own.py').write_text(FOLDERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path / 'own.py'


@pytest.mark.parametrize(('key', 'value'), [
    ('train_dataloader.dataset.crop', 'random_resized'),
    ('train_dataloader.dataset.resize', 9),
    ('val_dataloader.dataset.data_root', 'more'),
    ('val_dataloader.dataset.resize', 9),
])  # fmt: skip
def test_how_images_are_read_and_what_is_tested_on_decide_the_outcome(key, value, folders):
    assert Stage(folders, overrides={key: value}).config_hash != Stage(folders).config_hash


def test_where_images_lie_and_how_many_workers_read_them_decide_nothing(folders):
    shutil.copytree(folders.parent / 'train', folders.parent / 'elsewhere/train')
    overrides = {'train_dataloader.dataset.data_root': 'elsewhere/train', 'train_dataloader.num_workers': 2}
    assert Stage(folders, overrides=overrides).config_hash == Stage(folders).config_hash


def test_a_hook_beside_the_standard_ones_decides_too(tmp_path):
    (tmp_path / 'ema.py').write_text(f"_base_ = ['{ROOT / CE}']\ndefault_hooks = dict(ema=dict(type='EMAHook'))\n")
    (tmp_path / 'quiet.py').write_text(f"_base_ = ['{ROOT / CE}']\ndefault_hooks = dict(logger=dict(interval=7))\n")
    assert Stage(tmp_path / 'ema.py').config_hash != Stage(CE).config_hash == Stage(tmp_path / 'quiet.py').config_hash


@pytest.mark.slow
@pytest.mark.parametrize(('text', 'epochs'), [
    # Nothing counts as an improvement: it ends after the second evaluation.
    ("custom_hooks = [dict(type='EarlyStoppingHook', monitor='accuracy/top1', min_delta=1e6, patience=1)]", 2),
    ('default_hooks = dict(checkpoint=None)', 4),
])  # fmt: skip
def test_a_run_that_ends_early_or_keeps_no_checkpoints_is_finished(text, epochs, call, tmp_path):
    (tmp_path / 'own.py').write_text(f"_base_ = ['{ROOT / CE}']\ntrain_cfg = dict(max_epochs=4, val_interval=1)\n{text}\n")
    code, out, err = call('train', 'own.py', '--work-dir', 'here')
    assert code == 0, out + err
    assert load_checkpoint(tmp_path / f'here/epoch_{epochs}.pth')['meta']['epoch'] == epochs
    code, out, err = call('train', 'own.py', '--work-dir', 'here')
    assert code == 0 and 'finished before' in out, out + err


@pytest.mark.slow
def test_a_prerequisites_folder_that_holds_another_run(call, tmp_path):
    (tmp_path / 'own.py').write_text(f"_base_ = ['{ROOT / CE}']\ntrain_cfg = dict(max_epochs=1)\n")
    (tmp_path / 'student.py').write_text(
        f"_base_ = ['{ROOT}/configs/bkd/resnet8_digitslt.py']\ntrain_cfg = dict(max_epochs=1)\n"
        "prerequisites = dict(teacher=dict(config='own.py'))\n"
    )
    assert call('train', 'own.py')[0] == 0
    (tmp_path / 'own.py').write_text(f"_base_ = ['{ROOT / CE}']\ntrain_cfg = dict(max_epochs=2)\n")
    code, out, err = call('train', 'student.py')
    assert code == 1 and 'Traceback' not in err
    message = err.strip().splitlines()[-1]
    for words in ('work_dirs/own/seed0', 'student', 'max_epochs was 1 and is now 2', 'move that folder away'):
        assert words in message, message
