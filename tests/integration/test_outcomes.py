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


@pytest.mark.parametrize(('key', 'value'), [('check', 'pixels'), ('on_broken', 'skip')])
def test_how_closely_files_are_looked_at_decides_nothing(key, value, folders):
    names = [f'{loader}.dataset.{key}' for loader in ('train_dataloader', 'val_dataloader')]
    assert Stage(folders, overrides=dict.fromkeys(names, value)).config_hash == Stage(folders).config_hash


@pytest.mark.parametrize('changed', ['train/b/2.png', 'test/a/0.png'])
@pytest.mark.parametrize('holdout', [False, True])
def test_other_images_by_the_same_names_are_another_run(changed, holdout, folders):
    before = Stage(folders, overrides=dict(holdout=holdout)).config_hash
    Image.new('RGB', (9, 9), (1, 2, 3)).save(folders.parent / changed)
    assert Stage(folders, overrides=dict(holdout=holdout)).config_hash != before


@pytest.mark.slow
def test_images_replaced_in_place_are_trained_on_anew(folders, call):
    options = ['--cfg-options', 'train_cfg.max_epochs=1']
    assert call('train', 'own.py', *options)[0] == 0
    code, out, err = call('train', 'own.py', *options)
    assert code == 0 and 'nothing to do' in out, out + err
    for path in (folders.parent / 'train').rglob('*.png'):
        Image.new('RGB', (9, 9), (0, 90, 0)).save(path)
    code, out, err = call('train', 'own.py', *options)
    assert code == 1 and 'content_sha256 was' in err and '--work-dir' in err, out + err
    code, out, err = call('train', 'own.py', *options, '--work-dir', 'again')
    assert code == 0 and 'nothing to do' not in out, out + err


LISTS = f"""
_base_ = ['{ROOT / CE}']
num_classes = 3
train_cfg = dict(max_epochs=1)
train_dataloader = dict(dataset=dict(_delete_=True, type='ImageList', data_root='photos', ann_file='own.txt', image_size=8))
val_dataloader = dict(dataset=dict(_delete_=True, type='ImageList', data_root='photos', ann_file='own.txt', image_size=8))
test_dataloader = dict(dataset=dict(_delete_=True, {{test}}))
"""


@pytest.mark.slow
def test_a_checkpoint_knows_what_its_numbers_mean(tmp_path, call):
    lines = []
    for label, name in enumerate(('1', '2', '10')):
        (tmp_path / 'photos' / name).mkdir(parents=True)
        Image.new('RGB', (8, 8), (80 * label, 0, 0)).save(tmp_path / 'photos' / name / 'x.png')
        lines.append(f'{name}/x.png {label}\n')
    (tmp_path / 'own.txt').write_text(''.join(lines))
    same = "type='ImageFolder', data_root='photos', image_size=8, classes=['1', '2', '10']"
    (tmp_path / 'same.py').write_text(LISTS.format(test=same))
    (tmp_path / 'other.py').write_text(LISTS.format(test="type='ImageFolder', data_root='photos', image_size=8"))
    code, out, err = call('train', 'same.py', '--work-dir', 'run')
    assert code == 0, out + err
    assert load_checkpoint(tmp_path / 'run/epoch_1.pth')['meta']['class_folders'] == ['1', '2', '10']
    code, out, err = call('test', 'same.py', 'run/epoch_1.pth')
    assert code == 0, out + err
    code, out, err = call('test', 'other.py', 'run/epoch_1.pth')
    assert code == 1 and "'10' is class 1 there and class 2 here" in err and 'run/epoch_1.pth' in err, out + err
    (tmp_path / 'photos/2/x.png').unlink()
    code, out, err = call('test', 'same.py', 'run/epoch_1.pth')
    assert code == 1 and 'class folder' in err and 'holds no image' in err, out + err


@pytest.mark.slow
def test_a_missing_image_of_the_student_stops_before_its_teacher_is_trained(folders, call):
    (folders.parent / 'student.py').write_text(
        (folders.parent / 'own.py').read_text().replace('ce/resnet8', 'bkd/resnet8')
        + "prerequisites = dict(teacher=dict(config='own.py'))\n"
    )
    (folders.parent / 'test/b/0.png').write_bytes(b'')
    code, out, err = call('train', 'student.py')
    assert code == 1 and '1 of the 2 test images cannot be used: test/b/0.png is empty' in err, out + err
    assert not (folders.parent / 'work_dirs').exists() and 'Traceback' not in err


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
