"""Which epoch is the best: any metric by name, more or less of it."""

import pytest

from mmlt.apis.train import train
from mmlt.engine.selection import Selection, without_selection
from mmlt.errors import UserError

CE = 'ce/resnet8_digitslt.py'
HISTORY = [
    dict(epoch=1, metrics={'accuracy/top1': 50.0, 'accuracy/few': 9.0, 'nll': 1.5, 'calibration/ece': 0.3}),
    dict(epoch=2, metrics={'accuracy/top1': 60.0, 'accuracy/few': 4.0, 'nll': 1.2, 'calibration/ece': 0.1}),
    dict(epoch=3, metrics={'accuracy/top1': 60.0, 'accuracy/few': 7.0, 'nll': 1.1, 'calibration/ece': 0.2}),
]


@pytest.mark.parametrize(
    ('selection', 'epoch'),
    [
        (Selection(), 2),  # the first of equal ones
        (Selection('accuracy/few'), 1),
        (Selection('accuracy/few', 'less'), 2),
        (Selection('nll'), 3),
        (Selection('calibration/ece'), 2),
        (Selection('calibration/ece', 'greater'), 1),
        (Selection('auto'), 2),
    ],
)
def test_best_epoch(selection, epoch):
    assert selection.best(HISTORY)['epoch'] == epoch


def test_without_top1_the_first_metric_counts():
    assert Selection().name({'single-label/recall': 1.0, 'single-label/precision': 2.0}) == 'single-label/recall'


def test_what_the_evaluation_does_not_give_is_refused():
    with pytest.raises(UserError, match="save_best is 'accuracy/tail'.* it gives accuracy/top1, accuracy/few, nll"):
        Selection('accuracy/tail').best(HISTORY)


@pytest.mark.parametrize('arguments', [dict(metric=['a', 'b']), dict(rule='higher')])
def test_other_settings_are_refused(arguments):
    with pytest.raises(UserError, match="rule, 'greater' or 'less'"):
        Selection(**arguments)


def test_a_misspelt_metric_may_be_corrected_before_one_has_been_chosen_by(tmp_path):
    few = {'train_cfg.max_epochs': 4, 'train_cfg.val_interval': 2, 'default_hooks.checkpoint.seconds': 0}
    with pytest.raises(UserError, match="save_best is 'accuracy/tail'"):
        train(CE, work_dir=tmp_path, overrides={**few, 'default_hooks.checkpoint.save_best': 'accuracy/tail'})
    own = {**few, 'default_hooks.checkpoint.save_best': 'accuracy/few'}
    record = train(CE, work_dir=tmp_path, overrides=own, resume=True)
    assert record['evaluated_epochs'] == [2, 4] and record['best']['selected_by'] == 'accuracy/few'
    plain = train(CE, work_dir=tmp_path / 'plain', overrides=own)
    assert {**record['last'], **record['best']} == {**plain['last'], **plain['best']}


def test_a_metric_that_has_chosen_an_epoch_stays():
    outcome = dict(model='x', selection=dict(save_best='nll'))
    assert without_selection(outcome, []) == dict(model='x') and without_selection(outcome, HISTORY) == outcome
