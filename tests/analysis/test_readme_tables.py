"""The READMEs of this repository: no figure in their tables without a stored result or a named source."""

from pathlib import Path

from mmlt.analysis.stored_results import check, expected_readmes

ROOT = Path(__file__).resolve().parents[2]


def test_tables_say_what_the_stored_results_say():
    for path, text in expected_readmes(ROOT).items():
        assert path.read_text(encoding='utf-8') == text, f'{path}: run python tools/results_table.py'


def test_no_figure_lacks_a_source():
    check(ROOT)
