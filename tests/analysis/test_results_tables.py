"""Tables: means over seeds, recipes apart, text that says what was chosen where."""

import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mmlt.analysis.methods import correction_in_name, correction_in_words, method_of, names_in
from mmlt.analysis.report import report_html
from mmlt.analysis.report.details import measure
from mmlt.analysis.rows import format_duration, rows_by_recipe
from mmlt.analysis.run_files import RunFiles
from mmlt.analysis.stored_results import stored_name
from mmlt.analysis.tables import (
    NOTHING_STORED,
    comparison_table,
    comparison_tables,
    render_summary,
    render_table,
    unsourced_figures,
)
from mmlt.engine.hooks import accuracies
from mmlt.errors import UserError

CONFIG = 'ce/resnet8_digitslt'
NOT_CHOSEN = {'epoch': None, 'selected_on': None, 'metrics': {}}


def cells(text, config=CONFIG):
    """Heading -> cell of the first line of a config in a Markdown table."""
    lines = [
        [cell.strip() for cell in line.strip('|').replace('\\|', '/').split(' | ')]
        for line in text.splitlines()
        if line[:1] == '|'
    ]
    row = next(line for line in lines if line[1].startswith(f'[{config}'))
    return dict(zip(lines[0], row, strict=True))


def shown(renderable):
    console = Console(width=200, record=True, file=open('/dev/null', 'w'))
    console.print(renderable)
    return ' '.join(console.export_text().split())


def test_one_seed_has_no_deviation(make_record):
    row = cells(render_table({CONFIG: [make_record()]}))
    assert row['seeds'] == '1 (0)' and row['top-1'] == '60.00' and row['ECE'] == '0.1234'
    assert row['best top-1, chosen on the test set'] == '62.50'
    assert (row['precision'], row['time'], row['torch']) == ('fp32', '1 min 02 s', '2.12.1')
    assert '±' not in ''.join(row.values())


def test_mean_and_sample_deviation_over_seeds(make_record):
    values = [60.0, 61.25, 58.5]
    runs = [make_record(seed=seed, last__metrics={'accuracy/top1': value}) for seed, value in enumerate(values)]
    row = cells(render_table({CONFIG: runs[::-1]}))
    assert row['seeds'] == '3 (0, 1, 2)'
    assert row['top-1'] == f'{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}'
    assert row['many (2)'] == '-'


def test_group_without_a_class_has_no_column(make_record):
    row = cells(render_table({CONFIG: [make_record()]}))
    assert {'many (2)', 'medium (2)'} <= set(row) and not any('few' in heading for heading in row)


@pytest.mark.parametrize(
    'change',
    [
        {'last__epoch': 200},
        {'epochs': 200},
        {'data__dataset': 'cifar10'},
        {'data__imbalance_ratio': 10},
        {'data__indices_sha256': '00' * 32},
        {'shot_groups__convention': 'ncl'},
        {'best__selected_on': 'holdout'},
        {'evaluated_on': 'holdout'},
    ],
)
def test_other_recipes_stand_in_other_tables(make_record, change):
    runs = [make_record(), make_record(config='bkd/x', **change)]
    assert len(rows_by_recipe(runs)) == len(comparison_tables(runs)) == 2
    assert render_table({CONFIG: runs[:1], 'bkd/x': runs[1:]}).count('| method | config |') == 2
    with pytest.raises(UserError, match='2 results of 2 recipes'):
        comparison_table(runs)


def of_images(record, content, **more):
    """The record of a run that says what it was evaluated on."""
    images = dict(record['data'], num_images=60, content_sha256=content * 32, indices_sha256='12' * 32, **more)
    return {**record, 'evaluated_on': 'test', 'test_data': images}


