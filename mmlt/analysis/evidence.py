"""What stands beside our own figures: the published ones of the same recipe, and the runs that are still owed."""

import json
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlt.analysis.rows import ABSENT, Row
from mmlt.config.run_list import read_run_list
from mmlt.errors import UserError

PUBLISHED = Path('configs', 'published.json')
RUNS = Path('configs', 'runs.txt')
SOURCES = 'docs/published.md'  # where each figure stands with its source


def read_published(root: str | Path) -> dict[str, list[float]]:
    """Top-1 accuracy in percent that others report for the recipe of a config, by config; empty where there is no such file.

    Raises:
        UserError: the file is no JSON object of lists of numbers in [0, 100].
    """
    path = Path(root) / PUBLISHED
    if not path.is_file():
        return {}
    try:
        published = json.loads(path.read_text(encoding='utf-8'))
        figures = [figure for several in published.values() for figure in several]
        valid = all(type(figure) in (int, float) and 0 <= figure <= 100 for figure in figures)
    except (ValueError, AttributeError, TypeError):
        valid = False
    if not valid:
        raise UserError(f'{path} must be a JSON object: config -> list of top-1 accuracies in percent.')
    return published


def published_columns(row: Row, published: Mapping[str, Sequence[float]]) -> list[str]:
    """The published figures of a line's recipe, and how far our mean is from each; a correction or an override has none."""
    first = row.records[0]
    figures = published.get(row.config, ())
    ours = row.figure('accuracy/top1', 2).split(' ')[0]
    if not figures or ours == ABSENT or first['overrides'] or first.get('adjustment') or first.get('aggregation'):
        return [ABSENT, ABSENT]
    return [', '.join(f'{figure:.2f}' for figure in figures), ', '.join(f'{float(ours) - figure:+.2f}' for figure in figures)]


def owed_runs(root: str | Path, stored: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[str, list[int]]]:
    """The runs of `configs/runs.txt` that are not stored: config, as stored results name it, and seeds; in the file's order.

    Raises:
        UserError: the file has a line that names no run, or a config that is not there.
    """
    root, owed = Path(root), []
    if not (root / RUNS).is_file():
        return owed
    for line in read_run_list(root / RUNS):
        if not (root / 'configs' / line.config).is_file():
            raise UserError(f'{line.place}: there is no configs/{line.config}.')
        config = line.config.removesuffix('.py')
        there = {
            record['seed']
            for record in stored.get(config, ())
            if not (record.get('adjustment') or record.get('aggregation')) and line.precision in (None, record['precision'])
        }
        if missing := [seed for seed in line.seeds if seed not in there]:
            owed.append((config, missing))
    return owed


def render_owed(owed: Sequence[tuple[str, Sequence[int]]], folder: str) -> str:
    """The list of them in Markdown, the configs linked as seen from `folder`."""
    if not owed:
        return 'Every run is there.'
    return '\n'.join(
        f'- [{config}]({posixpath.relpath(f"configs/{config}.py", folder)}), seed{"s" if len(seeds) > 1 else ""} '
        + ', '.join(map(str, seeds))
        for config, seeds in owed
    )
