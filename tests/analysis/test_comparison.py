"""Runs side by side: who is compared with whom, and how sure a difference is, against slow references."""

import csv
import json
import shutil

import numpy as np
import pytest
from made_runs import counts_of, make_run
from scipy.stats import ttest_ind

from mmlt.analysis import plots
from mmlt.analysis.comparison import differences, matches, texts
from mmlt.analysis.comparison.differences import welch
from mmlt.analysis.comparison.page import comparison_html
from mmlt.analysis.report import write_report
from mmlt.analysis.run_files import read_run
from mmlt.apis.compare import compare
from mmlt.errors import UserError
from mmlt.evaluation.bootstrap import stratified_draws


@pytest.fixture
def runs(tmp_path, make_record):
    """Two configs with two seeds each, on the same test images."""
    folders = []
    for config, skill in (('ce/digits', 2.0), ('b_k%d/digits', 3.0)):
        for seed in (0, 1):
            folders.append(tmp_path / f'{config[:2]}{seed}')
            record = make_record(config=config, seed=seed)
            make_run(folders[-1], record, num_classes=4, skill=skill, seed=10 * seed + int(skill))
    return folders


def compared(folders, resamples=200):
    found = matches([read_run(folder, before=False) for folder in folders])
    return [(match, differences(match, resamples)) for match in found]


@pytest.mark.parametrize('sizes', [(2, 2), (3, 5), (2, 10)])
def test_interval_over_seeds_is_welchs(sizes):
    random = np.random.default_rng(sum(sizes))
    ours, theirs = random.normal(5, 1, sizes[0]).tolist(), random.normal(4, 3, sizes[1]).tolist()
    expected = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert welch(ours, theirs) == pytest.approx((expected.low, expected.high))
    assert welch(ours, theirs[:1]) is None and welch([2.0, 2.0], [1.0, 1.0]) is None


def test_seeds_of_a_config_are_one_contestant(runs):
    ((match, found),) = compared(runs[::-1])
    assert [(one.label, one.seeds) for one in match.contestants] == [('b_k%d', '0, 1'), ('ce', '0, 1')]  # first named, first
    ours = [read_run(folder).metric('accuracy/top1') for folder in runs[:2]]
    theirs = [read_run(folder).metric('accuracy/top1') for folder in runs[2:]]
    (top,) = [one for one in found if one.metric.key == 'accuracy/top1']
    assert top.contestant == 'ce' and top.value == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert top.over_seeds == pytest.approx(welch(ours, theirs))


def test_interval_over_images_draws_the_same_images_for_both_sides(runs):
    ((match, found),) = compared(runs)
    images = [read_run(folder).images for folder in runs]
    target = images[0]['target']
    order, sizes = np.argsort(target, kind='stable'), np.bincount(target)
    right = np.array([(one['top_classes'][:, 0] == target)[order] for one in images])
    sure = np.array([one['nll'][order] for one in images], dtype=float)
    starts = np.cumsum(sizes) - sizes
    slow = {'accuracy/top1': [], 'accuracy/many': [], 'nll': []}
    many = match.contestants[0].runs[0].groups['many']
    for drawn in np.concatenate(list(stratified_draws(sizes, 200))):
        gain = (right[2:, drawn].mean(0) - right[:2, drawn].mean(0)) * 100
        slow['accuracy/top1'].append(gain.mean())
        slow['accuracy/many'].append(np.mean([gain[starts[c] : starts[c] + sizes[c]].mean() for c in many]))
        slow['nll'].append((sure[2:, drawn].mean(0) - sure[:2, drawn].mean(0)).mean())
    for key, values in slow.items():
        (one,) = [one for one in found if one.metric.key == key]
        assert one.over_images == pytest.approx(np.percentile(values, [2.5, 97.5]).tolist(), abs=1e-6)


def test_a_run_against_its_copy_differs_by_nothing(tmp_path, make_record):
    for name in ('a', 'b'):
        make_run(tmp_path / name, make_record(config=f'{name}/x'), num_classes=4)
    ((_, found),) = compared([tmp_path / 'a', tmp_path / 'b'])
    assert {one.value for one in found} == {0.0} and all(one.better is None for one in found)
    assert {one.over_images for one in found if one.metric.key == 'accuracy/top1'} == {(0.0, 0.0)}
    assert all(one.over_seeds is None for one in found)


def test_other_test_images_have_no_paired_interval(tmp_path, make_record):
    make_run(tmp_path / 'a', make_record(config='a/x'), num_classes=4)
    make_run(tmp_path / 'b', make_record(config='b/x'), num_classes=4, per_class=19)
    ((_, found),) = compared([tmp_path / 'a', tmp_path / 'b'])
    assert found and all(one.over_images is None for one in found)


