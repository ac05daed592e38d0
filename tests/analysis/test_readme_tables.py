"""The READMEs of this repository: no figure in their tables without a stored result or a named source."""

from pathlib import Path

from mmlt.analysis.evidence import RUNS, SOURCES, read_published
from mmlt.analysis.stored_results import check, expected_readmes
from mmlt.apis.grid import read_runs
from mmlt.engine import stages

ROOT = Path(__file__).resolve().parents[2]


def test_tables_say_what_the_stored_results_say():
    for path, text in expected_readmes(ROOT).items():
        assert path.read_text(encoding='utf-8') == text, f'{path}: run python tools/results_table.py'


def test_no_figure_lacks_a_source():
    check(ROOT)


def test_published_figures_of_the_tables_are_of_their_recipe_and_stand_with_their_source():
    recipe, others = (ROOT / SOURCES).read_text(encoding='utf-8').split('## ResNet-32, other recipes')
    for config, figures in read_published(ROOT).items():
        assert (ROOT / 'configs' / f'{config}.py').is_file(), config
        part = others if config.startswith('dive/') else recipe  # whose config has the schedule named there
        for figure in figures:
            assert any(f'| {figure:.2f} |' in line for line in part.splitlines() if line.startswith('| ')), (config, figure)


def test_the_list_of_runs_can_be_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where no CIFAR is: the list is right or wrong without it
    monkeypatch.setattr(stages, 'complete_model', lambda cfg, num_classes: None)  # a teacher of some classes asks it for them
    planned = read_runs(ROOT / RUNS)
    assert len(planned) == len({run.title for run in planned}) >= 20
    assert all(run.stage.cfg.precision == ('bf16' if run.stage.name.endswith('_30e') else 'fp32') for run in planned)
