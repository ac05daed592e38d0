"""Who is compared with whom: runs of one config are one contestant, contestants of one recipe are a match."""

import posixpath
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmlt.analysis.report.metrics import Metric, known_metrics
from mmlt.analysis.rows import ABSENT, EARLIER, Recipe, Row, rows_by_recipe
from mmlt.analysis.run_files import RunFiles
from mmlt.errors import UserError

FURTHER = ('precision/', 'recall/', 'f1/', 'prior/', 'experts/')  # figures that a comparison leaves to the reports


@dataclass
class Contestant:
    """The runs of one config, a seed each.

    Args:
        label: a short name that no other contestant has.
        row: the line of the results tables that they are.
        runs: the runs, by seed.
    """

    label: str
    row: Row
    runs: list[RunFiles]

    def values(self, key: str) -> list[float]:
        """A metric of each run; empty where one lacks it."""
        found = [run.metric(key) for run in self.runs]
        return [] if None in found else found

    def figure(self, metric: Metric) -> str:
        """Mean, and the sample deviation of two runs or more, in words."""
        values = self.values(metric.key)
        if not values:
            return '-'
        mean = metric.show(statistics.fmean(values))
        return mean if len(values) == 1 else f'{mean} ± {metric.show(statistics.stdev(values))}'

    def per_class(self, key: str) -> np.ndarray | None:
        """A measure of each class, the mean over the runs (K,); None where one lacks it."""
        found = [run.per_class(key) for run in self.runs]
        return None if any(one is None for one in found) else np.mean(found, axis=0)

    @property
    def seeds(self) -> str:
        """The seeds in words."""
        return ', '.join(ABSENT if run.record['seed'] is None else str(run.record['seed']) for run in self.runs)


@dataclass
class Match:
    """Contestants that were trained on the same data for as long, and evaluated on the same images.

    Args:
        recipe: what they share.
        contestants: in the order in which they were named; the first is what the others are held against.
    """

    recipe: Recipe
    contestants: list[Contestant]

    @property
    def cautions(self) -> list[str]:
        """What a reader of the figures must know, in words."""
        return [EARLIER] if any(one.row.earlier for one in self.contestants) else []

    @property
    def metrics(self) -> list[Metric]:
        """What at least one contestant has a figure of, in the order of the reports."""
        found = {metric.key: metric for one in self.contestants for run in one.runs for metric in known_metrics(run)}
        ordered = [metric for metric in known_metrics(self.contestants[0].runs[0]) if metric.key in found]
        ordered += [metric for key, metric in found.items() if metric not in ordered]
        own = [metric for metric in ordered if not metric.key.startswith(FURTHER)]
        return [metric for metric in own if any(one.values(metric.key) for one in self.contestants)]


def matches(runs: Sequence[RunFiles]) -> list[Match]:
    """Sort runs into matches.

    Args:
        runs: in the order in which they were named, each once.

    Raises:
        UserError: there is none, or one is there twice.
    """
    if not runs:
        raise UserError('there is no run to compare: name the folders of finished runs.')
    paths = [run.path.resolve() for run in runs]
    for path in paths:
        if paths.count(path) > 1:
            raise UserError(f'{path} is named twice: name each run once.')
    of_record = {id(run.record): run for run in runs}
    place = {id(run.record): n for n, run in enumerate(runs)}
    # The last epochs are compared; an evaluation of a checkpoint has no best one.
    together: dict[Recipe, list[Row]] = {}
    for recipe, rows in rows_by_recipe([run.record for run in runs]).items():
        together.setdefault(recipe.unchosen, []).extend(rows)
    found = []
    for recipe, rows in together.items():
        rows = sorted(rows, key=lambda row: min(place[id(record)] for record in row.records))
        members = [[of_record[id(record)] for record in row.records] for row in rows]
        found.append(Match(recipe, [Contestant(*one) for one in zip(_labels(rows, members), rows, members, strict=True)]))
    return sorted(found, key=lambda match: min(place[id(run.record)] for one in match.contestants for run in one.runs))


def _labels(rows: Sequence[Row], members: Sequence[Sequence[RunFiles]]) -> list[str]:
    """Short names: without what all configs end in, with the folder where configs are the same."""
    names = [posixpath.basename(row.config) for row in rows]
    alike = len(set(names)) == 1 and all('/' in row.config for row in rows)
    labels = []
    for row in rows:
        adjusted = row.records[0].get('adjustment')
        words = f' {adjusted["adjust"]}' if adjusted else ''
        words += ' aggregation' if row.records[0].get('aggregation') else ''
        config = posixpath.dirname(row.config) if alike else row.config
        labels.append(config + row.changes + words + row.evaluated)
    return [
        f'{label} ({own[0].path})' if labels.count(label) > 1 else label
        for label, own in zip(labels, members, strict=True)
    ]
