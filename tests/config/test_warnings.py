"""Corrections of the class prior are known, and named where they double up."""

import pytest

from mmlt.config.find import config_roots
from mmlt.config.load import load_config
from mmlt.config.warnings import balanced_by_sampling, corrected_already, double_correction
from mmlt.registry import MODELS


def corrections(loss: str = 'CrossEntropyLoss', sampler: str = 'ShuffleSampler', tau: float | None = None, **more) -> list[str]:
    named = dict(type=loss) if tau is None else dict(type=loss, tau=tau)
    backbone, head = dict(type='ResNetCIFAR', depth=8), dict(type='LinearHead', num_classes=3)
    model = MODELS.build(dict(type='LongTailedClassifier', backbone=backbone, head=head, loss=named, **more))
    return [*model.corrections, *balanced_by_sampling(dict(sampler=dict(type=sampler)))]


def test_two_corrections_are_named():
    text = double_correction(corrections('BalancedSoftmaxLoss', 'ClassBalancedSampler'))
    assert 'balanced softmax (model.loss) and class-balanced sampling (train_dataloader.sampler)' in text
    text = double_correction(corrections('LogitAdjustedLoss', reweighting=dict(start_epoch=160)))
    assert 'logit-adjusted' in text and 'class weights' in text


@pytest.mark.parametrize(
    ('settings', 'number'),
    [
        (dict(), 0),
        (dict(loss='BalancedSoftmaxLoss'), 1),
        (dict(sampler='ClassAwareSampler'), 1),
        (dict(loss='LDAMLoss', reweighting=dict(beta=0.9999)), 1),
        (dict(loss='BalancedSoftmaxLoss', reweighting=dict(beta=0)), 1),
        (dict(loss='LogitAdjustedLoss', tau=0.0, sampler='ReversedSampler'), 1),
        (dict(loss='VSLoss'), 1),
        (dict(loss='VSLoss', tau=0.0), 0),
    ],
)
def test_one_correction_or_none_is_no_warning(settings, number):
    found = corrections(**settings)
    assert len(found) == number and double_correction(found) is None
    assert balanced_by_sampling(dict(sampler=dict(type='PowerSampler', power=1))) == []


@pytest.mark.parametrize(
    ('method', 'number'),
    [
        *((method, 0) for method in ('ce', 'focal', 'ldam', 'kd', 'bkd', 'rskd', 'ltkd', 'mixup')),
        *((method, 1) for method in ('balanced_softmax', 'bcl', 'ncl', 'ecl', 'paco', 'gpaco', 'sade', 'balpoe', 'dive')),
        *((method, 1) for method in ('breadcrumb', 'ssd', 'cbd', 'crt', 'lws', 'mislas', 'ce_drw', 'ldam_drw')),
    ],
)
def test_a_method_says_whether_it_is_balanced_whatever_its_config_leaves_out(method, number):
    cfg = load_config(config_roots()[0] / method / 'resnet8_digitslt.py')
    cfg.model.head.num_classes = 10
    if method in ('bcl', 'ncl', 'ecl', 'dive'):  # the loss that the method takes unless the config names one
        cfg.model.loss = None
    model = MODELS.build(cfg.model)
    found = [*model.corrections, *balanced_by_sampling(cfg.train_dataloader)]
    assert len(found) == number and double_correction(found) is None
    assert (corrected_already('prior', found) is None) == (number == 0)
    assert corrected_already('temperature', found) is None
    model.keep_inference_parts()
    assert model.corrections == found[: len(model.corrections)]  # what is published knows it too