def test_runs_of_other_evaluated_sets_are_not_held_against_each_other(tmp_path, make_record):
    said = dict(make_record()['data'], num_images=80)
    kinds = dict(
        a=dict(evaluated_on='test', test_data=said),
        b=dict(evaluated_on='test', test_data=dict(said, content_sha256='b2' * 32), best__selected_on=None, seed=1),
        c=dict(evaluated_on='holdout', seed=2), old=dict(config='old/x'),
    )  # fmt: skip
    for name, more in kinds.items():
        make_run(tmp_path / name, make_record(**more), num_classes=4)
    found = {tuple(one.seeds for one in match.contestants): match.recipe.title.partition(', evaluated on ')[2]
             for match, _ in compared([tmp_path / name for name in 'abc'], 0)}  # fmt: skip
    assert found == {('0',): 'a test set of 80 images (fedcba98)', ('1',): 'a test set of 80 images (b2b2b2b2)',
                     ('2',): 'a holdout of the training set'}  # fmt: skip
    ((match, _),) = compared([tmp_path / 'a', tmp_path / 'old'], 0)
    assert len(match.contestants) == 2 and 'evaluated on' not in match.recipe.title


def test_several_labels_are_compared_too(tmp_path, make_record):
    for name, skill in (('a', 1.0), ('b', 3.0)):
        make_run(tmp_path / name, make_record(config=f'{name}/x'), num_classes=6, skill=skill, several=True)
    ((match, found),) = compared([tmp_path / 'a', tmp_path / 'b'], 50)
    (precision,) = [one for one in found if one.metric.key == 'mAP']
    low, high = precision.over_images
    assert low < precision.value < high and precision.better and precision.value > 5
    assert 'mean average precision, few-shot' in comparison_html([(match, found)])


def test_files_hold_the_same_figures(runs, tmp_path):
    ((match, found),) = result = compare(runs, tmp_path / 'out')
    rows = list(csv.DictReader((tmp_path / 'out/comparison.csv').open()))
    for one in found:
        (row,) = [row for row in rows if (row['config'], row['metric']) == (one.contestant, one.metric.key)]
        assert float(row['difference']) == one.value
        assert row['images_low'] == ('' if one.over_images is None else str(one.over_images[0]))
    (row,) = [row for row in rows if row['config'] == 'ce' and row['metric'] == 'accuracy/top1']
    values = [json.loads((folder / 'results.json').read_text())['last']['metrics']['accuracy/top1'] for folder in runs[:2]]
    assert float(row['mean']) == pytest.approx(np.mean(values))
    assert float(row['deviation']) == pytest.approx(np.std(values, ddof=1))
    figure = f'{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}'
    assert f'| ce | 0, 1 | {figure} |' in (tmp_path / 'out/comparison.md').read_text()
    latex = (tmp_path / 'out/comparison.tex').read_text()
    assert figure.replace('±', r'$\pm$') in latex and r'b\_k\%d & \textbf{' in latex
    assert figure in (tmp_path / 'out/comparison.html').read_text() and texts.markdown(result).count('\n| ce |') == 1
    compare(runs[:1], tmp_path / 'out')  # its own files are written over


def test_configs_of_one_name_are_told_apart(tmp_path, make_record):
    for name in ('a', 'b'):
        make_run(tmp_path / name, make_record(), num_classes=4, seed=ord(name))
    ((match, _),) = compared([tmp_path / 'a', tmp_path / 'b'])
    assert [one.label for one in match.contestants] == [f'ce ({tmp_path / name})' for name in ('a', 'b')]


def test_an_evaluation_beside_a_run_has_its_own_figures(tmp_path, make_record):
    make_run(tmp_path / 'run', make_record(), num_classes=4, seed=1, skill=1.0)
    correction = dict(adjust='tau_norm', value=1.0, found_on=None)
    corrected = make_record(adjustment=correction, evaluated_epochs=[], best__selected_on=None)
    make_run(tmp_path / 'other', corrected, num_classes=4, seed=2, skill=6.0)
    for mark in ('_x', '_y', '_bare'):
        shutil.copy(tmp_path / 'other/results.json', tmp_path / f'run/results{mark}.json')
    for name in ('evaluation.json', 'evaluation_images.npz'):
        for mark in ('_x', '_y'):
            shutil.copy(tmp_path / 'other' / name, tmp_path / 'run' / name.replace('.', f'{mark}.'))

    run, named = read_run(tmp_path / 'run'), [read_run(tmp_path / f'run/results_{mark}.json') for mark in ('x', 'bare')]
    top = corrected['last']['metrics']['accuracy/top1']
    assert [one.metric('accuracy/top1') for one in named] == [top, top] and run.metric('accuracy/top1') < top - 10
    assert np.array_equal(named[0].per_class('recall'), read_run(tmp_path / 'other').per_class('recall'))
    assert named[0].images and named[1].per_class('recall') is None and not named[1].images and not named[0].troubles
    assert read_run(tmp_path / 'run/results.json').path == run.path == tmp_path / 'run' and run.scalars and not named[0].scalars

    ((match, found),) = compared([tmp_path / 'run', *(tmp_path / f'run/results_{mark}.json' for mark in 'xy')])
    assert [one.label for one in match.contestants] == [
        'ce', *(f'ce tau_norm ({tmp_path}/run/results_{mark}.json)' for mark in 'xy')]  # fmt: skip
    gains = [one for one in found if one.metric.key == 'accuracy/top1']
    assert [one.value for one in gains] == [top - run.metric('accuracy/top1')] * 2 and gains[0].over_images[0] > 0
    with pytest.raises(UserError, match=r'run/results_x\.json is named twice'):
        matches([read_run(tmp_path / 'run/results_x.json')] * 2)
    assert write_report(tmp_path / 'run/results_x.json').name == 'report_x.html'


