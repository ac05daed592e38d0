"""A run's page from the command line: left by a run, written anew, and no reason for a run to fail."""

import re

import pytest

CE = 'configs/ce/resnet8_digitslt.py'
SHORT = ('--cfg-options', 'train_cfg.max_epochs=2', 'param_scheduler.0.milestones=[1]')


@pytest.fixture
def trained(call, tmp_path):
    """A short run: what it said, and its folder."""
    code, out, err = call('train', CE, *SHORT)
    assert code == 0, err
    (folder,) = tmp_path.glob('work_dirs/ce/*/seed0')
    return out, folder


def test_a_run_leaves_its_page_and_it_is_written_anew(trained, call, tmp_path):
    out, folder = trained
    page = folder / 'report.html'
    assert f'all of it on a page: {page.relative_to(tmp_path)}' in out
    text = page.read_text()
    assert 'With param_scheduler.0.milestones=[1], train_cfg.max_epochs=2.' in text
    assert text.count('<img ') > 20, 'the mistakes of a poor model, as pictures'
    page.unlink()
    code, out, err = call('report', folder)
    assert code == 0 and str(page) in out, err
    assert page.read_text() == text

    code, out, err = call('test', CE, folder / 'epoch_2.pth', '--out', 'again/results.json')
    assert code == 0 and 'all of it on a page: again/report.html' in out, err
    assert (tmp_path / 'again/report.html').read_text().count('<img ') == text.count('<img ')

    code, out, err = call('compare', folder, 'again', '--out', 'side_by_side', '--format', 'markdown')
    assert code == 0 and re.search(r'\| top-1 \| \+0\.00 \| \+0\.00 to \+0\.00 \|', out), err
    assert (tmp_path / 'side_by_side/comparison.html').is_file()


def test_a_page_that_cannot_be_written_is_no_reason_to_fail(call, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError('a mistake of ours')

    monkeypatch.setattr('mmlt.apis.report.write_report', broken)
    code, out, err = call('train', CE, *SHORT)
    (folder,) = tmp_path.glob('work_dirs/ce/*/seed0')
    assert code == 0 and (folder / 'results.json').is_file() and not (folder / 'report.html').exists()
    assert 'report.html could not be written (ZeroDivisionError: a mistake of ours)' in out and 'on a page' not in out, err
