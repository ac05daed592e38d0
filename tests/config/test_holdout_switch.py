"""`holdout = True`: which set sets aside how, and that the part set aside is looked at as a test image is."""

import pytest
from PIL import Image

from mmlt.config.find import config_roots
from mmlt.config.holdout import parts
from mmlt.config.load import load_config
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.registry import DATASETS

CE = 'ce/resnet8_digitslt.py'
TEST = dict(type='Digits', split='test')


def test_a_long_tailed_subset_sets_aside_by_its_protocol():
    whole = load_config(CE)
    cfg = load_config(CE, {'holdout': True})
    train = {**whole.train_dataloader.dataset, 'protocol': 'cao-holdout'}
    assert cfg.train_dataloader.dataset == train
    assert cfg.val_dataloader.dataset == {**train, 'split': 'holdout'}
    assert cfg.test_dataloader == whole.test_dataloader and cfg.val_dataloader.batch_size == 500
    assert load_config(CE, {'holdout': False}).val_dataloader == whole.val_dataloader


def test_what_is_set_aside_is_not_trained_on():
    kept, aside = (DATASETS.build(dict(part)) for part in parts(dict(type='Digits', split='train'), TEST))
    assert kept.rule.profile == aside.rule.profile == 'natural' and aside.split == 'holdout'
    assert not set(kept.indices.tolist()) & set(aside.indices.tolist())
    assert len(kept) + len(aside) == len(kept.dataset) and min(aside.class_counts) == max(aside.class_counts) > 0


def test_images_set_aside_are_looked_at_as_test_images():
    train = dict(type='LongTailedDataset', profile='exp', dataset=dict(
        type='ImageFolder', data_root='train', crop='random_resized', crop_seed=3, crop_area=(0.5, 1), image_size=64,
        check='pixels'))  # fmt: skip
    test = dict(type='ImageFolder', data_root='test', image_size=48, resize=56)
    kept, aside = parts(train, test)
    assert kept['dataset'] == train['dataset']
    assert aside['dataset'] == dict(type='ImageFolder', data_root='train', check='pixels', image_size=48, resize=56)
    assert (kept['protocol'], aside['protocol'], aside['split']) == ('cao-holdout', 'cao-holdout', 'holdout')


def test_ones_own_validation_set_stays():
    whole = load_config(CE)
    own = dict(type='LongTailedDataset', dataset=dict(type='Digits', split='train'), profile='natural', protocol='first')
    cfg = load_config(CE, {'holdout': True, 'val_dataloader.dataset': own})
    assert cfg.val_dataloader.dataset.protocol == 'first' and cfg.train_dataloader == whole.train_dataloader


def test_how_the_test_images_are_read_makes_no_other_set_of_them(tmp_path):
    folders = "dict(type='ImageFolder', data_root='photos', image_size=32, backend='opencv')"
    (tmp_path / 'own.py').write_text(
        f"_base_ = ['{config_roots()[0]}/{CE}']\nholdout = True\n"
        f'train_dataloader = dict(dataset=dict(_delete_=True, **{folders}))\n'
        f'val_dataloader = dict(dataset=dict(_delete_=True, **{folders}))\ntest_dataloader = val_dataloader\n'
    )
    plain = load_config(tmp_path / 'own.py')
    for name, value in (('backend', 'pillow'), ('pack', 'photos.pack'), ('resize', 40)):
        cfg = load_config(tmp_path / 'own.py', {f'test_dataloader.dataset.{name}': value})
        assert cfg.train_dataloader == plain.train_dataloader and cfg.val_dataloader == plain.val_dataloader, name
        assert cfg.val_dataloader.dataset != cfg.test_dataloader.dataset
    moved = load_config(tmp_path / 'own.py', {'test_dataloader.dataset.data_root': 'elsewhere'})
    assert moved.val_dataloader.dataset.data_root == 'photos' and 'holdout' not in moved.train_dataloader.dataset


def test_test_images_in_other_words_choose_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ('cat', 'dog'):
        (tmp_path / 'photos' / kind).mkdir(parents=True)
        for place in range(6):
            Image.new('RGB', (16, 16), (20 * place, 99, 7 * len(kind))).save(tmp_path / f'photos/{kind}/{place}.png')
    folders = "dict(type='ImageFolder', image_size=16, data_root="
    (tmp_path / 'own.py').write_text(
        f"_base_ = ['{config_roots()[0]}/{CE}']\nholdout = True\n"
        f"train_dataloader = dict(batch_size=4, dataset=dict(_delete_=True, **{folders}'photos')))\n"
        f"val_dataloader = dict(dataset=dict(_delete_=True, **{folders}'photos')))\n"
        f"test_dataloader = dict(dataset=dict(_delete_=True, **{folders}'./photos')))\n"
    )
    with pytest.raises(UserError, match='names the images of the test set, in other words'):
        _ = Stage(tmp_path / 'own.py').outcome


@pytest.mark.parametrize(
    ('overrides', 'said'),
    [
        ({'train_dataloader.dataset.protocol': 'first'}, "protocol to 'cao'"),
        ({'train_dataloader.dataset.split': 'holdout', 'train_dataloader.dataset.protocol': 'cao-holdout'}, 'leave split out'),
        ({'test_dataloader': None}, 'name both'),
        ({'holdout': 'yes'}, 'holdout must be True or False'),
    ],
)
def test_what_sets_nothing_aside_is_refused(overrides, said):
    with pytest.raises(UserError, match=said):
        load_config(CE, {'holdout': True, **overrides})


def test_a_detector_is_refused():
    with pytest.raises(UserError, match='a detector learns of boxes'):
        load_config('detection/faster_rcnn_small_digits_seesaw.py', {'holdout': True})