def test_a_checkpoint_of_an_earlier_epoch_is_called_so(tmp_path, make_record):
    make_run(tmp_path / 'a', make_record(epochs=30), num_classes=4, seed=1)
    best = dict(epochs=30, last__epoch=28, evaluated_epochs=[], best__selected_on=None, finished=False)
    make_run(tmp_path / 'best', make_record(seed=1, **best), num_classes=4, seed=2)
    result = compared([tmp_path / 'a', tmp_path / 'best'], 0)
    assert [one.label for one in result[0][0].contestants] == ['ce', 'ce, after epoch 28 of 30']
    caution = 'where a line names an earlier epoch, its figures are optimistic if that was chosen by these images'
    assert caution in texts.markdown(result) and caution in comparison_html(result)
    assert caution not in texts.markdown(compared([tmp_path / 'a'], 0))

    pages = {name: write_report(tmp_path / name).read_text() for name in ('a', 'best')}
    assert 'After epoch 28 of 30; if it was chosen by these images' in pages['best'] and 'last epoch' not in pages['best']
    assert '>epoch 28<' in pages['best'] and 'last (epoch 28)' not in pages['best'] and 'not finished' not in pages['best']
    assert 'After the last epoch.' in pages['a'] and 'last (epoch 30)' in pages['a']
    make_run(tmp_path / 'c', make_record(finished=False), num_classes=4)
    assert 'This run is not finished.' in write_report(tmp_path / 'c').read_text()


def test_the_picture_has_a_line_for_each_run(tmp_path, make_record, call, monkeypatch):
    drawn = []
    real = plots.per_class_png
    monkeypatch.setattr(plots, 'per_class_png', lambda runs, *more: drawn.append((runs, *more)) or real(runs, *more))
    for name, more in dict(a={}, b=dict(overrides={'lr': '1'}), c=dict(seed=1), again=dict(evaluated_epochs=[])).items():
        make_run(tmp_path / name, make_record(**more), num_classes=4, seed=ord(name[0]))
    (tmp_path / 'again/per_class.csv').unlink()  # as tools/test.py leaves it
    code, out, err = call('compare', 'a', 'b', 'c', '--plot', 'x.png')
    assert code == 0 and list(drawn[-1][0]) == ['ce, seed 0', 'ce, seed 1', 'ce lr=1, seed 0'], out + err
    code, out, err = call('compare', 'a', 'again', '--plot', 'x.png')
    assert code == 0 and list(drawn[-1][0]) == ['ce (a), seed 0', 'ce (again), seed 0'], out + err
    for (counts, values), name in zip(drawn[-1][0].values(), ('a', 'again'), strict=True):
        assert np.array_equal(values, read_run(tmp_path / name).per_class('recall')) and list(counts) == counts_of(4)
    make_run(tmp_path / 'other', make_record(epochs=31), num_classes=4)  # another recipe, called alike
    code, out, err = call('compare', 'a', 'other', '--plot', 'x.png')
    assert code == 0 and list(drawn[-1][0]) == ['ce, seed 0 (a)', 'ce, seed 0 (other)'], out + err

    for name in ('d', 'e'):
        make_run(tmp_path / name, make_record(config=f'{name}/x'), num_classes=6, several=True)
    code, out, err = call('compare', 'd', 'e', '--plot', 'x.png')
    assert code == 0 and list(drawn[-1][0]) == ['d, seed 0', 'e, seed 0'] and drawn[-1][2] == 'average precision', out + err
    code, out, err = call('compare', 'a', 'd', '--plot', 'x.png')
    assert code == 1 and 'd has no accuracy of each class to draw: evaluate its checkpoint' in err
    (tmp_path / 'a/evaluation.json').write_text('{}')
    code, out, err = call('compare', 'a', '--plot', 'x.png')
    assert code == 0 and 'a/evaluation.json is no evaluation of schema 1' in out, out + err


def test_what_cannot_be_compared_is_said(runs, tmp_path, make_record):
    with pytest.raises(UserError, match='named twice'):
        compare([runs[0], runs[0]])
    with pytest.raises(UserError, match='no run to compare'):
        compare([])
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/comparison.csv').write_text('my own')
    with pytest.raises(UserError, match=r'comparison\.csv, which was not made by this tool'):
        compare(runs, tmp_path / 'mine')
    assert (tmp_path / 'mine/comparison.csv').read_text() == 'my own'
    make_run(tmp_path / 'other', make_record(data__num_images=99), num_classes=4)
    assert len(compare([*runs, tmp_path / 'other'])) == 2  # other training data: a table of its own
