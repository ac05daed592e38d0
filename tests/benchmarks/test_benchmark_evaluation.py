"""The benchmark of the evaluation: both legs compute the same, and its record is one of the tool's."""

import json
from pathlib import Path

from commands import ROOT, call

from benchmarks import evaluation
from mmlt.apis.output import is_benchmark


def test_both_legs_are_measured_and_agree(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, 'CLASSES', (10,))
    file = tmp_path / 'evaluation.json'
    done = call('benchmark', '--cases', 'evaluation', '--pairs', '1', '--threads', '1', '--json', file)
    assert done.code == 0, done
    (record,) = json.loads(file.read_text())
    (one,) = record['measured']
    assert is_benchmark(Path(file)) and one['classes'] == 10 and one['spread'] == [one['ratio']] * 2
    assert 0 < one['without_bootstrap'] < 20 and set(one['seconds']) == set(evaluation.PARTS)
    assert 'libraries' in done.out
    shown = call('benchmark', '--show', file).out
    assert f'| 10 | {one["seconds"]["collect"]:.3f} |' in shown and 'processor seconds' in shown
    done = call('benchmark', '--cases', 'evaluation', 'same')
    assert done.code == 1 and 'stands alone' in done.err


def test_the_page_shows_the_record_that_is_kept():
    shown = call('benchmark', '--show', ROOT / 'docs/benchmarks/evaluation_1thread.json').out
    assert shown in (ROOT / 'docs/evaluation.md').read_text()