def test_runs_of_other_test_images_are_never_pooled(make_record):
    old, first, again, changed = (make_record(seed=seed) for seed in range(4))
    first, again, changed = (of_images(one, c) for one, c in ((first, 'a1'), (again, 'a1'), (changed, 'b2')))
    moved = of_images(make_record(seed=4), 'a1')
    moved['test_data']['dataset'] = 'elsewhere/digits'
    ((recipe, (row,)),) = rows_by_recipe([old, first, again, moved]).items()
    assert len(row.records) == 4 and [recipe] == list(rows_by_recipe([old])), 'one set, or none named: as ever'
    tables = {recipe.title.removeprefix(f'{rows_by_recipe([old]).popitem()[0].title}, evaluated on '): rows
              for recipe, rows in rows_by_recipe([changed, first, old, again]).items()}  # fmt: skip
    assert {title: [record['seed'] for row in rows for record in row.records] for title, rows in tables.items()} == {
        'a test set of 60 images (a1a1a1a1)': [1, 2], 'a test set of 60 images (b2b2b2b2)': [3],
        'a test set that is not recorded': [0],
    }  # fmt: skip
    assert render_table({CONFIG: [changed, first, again]}).count('| method | config |') == 2


def test_figures_on_a_holdout_are_called_so(make_record):
    record = make_record(evaluated_on='holdout')
    text = render_table({CONFIG: [record, make_record(evaluated_on='test'), make_record(seed=1)]})
    assert text.count('evaluated on a holdout of the training set**') == 1 and '| 2 (0, 1) |' in text
    other = [dict(of_images(record, content), evaluated_on='holdout') for content in ('a1', 'b2')]
    assert 'evaluated on a holdout of 60 images (b2b2b2b2)' in render_table({CONFIG: other})


@pytest.mark.parametrize(
    'change',
    [
        {'precision': 'bf16'},
        {'device': 'GPU'},
        {'versions': {'torch': '2.6.0'}},
        {'world_size': 2},
        {'overrides': {'lr': 1}},
        {'seed': 0},
    ],
)
def test_other_conditions_and_equal_seeds_stand_in_other_lines(make_record, change):
    runs = [make_record(), make_record(**{'seed': 1, **change})]
    (rows,) = rows_by_recipe(runs).values()
    assert [len(row.records) for row in rows] == [1, 1]


def test_order_given_does_not_matter(make_record):
    runs = [
        make_record(config=config, seed=seed, data__imbalance_ratio=ratio)
        for config in ('a/x', 'b/x')
        for seed in (2, 0, None)
        for ratio in (100, 10, None)
    ]
    by_config = {name: [run for run in runs if run['config'] == name] for name in ('a/x', 'b/x')}
    reverse = {name: found[::-1] for name, found in reversed(by_config.items())}
    assert render_table(by_config) == render_table(reverse)


def test_links_are_relative_to_the_file(make_record):
    runs = {CONFIG: [make_record()]}
    assert f'[{CONFIG}](configs/{CONFIG}.py)' in render_table(runs)
    assert f'[{CONFIG}](resnet8_digitslt.py)' in render_table(runs, 'configs/ce')


def test_rows_are_called_and_sorted_as_the_names_say(make_record):
    runs = {f'{method}/x': [make_record(config=f'{method}/x')] for method in ('a', 'b', 'c')}
    lines = [line for line in render_table(runs, names={'c': 'Third', 'a': 'First'}).splitlines() if line[:1] == '|']
    assert [line.split(' | ')[0] for line in lines[2:]] == ['| Third', '| First', '| b']


