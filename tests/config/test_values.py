"""Values that a config may not have: one sentence with the place and what stands there, before anything is built."""

import pytest

from mmlt.apis.train import train
from mmlt.config.overrides import parse_options
from mmlt.engine.stages import Stage
from mmlt.errors import UserError

CE, KD, PACO = (f'{method}/resnet8_digitslt.py' for method in ('ce', 'kd', 'paco'))
# override, what the sentence must name
CASES = [
    # brackets
    ('param_scheduler.0.milestones=[1,2', ['milestones=[1,2', 'brackets']),
    ('data_preprocessor.mean=(0.3,0.3', ['mean=(0.3,0.3', 'brackets']),
    # parts that every run needs
    ('model=None', ['model is None', 'every run needs it']),
    ('train_dataloader=None', ['train_dataloader is None', 'every run needs it']),
    ('val_dataloader=None', ['val_dataloader is None']),
    ('val_evaluator=None', ['val_evaluator is None']),
    ('optim_wrapper=None', ['optim_wrapper is None']),
    ('train_cfg=None', ['train_cfg is None']),
    ('data_preprocessor=None', ['data_preprocessor is missing', 'mean']),
    ('train_cfg.max_epochs=None', ['train_cfg.max_epochs is missing']),
    # numbers and texts in place of parts
    ('model=3', ['model is 3', 'dict']),
    ('optim_wrapper=3', ['optim_wrapper is 3', 'dict']),
    ('train_dataloader.sampler=3', ['train_dataloader.sampler', 'dict', '3']),
    ('train_dataloader.partner_sampler=ShuffleSampler', ['partner_sampler', 'dict', 'ShuffleSampler']),
    ('visualizer=3', ['visualizer', 'dict', '3']),
    ('model.loss=CrossEntropyLoss', ['model.loss', 'dict', 'CrossEntropyLoss']),
    ('model.reweighting=0.9', ['model.reweighting', 'dict', '0.9']),
    ('model.mixing=Mixup', ['model.mixing', 'dict', 'Mixup']),
    ('model.neck=3', ['model.neck', 'dict']),
    ('model.terms=3', ['model.terms', 'list of dicts', '3']),
    ('model.terms=[3]', ['model.terms', 'list of dicts', '[3]']),
    ('model.distill_heads=KD', ['model.distill_heads', 'list of dicts', 'KD']),
    ('custom_hooks=3', ['custom_hooks', 'list of dicts']),
    ('default_hooks.logger=3', ['default_hooks.logger', 'dict', '3']),
    ('data_preprocessor.train_transforms=3', ['train_transforms', 'list of dicts']),
    ('env_cfg=3', ['env_cfg is 3', 'dict']),
    ('prerequisites=3', ['prerequisites is 3', 'dict']),
    # numbers that are none, or out of their range
    ('num_classes=-3', ['num_classes', 'at least 1', '-3']),
    ('model.head.num_classes=0', ['model.head.num_classes', 'at least 1', '0']),
    ('model.head.in_channels=-64', ['model.head.in_channels', '-64']),
    ('optim_wrapper.accumulative_counts=1.5', ['accumulative_counts', 'whole number', '1.5']),
    ('optim_wrapper.accumulative_counts=0', ['accumulative_counts', 'at least 1']),
    ('optim_wrapper.clip_grad=strong', ['clip_grad', 'max_norm', 'strong']),
    ('optim_wrapper.clip_grad={"max_norm":"x"}', ['clip_grad']),
    ('param_scheduler=3', ['param_scheduler', 'list', '3']),
    ('param_scheduler=[3]', ['param_scheduler.0', 'dict', '3']),
    ('param_scheduler.0.milestones=abc', ['param_scheduler.0.milestones', 'list of epochs', 'abc']),
    ('param_scheduler.0.milestones=[4,x]', ['param_scheduler.0', 'milestones', "'x'"]),
    ('param_scheduler.0.milestones=[-4]', ['param_scheduler.0', 'at least 0', '-4']),
    ('param_scheduler.0.milestones=[4.5]', ['param_scheduler.0', 'whole number', '4.5']),
    ('param_scheduler.0.gamma=x', ['param_scheduler.0', 'gamma', "'x'"]),
    ('param_scheduler.0.begin=soon', ['param_scheduler.0', 'begin', 'soon']),
    # switches and texts
    ('param_scheduler.0.by_epoch=yes', ['param_scheduler.0.by_epoch', 'True or False', 'yes']),
    ('train_dataloader.drop_last=no', ['train_dataloader.drop_last', 'True or False', 'no']),
    ('find_unused_parameters=maybe', ['find_unused_parameters', 'True or False', 'maybe']),
    ('data_preprocessor.channels_last=no', ['channels_last', 'True or False', 'no']),
    ('model.head.bias=no', ['model.head.bias', 'True or False', 'no']),
    ('train_dataloader.dataset.profile=3', ['train_dataloader.dataset.profile', 'a text', '3']),
    ('train_dataloader.dataset.protocol=None', ['train_dataloader.dataset.protocol', 'a text']),
    ('log_level=LOUD', ['log_level', 'WARNING', 'LOUD']),
    ('log_level=[1]', ['log_level', '[1]']),
    ('runner_type=MyRunner', ['runner_type', 'MyRunner']),
    ('runner_type=3', ['runner_type', '3']),
    ('compile=maybe', ['compile', "'auto'", 'maybe']),
    ('precision=16', ['precision', '16']),
]


