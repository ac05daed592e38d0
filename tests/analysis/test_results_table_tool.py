"""tools/results_table.py on a small repository of its own, and the functions behind it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call

from mmlt.analysis.results import write_results
from mmlt.analysis.stored_results import check, collect, config_of, expected_readmes, load_stored, rewrite
from mmlt.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = '<!-- results:begin -->\n<!-- results:end -->'
SUMMARY = '<!-- results-summary:begin -->\n<!-- results-summary:end -->'


@pytest.fixture
def root(tmp_path):
    """A repository with the configs of two methods and READMEs whose tables are not filled in yet."""
    for method in ('ce', 'bkd'):
        folder = tmp_path / 'repository' / 'configs' / method
        folder.mkdir(parents=True)
        (folder / 'resnet8_digitslt.py').write_text('')
        (folder / 'README.md').write_text(f'# {method}\n\n{BLOCK}\n\nMore text.\n')
    (tmp_path / 'repository' / 'README.md').write_text(f'# Top\n\n{SUMMARY}\n')
    return tmp_path / 'repository'


def run_tool(root, *arguments):
    (root / 'tools').mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / 'tools' / 'results_table.py', root / 'tools')
    return call(root / 'tools/results_table.py', *arguments)


def test_collect_rewrite_and_check_by_the_command_line(root, tmp_path, make_record):
    work_dirs = tmp_path / 'work_dirs'
    for seed in (0, 1):
        write_results(work_dirs / f'ce/resnet8_digitslt/seed{seed}', make_record(seed=seed))
    write_results(work_dirs / 'ce/resnet8_digitslt/seed2', make_record(seed=2, finished=False))
    done = run_tool(root, '--collect', work_dirs)
    assert done.code == 0, done.err
    assert 'seed2/results.json is left out: the run is not finished' in done.out
    stored = sorted(path.name for path in (root / 'configs/ce/results').iterdir())
    assert stored == ['resnet8_digitslt_seed0.json', 'resnet8_digitslt_seed1.json']
    text = (root / 'configs/ce/README.md').read_text()
    links = ', '.join(f'[{seed}](results/resnet8_digitslt_seed{seed}.json)' for seed in (0, 1))
    assert f'| 2 ({links}) | 60.00 ± 0.00 |' in text and text.startswith('# ce\n') and text.endswith('-->\n\nMore text.\n')
    assert 'No finished run is stored yet.' in (root / 'configs/bkd/README.md').read_text()
    assert '(configs/ce/resnet8_digitslt.py)' in (root / 'README.md').read_text()

    assert run_tool(root, '--check').code == 0
    (root / 'configs/ce/README.md').write_text(text.replace('60.00', '66.00'))
    stale = run_tool(root, '--check')
    assert stale.code == 1
    assert stale.err == (
        'error: configs/ce/README.md is out of date with the stored results: run python tools/results_table.py.\n'
    )
    assert run_tool(root).out == 'rewrote configs/ce/README.md\n'
    assert (root / 'configs/ce/README.md').read_text() == text
    assert run_tool(root).out == 'no table has changed.\n'


def test_help_answers_at_once():
    tool = str(Path(__file__).resolve().parents[2] / 'tools' / 'results_table.py')
    done = subprocess.run([sys.executable, '-X', 'importtime', tool, '--help'], capture_output=True, text=True)
    assert done.returncode == 0 and '--collect' in done.stdout
    assert '| torch\n' not in done.stderr and '| rich\n' not in done.stderr, 'heavy imports wait for the arguments'


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'finished': False}, 'not finished'),
        ({'seed': None}, 'no seed'),
        ({'overrides': {'optim_wrapper.optimizer.lr': '1'}}, 'overrides its config'),
        ({'config': 'ce/unknown'}, 'there is no configs/ce/unknown.py'),
        ({'config': 'elsewhere'}, 'there is no configs/elsewhere.py'),
    ],
)
def test_what_backs_no_config_is_left_out(root, tmp_path, make_record, change, reason):
    write_results(tmp_path / 'runs' / 'x', make_record(**change))
    written, skipped = collect(tmp_path / 'runs', root)
    assert written == [] and len(skipped) == 1 and reason in skipped[0]


@pytest.mark.parametrize('change', [
    {'config': 'configs/../../outside'},
    {'config': 'x/configs/..'},
    {'config': '/configs//tmp/x'},
    {'precision': '/../../../outside'},
    {'precision': 'x/y'},
    {'adjustment': {'adjust': '/../../../outside', 'value': 1}, 'evaluated_epochs': []},
])  # fmt: skip
def test_no_file_is_made_outside_by_what_a_record_says(root, tmp_path, make_record, change):
    record = make_record(**change, checkpoint={'file': 'epoch_30.pth', 'sha256': 'ab' * 32})
    write_results(tmp_path / 'runs' / 'honest', make_record(checkpoint={'file': 'epoch_30.pth', 'sha256': 'ab' * 32}))
    (tmp_path / 'runs' / 'other').mkdir()
    (tmp_path / 'runs' / 'other' / 'results.json').write_text(json.dumps(record))
    before = {path for path in tmp_path.rglob('*')}
    try:
        written, _ = collect(tmp_path / 'runs', root)
    except UserError as error:
        assert 'other/results.json' in str(error) and 'write it again' in str(error)
        written = []
    assert all(path.parent == root / 'configs/ce/results' for path in written)
    made = {path for path in tmp_path.rglob('*')} - before
    assert all(path.is_relative_to(root / 'configs/ce/results') for path in made), made


def test_runs_that_go_on_from_each_other_are_an_error(root, make_record):
    for seed, other in ((0, 1), (1, 0)):
        needs = {'backbone': {'run': 'x', 'checkpoint_sha256': f'{other}' * 64}}
        record = make_record(seed=seed, checkpoint={'file': 'epoch_30.pth', 'sha256': f'{seed}' * 64}, prerequisites=needs)
        path = write_results(root / 'configs/ce/results', record)
        path.rename(path.with_name(f'resnet8_digitslt_seed{seed}.json'))
    with pytest.raises(UserError, match='goes on from itself'):
        load_stored(root)


def test_overrides_that_decide_nothing_are_no_hindrance(root, tmp_path, make_record):
    write_results(tmp_path / 'runs', make_record(overrides={'train_dataloader.dataset.data_root': '/x'}))
    assert len(collect(tmp_path / 'runs', root)[0]) == 1


def test_other_precision_has_a_file_of_its_own(root, tmp_path, make_record):
    write_results(tmp_path / 'runs' / 'a', make_record())
    write_results(tmp_path / 'runs' / 'b', make_record(precision='bf16', config='configs/ce/resnet8_digitslt.py'))
    names = [path.name for path in collect(tmp_path / 'runs', root)[0]]
    assert names == ['resnet8_digitslt_seed0.json', 'resnet8_digitslt_bf16_seed0.json']
    assert len(load_stored(root)['ce/resnet8_digitslt']) == 2


def test_two_runs_of_one_name_are_an_error_unless_equal(root, tmp_path, make_record):
    for folder, seconds in (('a', 61.5), ('b', 61.5), ('c', 70.0)):
        if folder == 'c':
            assert len(collect(tmp_path / 'runs', root)[0]) == 1
        write_results(tmp_path / 'runs' / folder, make_record(wall_seconds=seconds))
    with pytest.raises(UserError, match='two runs of the same config, seed, precision and correction'):
        collect(tmp_path / 'runs', root)


def corrected(make_record, sha256='aa', **changes):
    """The record of an evaluation with a correction, as tools/test.py writes it."""
    record = make_record(best__selected_on=None, best__metrics={}, best__epoch=None, **changes)
    return record | dict(
        checkpoint=dict(file='epoch_60.pth', sha256=sha256),
        evaluated_epochs=[],
        prerequisites=dict(model=dict(run='work_dirs/ce', checkpoint_sha256=sha256)),
        adjustment=dict(adjust='tau_norm', value=1.0, found_on=None),
        per_class=[],
        metrics={},
    )


def test_a_correction_stands_beside_the_run_it_corrects(root, tmp_path, make_record):
    (tmp_path / 'runs').mkdir()
    (tmp_path / 'runs/results_any_name.json').write_text(json.dumps(corrected(make_record)))
    written, skipped = collect(tmp_path / 'runs', root)
    assert not written and 'not the last one of a run' in skipped[0]

    run = make_record() | dict(checkpoint=dict(file='epoch_60.pth', sha256='aa'))
    write_results(tmp_path / 'runs', run)
    names = [path.name for path in collect(tmp_path / 'runs', root)[0]]
    assert names == ['resnet8_digitslt_seed0.json', 'resnet8_digitslt_seed0_tau_norm.json']
    plain, row = load_stored(root)['ce/resnet8_digitslt']
    assert row['first'] == plain and 'per_class' not in row and 'metrics' not in row
    rewrite(root)
    check(root)
    lines = [line for line in (root / 'README.md').read_text().splitlines() if line[:1] == '|']
    assert len(lines) == 4 and lines[3].startswith('| [ce + tau-normalisation (post-hoc, tau = 1, not tuned)](')

    (root / 'configs/ce/results/resnet8_digitslt_seed0.json').unlink()
    with pytest.raises(UserError, match='not the last one of a run'):
        check(root)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (dict(sha256='bb'), 'not the last one of a run'),
        (dict(precision='bf16'), 'another config or precision'),
        (dict(finished=False), 'not finished'),
    ],
)
def test_a_correction_of_something_else_is_left_out(root, tmp_path, make_record, change, reason):
    write_results(tmp_path / 'runs', make_record() | dict(checkpoint=dict(file='epoch_60.pth', sha256='aa')))
    write_results(tmp_path / 'runs' / 'test', corrected(make_record, **change))
    written, skipped = collect(tmp_path / 'runs', root)
    assert len(written) == 1 and reason in skipped[0]


def test_an_evaluation_without_a_correction_is_left_out(root, tmp_path, make_record):
    record = corrected(make_record)
    del record['adjustment']
    write_results(tmp_path / 'runs', record)
    written, skipped = collect(tmp_path / 'runs', root)
    assert not written and 'without a correction' in skipped[0]


def test_missing_folder(root, tmp_path):
    with pytest.raises(UserError, match='there is no folder'):
        collect(tmp_path / 'nowhere', root)


def test_stored_result_must_be_in_its_place_and_have_its_config(root, make_record):
    path = write_results(root / 'configs/ce/results', make_record())
    with pytest.raises(UserError, match='its place is configs/ce/results/resnet8_digitslt_seed0.json'):
        load_stored(root)
    path.rename(path.with_name('resnet8_digitslt_seed0.json'))
    assert list(load_stored(root)) == ['ce/resnet8_digitslt']
    (root / 'configs/ce/resnet8_digitslt.py').unlink()
    with pytest.raises(UserError, match='there is no configs/ce/resnet8_digitslt.py'):
        check(root)


def test_results_need_a_readme_with_markers(root, tmp_path, make_record):
    readme = root / 'configs/ce/README.md'
    readme.write_text('# ce\n')
    assert readme not in expected_readmes(root)
    write_results(tmp_path / 'runs', make_record())
    collect(tmp_path / 'runs', root)
    with pytest.raises(UserError, match='has no place for them'):
        rewrite(root)
    readme.write_text('<!-- results:end -->\n<!-- results:begin -->\n')
    with pytest.raises(UserError, match='once each, in this order'):
        rewrite(root)
    readme.unlink()
    with pytest.raises(UserError, match='ce has stored results but no'):
        rewrite(root)


def test_figure_written_by_hand_is_found(root):
    rewrite(root)
    check(root)
    with open(root / 'README.md', 'a') as file:
        file.write('\n| method | accuracy |\n|---|---|\n| CE | 38.3 |\n')
    with pytest.raises(UserError, match='README.md has a figure that no stored result backs'):
        check(root)


def test_changed_result_makes_the_readme_stale(root, tmp_path, make_record):
    write_results(tmp_path / 'runs', make_record())
    (path,), _ = collect(tmp_path / 'runs', root)
    rewrite(root)
    check(root)
    record = json.loads(path.read_text())
    record['last']['metrics']['accuracy/top1'] = 59.0
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match='README.md are out of date'):
        check(root)


@pytest.mark.parametrize(
    'name',
    ['ce/x', 'ce/x.py', 'configs/ce/x.py', '/home/configs/repository/configs/ce/x.py', './configs/ce/x'],
)
def test_config_of(name):
    assert config_of(name) == 'ce/x'


OWED = '<!-- owed:begin -->\n<!-- owed:end -->'


@pytest.fixture
def queued(root):
    """The same repository with a page of results and a list of runs."""
    (root / 'docs').mkdir()
    (root / 'docs/results.md').write_text(f'# Results\n\n{SUMMARY}\n\n{OWED}\n')
    runs = '# one\nce/resnet8_digitslt.py --seeds 0 1\nbkd/resnet8_digitslt.py --precision fp32\n'
    (root / 'configs/runs.txt').write_text(runs)
    return root


def test_what_is_not_stored_is_owed_in_the_order_of_the_list(queued, tmp_path, make_record):
    rewrite(queued)
    text = (queued / 'docs/results.md').read_text()
    assert text.index('- [ce/resnet8_digitslt](../configs/ce/resnet8_digitslt.py), seeds 0, 1\n') < text.index('- [bkd/')
    write_results(tmp_path / 'a', make_record(seed=1))
    write_results(tmp_path / 'b', make_record(config='bkd/resnet8_digitslt', precision='bf16'))
    collect(tmp_path, queued)
    rewrite(queued)
    text = (queued / 'docs/results.md').read_text()
    assert '(../configs/ce/resnet8_digitslt.py), seed 0\n' in text
    assert '(../configs/bkd/resnet8_digitslt.py), seed 0\n' in text, 'a run in bf16 is not the one in fp32'
    check(queued)
    (queued / 'configs/runs.txt').write_text('ce/resnet8_digitslt.py --seeds 1\n')
    rewrite(queued)
    assert 'Every run is there.' in (queued / 'docs/results.md').read_text()


def test_a_list_of_runs_names_configs_that_are_there(queued):
    (queued / 'configs/runs.txt').write_text('\nce/resnet9.py\n')
    with pytest.raises(UserError, match=r'runs\.txt, line 2: there is no configs/ce/resnet9\.py'):
        rewrite(queued)


def test_published_figures_stand_beside_ours_with_the_difference(queued, tmp_path, make_record):
    (queued / 'configs/published.json').write_text('{"ce/resnet8_digitslt": [61.5, 58]}')
    write_results(tmp_path / 'a', make_record())
    collect(tmp_path, queued)
    rewrite(queued)
    for page, link in (('docs/results.md', 'published.md'), ('configs/ce/README.md', '../../docs/published.md')):
        table = [line for line in (queued / page).read_text().splitlines() if line.startswith('|')]
        heading, row = ([cell.strip() for cell in line.strip('|').split(' | ')] for line in (table[0], table[2]))
        place = heading.index(f'[published]({link}) top-1')
        assert row[place : place + 2] == ['61.50, 58.00', '-1.50, +2.00'] and heading[place + 1] == 'difference'
    (queued / 'configs/published.json').write_text('{"ce/resnet8_digitslt": [615]}')
    with pytest.raises(UserError, match='list of top-1 accuracies in percent'):
        rewrite(queued)