@pytest.mark.parametrize(
    ('adjustment', 'words', 'suffix'),
    [
        (
            dict(adjust='logit_adjustment', value=1.0, found_on=None),
            'logit adjustment (post-hoc, tau = 1, not tuned)',
            '_logit_adjustment',
        ),
        (
            dict(adjust='tau_norm', value=0.85, found_on='holdout'),
            'tau-normalisation (post-hoc, tau = 0.85, tuned on a holdout)',
            '_tau_norm_tuned',
        ),
        (
            dict(adjust='prior', test_prior='estimate', value=[0.5, 0.5], found_on='unlabelled test images'),
            'prior correction (post-hoc, test prior estimated from the unlabelled test images)',
            '_prior_estimate',
        ),
        (
            dict(adjust='prior', test_prior='shares.json', value=[0.5, 0.5], found_on=None),
            'prior correction (post-hoc, test prior known)',
            '_prior_known',
        ),
        (dict(adjust='prior', value=[0.5, 0.5], found_on=None), 'prior correction (post-hoc, test prior uniform)', '_prior'),
        (dict(adjust='ncm', value=None, found_on=None), 'nearest class mean (post-hoc)', '_ncm'),
    ],
)
def test_a_correction_in_words_and_in_a_file_name(adjustment, words, suffix):
    assert (correction_in_words(adjustment), correction_in_name(adjustment)) == (words, suffix)


def test_what_goes_on_from_a_run_stands_beside_it(make_record):
    first = make_record(epochs=30, last__epoch=30)
    second = make_record(config='crt/x', epochs=10, last__epoch=10)
    second['first'] = first
    corrected = make_record(config='crt/x', epochs=10, last__epoch=10, best__selected_on=None, best__metrics={})
    corrected.update(first=second, adjustment=dict(adjust='tau_norm', value=1.0, found_on=None))
    (rows,) = rows_by_recipe([first, second, corrected]).values()
    assert len(rows) == 3
    names = {'ce': 'CE', 'crt': 'cRT'}
    assert [method_of(run, names) for run in (first, second, corrected)] == [
        'CE',
        'cRT, 10 epochs on CE',
        'cRT, 10 epochs on CE + tau-normalisation (post-hoc, tau = 1, not tuned)',
    ]
    aggregation = dict(weights=[0.5, 0.5], found_on='unlabelled test images')
    weighted = {**corrected, 'seed': 1, 'adjustment': None, 'aggregation': aggregation}
    assert method_of(weighted, names) == 'cRT, 10 epochs on CE + experts weighted on the unlabelled test images'
    assert stored_name(weighted).name == 'x_seed1_aggregated.json'
    assert len(rows_by_recipe([second, weighted]).popitem()[1]) == 2  # no two seeds of one thing
    text = render_table({CONFIG: [first], 'crt/x': [second, corrected]}, names=names)
    assert '30 epochs**' in text and '10 epochs**' not in text


def evaluated(record, epoch=30, **more):
    """The record of an evaluation of a run's checkpoint."""
    last = {**record['last'], 'epoch': epoch}
    return {**record, 'epochs': 30, 'last': last, 'best': NOT_CHOSEN, 'evaluated_epochs': [], **more}


def test_several_models_and_earlier_checkpoints_are_no_further_seeds(make_record):
    first, second = (make_record(epochs=30, seed=seed) for seed in (0, 1))
    models = [dict(file=f'{seed}.pth', sha256='ab', epoch=30) for seed in (0, 1)]
    records = [evaluated(first), evaluated(second), evaluated(first, seed=None, ensemble=models), evaluated(second, 28)]
    (rows,) = rows_by_recipe(records).values()
    assert [(row.label.removeprefix(CONFIG), len(row.records)) for row in rows] == [
        ('', 2), (', after epoch 28 of 30', 1), (', mean of 2 models', 1)]  # fmt: skip
    ((row,),) = rows_by_recipe([{**first, 'best': NOT_CHOSEN}, evaluated(second)]).values()
    assert len(row.records) == 2 and row.label == CONFIG, 'a run, and an evaluation of the last checkpoint of another seed'
    caution = 'if that was chosen by these images'
    for table in (shown(comparison_table(records)), render_table({CONFIG: records})):
        assert caution in table and f'{CONFIG}, mean of 2 models' in table
    for table in (shown(comparison_table(records[:3])), render_table({CONFIG: records[:3]})):
        assert caution not in table and 'after the last epoch' in table


