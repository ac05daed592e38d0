"""Several experts on the embedded digits, from the command line."""

import json

import pytest

pytestmark = pytest.mark.slow
ECL = 'configs/ecl/resnet8_digitslt.py'


@pytest.mark.real_data
def test_ecl_whole_puts_every_expert_into_the_results(run):
    run('train.py', ECL)
    metrics = run.results('ecl/resnet8_digitslt/seed0')['last']['metrics']
    assert metrics['accuracy/top1'] > 80
    experts = [metrics[f'experts/{number}/top1'] for number in (1, 2, 3)]
    assert metrics['experts/best/top1'] == max(experts) and min(experts) > 60
    assert metrics['accuracy/top1'] >= sum(experts) / 3  # an ensemble is no worse than its members on average
    for group in ('many', 'medium', 'few'):
        assert 50 < metrics[f'experts/agreement/{group}'] <= 100
        assert 0 < metrics[f'experts/diversity/{group}'] < 1
    checkpoint = run.folder / 'work_dirs/ecl/resnet8_digitslt/seed0/epoch_60.pth'
    out, _ = run('test.py', ECL, checkpoint, '--out', 'out.json')
    assert 'experts/best/top1' in out
    tested = json.loads((run.folder / 'out.json').read_text())
    assert tested['metrics'] == pytest.approx(metrics, abs=1e-4)
