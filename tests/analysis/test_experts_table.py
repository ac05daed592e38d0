"""The table of experts stands in a method's own README, and only where there are experts."""

from mmlt.analysis.tables import render_table


def with_experts(record: dict) -> dict:
    figures = {'experts/best/top1': 61.234, 'experts/agreement/many': 71.26, 'experts/diversity/medium': 0.1236}
    record['last'] = {**record['last'], 'metrics': {**record['last']['metrics'], **figures}}
    return record


def test_experts_stand_beside_their_ensemble(make_record):
    runs = [with_experts(make_record(seed=0)), with_experts(make_record(seed=1))]
    runs[1]['last']['metrics']['experts/best/top1'] += 2
    text = render_table({'ecl/r': runs, 'ce/r': [make_record()]}, 'configs/ecl')
    head, row = (next(line for line in text.splitlines() if mark in line) for mark in ('| ensemble', '62.23 ± 1.41'))
    assert 'agreement many' in head and 'diversity medium' in head
    assert row.startswith('| [ecl/r](r.py) |') and '71.3 ± 0.0' in row and '0.124 ± 0.000' in row
    assert text.count('| ensemble') == 1 and 'ce/r' not in text[text.index('| ensemble') :]


def test_the_summary_and_runs_without_experts_have_no_such_table(make_record):
    assert 'ensemble' not in render_table({'ecl/r': [with_experts(make_record())]})
    assert 'ensemble' not in render_table({'ce/r': [make_record()]}, 'configs/ce')