def test_names_come_from_the_methods_of_a_readme():
    text = '| | what |\n|---|---|\n| [B](configs/b/README.md) | x |\n| [A c](configs/a_c/README.md) | [z](configs/z/R.md) |'
    assert list(names_in(text).items()) == [('b', 'B'), ('a_c', 'A c')]


def test_device_cannot_break_the_table(make_record):
    lines = [line for line in render_table({CONFIG: [make_record()]}).splitlines() if line.startswith('|')]
    assert len({line.replace('\\|', '').count('|') for line in lines}) == 1


def test_nothing_stored():
    assert render_table({}) == render_table({CONFIG: []}) == NOTHING_STORED == 'No finished run is stored yet.'


def test_terminal_table(make_record):
    runs = [make_record(seed=seed, last__metrics__nll=1.0) for seed in (0, 1)]
    runs.append(make_record(config='bkd/[bold]x', best__metrics={'accuracy/top1': 70.126}))
    text = shown(comparison_table(runs))
    words = ' '.join(text.replace('│', ' ').split())
    assert re.search(r'0, 1 60.00 ± 0.00 80.00 ± 0.00 .* 62.50 ± 0.00', words), 'two seeds: mean and deviation, then best'
    assert re.search(r'bkd/\[bold\]x 0 60.00 80.00 .* 70.13 ', words), 'one seed: no deviation'
    assert 'bkd/[bold]x' in text and 'chosen on the test set' in text and 'imbalance ratio 100' in text
    assert 'shot groups (standard): 2 many, 2 medium, 0 few classes' in text
    plain = shown(comparison_table([make_record(best__selected_on=None)]))
    assert 'chosen' not in plain and '62.50' not in plain


def test_terminal_table_needs_a_result():
    with pytest.raises(UserError, match='0 results'):
        comparison_table([])


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.4, '0 s'),
        (59.4, '59 s'),
        (59.6, '1 min 00 s'),
        (725, '12 min 05 s'),
        (3599.6, '1 h 00 min'),
        (10920, '3 h 02 min'),
    ],
)
def test_duration(seconds, text):
    assert format_duration(seconds) == text


def test_figures_without_a_source_are_found():
    by_hand = '| method | top-1 |\n|---|---|\n| CE | 38.32 |\n'
    sourced = '| method | top-1 | source |\n|---|---|---|\n| CE | 38.32 | LDAM paper |\n'
    settings = '| option | value |\n|---|---|\n| beta | 0.9999 |\n| lr | 0.1 |\n'
    assert unsourced_figures(f'Text 38.32.\n\n{by_hand}\n{sourced}\n{settings}') == ['| CE | 38.32 |']


def test_the_summary_has_a_line_a_method_with_its_variants(make_record):
    records = {
        'ce/resnet8_digitslt_30e': [make_record(seed=seed) for seed in (0, 1)],
        'ce/resnet8_digitslt_wide_30e': [make_record(seed=0), make_record(seed=0, overrides={'root': 'a/b'})],
    }
    text = render_summary(records, names={'ce': 'CE'})
    lines = [line for line in text.splitlines() if line.startswith('| [')]
    assert [line.split('|')[1].strip() for line in lines] == [
        '[CE](configs/ce/resnet8_digitslt_30e.py)', '[CE, wide root=a/b](configs/ce/resnet8_digitslt_wide_30e.py)',
        '[CE, wide](configs/ce/resnet8_digitslt_wide_30e.py)',
    ]  # fmt: skip
    assert [line.split('|')[-2].strip() for line in lines] == ['2', '1', '1']
    assert 'ECE' not in text and 'time' not in text
    full = render_table(records, names={'ce': 'CE'})
    assert [line.split('|')[1].strip() for line in full.splitlines()[4:7]] == ['CE', 'CE, wide', 'CE, wide']
    records['ce/resnet8_digitslt_few_30e'] = [make_record(data__num_images=7, data__kept_classes=['a'])]  # of its own recipe
    assert render_summary(records, names={'ce': 'CE'}) == text
    alone = render_table(records, names={'ce': 'CE'}).split(' 7 training images')[1]
    assert [line.split('|')[1].strip() for line in alone.splitlines()[4:5]] == ['CE, few']