@pytest.mark.parametrize(('option', 'words'), CASES, ids=[option for option, _ in CASES])
def test_a_value_that_cannot_stand_there(option, words):
    with pytest.raises(UserError) as error:
        Stage(CE, 0, parse_options([option]))
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('auto_scale_lr', 5, ['auto_scale_lr', 'dict', '5']),
        ('auto_scale_lr', dict(enabled=True), ['auto_scale_lr', "'enabled'", "'enable'"]),
        ('auto_scale_lr', dict(enable=True), ['auto_scale_lr', 'base_batch_size', 'at least 1', 'None']),
        ('auto_scale_lr', dict(enable=True, base_batch_size=0), ['base_batch_size', 'at least 1', '0']),
        ('env_cfg', dict(cudnn_benchmrak=True), ['cudnn_benchmrak', 'cudnn_benchmark']),
        ('env_cfg', dict(mp_cfg=dict(mp_start_method='spwan')), ['mp_start_method', 'spawn', 'spwan']),
        ('env_cfg', dict(dist_cfg=dict(timeout=3)), ['env_cfg.dist_cfg', "'timeout'", 'backend']),
        ('prerequisites', dict(teacher=dict(config='ce.py', parts=['head'])), ['prerequisites.teacher', "'init'"]),
    ],
)
def test_what_mmengine_would_pass_over_or_trip_over_later(key, value, words):
    with pytest.raises(UserError) as error:
        Stage(KD if key == 'prerequisites' else CE, 0, {key: value})
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_hook_of_others_that_refuses_the_run_is_named(tmp_path):
    hooks = [dict(type='EMAHook', momentum=1.0)]
    with pytest.raises(UserError, match=r'EMAHook \(custom_hooks or default_hooks\) in the config cannot be built'):
        train(CE, work_dir=tmp_path, overrides={'custom_hooks': hooks})


def test_a_long_value_is_quoted_by_its_beginning():
    with pytest.raises(UserError) as error:
        Stage(CE, 0, parse_options([f'model={"x" * 100_000}']))
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('optim_wrapper.accumulative_counts=2', 2), ('log_level=ERROR', 'ERROR'), ('compile=True', True),
        ('model.neck=None', None),
        ('param_scheduler.0.end=30', 30), ('train_dataloader.drop_last=True', True), ('default_hooks.logger=None', None),
    ],
)  # fmt: skip
def test_a_value_that_can(option, value):
    node = Stage(CE, 0, parse_options([option])).cfg
    for key in option.partition('=')[0].split('.'):
        node = node[int(key) if key.isdigit() else key]
    assert node == value


def test_an_empty_config_and_a_circle_of_bases(tmp_path):
    (tmp_path / 'empty.py').write_text('')
    with pytest.raises(UserError, match=r'empty.py: model is missing.*_base_'):
        Stage(tmp_path / 'empty.py')
    for name, base in (('a', 'b'), ('b', 'c'), ('c', 'b')):
        (tmp_path / f'{name}.py').write_text(f"_base_ = ['{base}.py']\n")
    with pytest.raises(UserError, match=r'b\.py takes .*c\.py takes .*b\.py as its base, a circle'):
        Stage(tmp_path / 'a.py')


@pytest.mark.parametrize(
    ('option', 'words'),
    [('model.projector=3', ['model.projector', 'dict']), ('model.mixing=None', None)],
)
def test_parts_of_a_method(option, words):
    if words is None:  # nothing is nothing
        assert Stage(PACO, 0, parse_options([option])).cfg.model.mixing is None
        return
    with pytest.raises(UserError) as error:
        Stage(PACO, 0, parse_options([option]))
    assert all(word in str(error.value) for word in words)
