"""Configs in MMEngine's and mmpretrain's words; what each line of docs/from_mmpretrain.md gives is in tests/extend."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmlt.batch import Batch
from mmlt.config.load import load_config
from mmlt.config.neighbours import in_own_words, names_read
from mmlt.config.warnings import late_schedules
from mmlt.engine.building import check_paramwise
from mmlt.errors import UserError
from mmlt.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CE = f'{ROOT}/configs/ce/resnet8_digitslt.py'


@pytest.fixture
def write(tmp_path):
    """A function that writes a config and gives its path."""

    def make(text: str, name: str = 'own.py', base: str | None = CE) -> Path:
        path = tmp_path / name
        path.write_text((f"_base_ = ['{base}']\n" if base else '') + text)
        return path

    return make


def test_types_of_a_packages_config_are_that_packages_and_the_users_are_mmlts(write):
    cfg = load_config(
        write(
            """
_base_ = ['mmpretrain::_base_/models/resnet50.py', 'mmpretrain::_base_/datasets/cifar100_bs16.py',
          'mmpretrain::_base_/schedules/cifar10_bs128.py', 'mmpretrain::_base_/default_runtime.py']
model = dict(type='LongTailedClassifier', head=dict(_delete_=True, type='LinearHead'), loss=dict(type='FocalLoss'))
""",
            base=None,
        )
    )
    assert cfg.model.type == 'LongTailedClassifier' and cfg.model.loss.type == 'FocalLoss'
    assert cfg.model.backbone.type == 'mmpretrain.ResNet' and cfg.model.neck.type == 'mmpretrain.GlobalAveragePooling'
    assert cfg.train_dataloader.dataset.type == 'mmpretrain.CIFAR100'
    assert [part.type for part in cfg.train_dataloader.dataset.pipeline][:1] == ['mmpretrain.RandomCrop']
    assert cfg.train_dataloader.sampler.type == 'DefaultSampler' and cfg.val_evaluator.type == 'mmpretrain.Accuracy'
    assert cfg.default_hooks.checkpoint.type == 'CheckpointHook'
    assert (cfg.train_cfg.type, cfg.val_cfg.type) == ('EpochTrainLoop', 'EvalLoop')
    assert cfg.optim_wrapper.type == 'PrecisionOptimWrapper'
    assert cfg.default_scope == 'mmlt' and '_scope_' not in str(cfg)
    assert cfg.model.head.num_classes == 100


def test_its_preprocessor_normalises_as_mmpretrains():
    given = dict(num_classes=10, mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    reference = MODELS.build(dict(type='mmpretrain.ClsDataPreprocessor', **given))(dict(inputs=images.clone()))['inputs']
    cfg = Config(dict(data_preprocessor=given))
    in_own_words(cfg)
    assert cfg.data_preprocessor.pop('num_classes') == 10
    places = torch.arange(4)
    ours = MODELS.build(cfg.data_preprocessor)(Batch(images, places, places, places)).images
    torch.testing.assert_close(ours, reference)


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ("data_preprocessor = dict(_delete_=True, type='ClsDataPreprocessor', batch_augments=dict())", 'mixing'),
        (
            "train_dataloader = dict(dataset=dict(_delete_=True, type='mmpretrain.CustomDataset', "
            "pipeline=[dict(type='LoadImageFromFile')]))\n"
            "data_preprocessor = dict(_delete_=True, mean=[1.0] * 3, std=[1.0] * 3, to_rgb=False)",
            'RGB in mmlt',
        ),
    ],
)
def test_settings_of_the_preprocessor_that_mean_more_are_refused(write, text, sentence):
    with pytest.raises(UserError, match=sentence):
        load_config(write(text))


def test_variables_that_a_config_reads_itself_are_no_unknown_keys(write):
    write('width = 16\nunread = 3\nby_name = 0.5\n', 'base.py', base=None)
    optimizer = "dict(lr=base_lr * _base_.width, weight_decay='{{_base_.by_name}}')"
    child = write(f'base_lr = 0.1\noptim_wrapper = dict(optimizer={optimizer})\n')
    child.write_text(child.read_text().replace(f"'{CE}'", f"'{CE}', 'base.py'"))
    assert {'base_lr', 'width', 'by_name'} <= names_read(child) and 'unread' not in names_read(child)
    with pytest.raises(UserError, match="sets 'unread', which nothing reads"):
        load_config(child)
    child.with_name('base.py').write_text('width = 16\nby_name = 0.5\n')
    assert load_config(child).optim_wrapper.optimizer.lr == pytest.approx(1.6)


def test_an_unknown_key_is_told_the_nearest():
    with pytest.raises(UserError, match="did you mean 'param_scheduler'"):
        from mmlt.config.check import check_keys

        check_keys(dict(param_schedulers=[]), Path('c.py'))


@pytest.mark.parametrize(
    ('schedules', 'late'),
    [
        ([dict(type='MultiStepLR', milestones=[40, 52])], [40]),
        ([dict(type='MultiStepLR', milestones=[5, 52])], []),
        (dict(type='CosineAnnealingLR', begin=10), [10]),
        ([dict(type='LinearLR', begin=0, end=2), dict(type='MultiStepLR', begin=8, milestones=[2, 3])], [10]),
        ([dict(type='LinearLR', begin=900, by_epoch=False)], []),
        (None, []),
    ],
)
def test_a_schedule_that_begins_after_the_last_epoch_warns(schedules, late):
    found = late_schedules(dict(param_scheduler=schedules, train_cfg=dict(max_epochs=10)))
    assert len(found) == len(late)
    for first, line in zip(late, found, strict=True):
        assert f'begins after {first} epochs and training ends after 10' in line


def test_paramwise_settings_that_reach_nothing_are_refused():
    names = ['backbone.conv1.weight', 'backbone.layer1.0.conv1.weight', 'head.weight']
    keys = {'backbone.layer1': dict(lr_mult=0.1), 'head': dict(lr_mult=2)}
    check_paramwise(dict(paramwise_cfg=dict(custom_keys=keys)), names)
    with pytest.raises(UserError, match="has 'backbone.layer2' in its name; there are backbone.layer1"):
        check_paramwise(dict(paramwise_cfg=dict(custom_keys={'backbone.layer2': dict(lr_mult=0.1)})), names)
    with pytest.raises(UserError, match="custom_keys.head takes no 'lr_mul'; did you mean 'lr_mult'"):
        check_paramwise(dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mul=0.1)))), names)
    with pytest.raises(UserError, match="paramwise_cfg takes no 'norm_decay'; did you mean 'norm_decay_mult'"):
        check_paramwise(dict(paramwise_cfg=dict(norm_decay=0.0)), names)
    other = 'LearningRateDecayOptimWrapperConstructor'
    check_paramwise(dict(constructor=other, paramwise_cfg=dict(layer_decay_rate=0.9)), names)


@pytest.mark.parametrize(
    ('model', 'name'),
    [
        (dict(reweighting=dict(beta=0.9999, start_epoch=10)), 'model.reweighting.start_epoch'),
        (dict(reweight_start_epoch=12), 'model.reweight_start_epoch'),
    ],
)
def test_class_weights_that_begin_after_the_last_epoch_are_told(model, name):
    (told,) = late_schedules(dict(model=model, train_cfg=dict(max_epochs=10)))
    assert name in told and '10 epochs' in told
    assert not late_schedules(dict(model=model, train_cfg=dict(max_epochs=13)))