def test_images_with_several_labels_are_summed_up_by_average_precision(make_record):
    metrics = {'mAP': 59.29, 'mAP/many': 83.76, 'mAP/medium': 67.7, 'AUROC': 83.94, 'F1': 41.55}
    record = make_record(last__metrics=metrics, best__metrics=metrics, best__selected_by='mAP')
    lines = render_summary({CONFIG: [record]}).splitlines()[2:]
    assert lines[0] == '| method | mAP | many (2) | medium (2) | seeds |'
    assert lines[2].endswith('| 59.29 | 83.76 | 67.70 | 1 |')
    for chosen in (dict(selected_on='test', selected_by='F1'), dict(selected_on=None)):  # whatever chose the best epoch
        other = {**record, 'best': {'epoch': 28, 'metrics': metrics, **chosen}}
        text = render_table({CONFIG: [other]})
        assert cells(text)['mAP'] == '59.29' and cells(text)['many (2)'] == '83.76' and cells(text)['F1'] == '41.55'
        assert 'Mean average precision (mAP), AUROC and F1 in percent' in text and 'ccurac' not in text and 'ECE' not in text
        text = shown(comparison_table([other]))
        assert '59.29' in text and 'mAP, AUROC and F1 in percent after the last epoch' in text and 'accuracy' not in text
    both = render_table({CONFIG: [record], 'bkd/x': [make_record(config='bkd/x')]})
    assert 'Accuracies in percent, ECE as a fraction (15 bins); mean average precision (mAP)' in both
    assert 'means over classes; all after the last epoch' in both


def test_detectors_have_tables_of_average_precision(make_record):
    metrics = {f'bbox/{name}': 40.0 + place for place, name in enumerate(('AP', 'AP50', 'AP75', 'APr', 'APc', 'APf'))}
    groups = dict(convention='lvis', many=7, medium=7, few=6)
    best = dict(epoch=30, selected_on='test', selected_by='bbox/AP', metrics=metrics)
    record = make_record(
        config='detection/faster_rcnn_small_digits', shot_groups=groups, last__metrics=metrics, best=best
    )
    text = render_table({record['config']: [record]}, 'configs/detection')
    heading = next(line for line in text.splitlines() if line.startswith('| method'))
    assert '| box AP | box AP50 | box APr | box APc | box APf | best bbox/AP, chosen on the test set |' in heading
    assert '| 40.00 | 41.00 | 43.00 | 44.00 | 45.00 | 40.00 |' in text
    assert 'Average precisions (AP) in percent by the rules of LVIS' in text and 'ECE' not in text
    table = comparison_table([record])
    assert [str(column.header) for column in table.columns][2:7] == ['box AP', 'box AP50', 'box APr', 'box APc', 'box APf']
    assert accuracies(metrics) == ['bbox AP 40.00', 'bbox APr 43.00', 'bbox APc 44.00', 'bbox APf 45.00']
    assert 'box APr (%)' in report_html(RunFiles(Path('.'), record)) and measure(record) == 'box AP'


def test_the_best_epoch_is_shown_by_the_metric_that_chose_it(make_record):
    chosen = dict(best__selected_by='accuracy/mean_class', best__metrics={'accuracy/top1': 62.5, 'accuracy/mean_class': 63.25})
    row = cells(render_table({CONFIG: [make_record(**chosen)]}))
    assert row['best accuracy/mean_class, chosen on the test set'] == '63.25'
    assert len(rows_by_recipe([make_record(), make_record(**chosen)])) == 2  # no table holds both
