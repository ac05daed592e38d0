"""Corrections that double up are named."""

import pytest

from mmlt.config.find import config_roots
from mmlt.config.load import load_config
from mmlt.config.warnings import double_correction


def config(loss: str = 'CrossEntropyLoss', sampler: str = 'ShuffleSampler', **model: object) -> dict:
    return dict(model=dict(loss=dict(type=loss), **model), train_dataloader=dict(sampler=dict(type=sampler)))


def test_two_corrections_are_named():
    text = double_correction(config('BalancedSoftmaxLoss', 'ClassBalancedSampler'))
    assert 'balanced softmax (model.loss) and class-balanced sampling (train_dataloader.sampler)' in text
    text = double_correction(config('LogitAdjustedLoss', reweighting=dict(start_epoch=160)))
    assert 'logit-adjusted' in text and 'class weights' in text


@pytest.mark.parametrize(
    'cfg',
    [
        config(),
        config('BalancedSoftmaxLoss'),
        config(sampler='ClassAwareSampler'),
        config('LDAMLoss', reweighting=dict(beta=0.9999)),
        config('BalancedSoftmaxLoss', reweighting=dict(beta=0)),
        dict(
            model=dict(loss=dict(type='BalancedSoftmaxLoss')),
            train_dataloader=dict(sampler=dict(type='PowerSampler', power=1)),
        ),
        dict(
            model=dict(loss=dict(type='LogitAdjustedLoss', tau=0)),
            train_dataloader=dict(sampler=dict(type='ReversedSampler')),
        ),
    ],
)
def test_one_correction_or_none_is_no_warning(cfg):
    assert double_correction(cfg) is None


def test_none_of_our_configs_doubles_up():
    paths = [path for root in config_roots()[:1] for path in sorted(root.glob('[!_]*/resnet8_digitslt*.py'))]
    assert len(paths) > 20
    assert {path.parent.name for path in paths if double_correction(load_config(path))} == set()
