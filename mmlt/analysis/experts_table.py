"""A table of several experts beside their ensemble, for the README of a method."""

import posixpath
from collections.abc import Sequence

from mmlt.analysis.rows import GROUPS, Recipe, Row

# Heading, metric of `ExpertMetric`, digits; by group where the heading has a place for it.
OVERALL = (
    ('ensemble', 'accuracy/top1', 2),
    ('best single expert, chosen on the test set', 'experts/best/top1', 2),
)
BY_GROUP = (('agreement {}', 'experts/agreement/{}', 1), ('diversity {}', 'experts/diversity/{}', 3))


def experts_table(recipe: Recipe, rows: Sequence[Row], folder: str) -> str | None:
    """Markdown of what each run's experts do, or None where no run has several.

    Args:
        recipe: of all rows.
        rows: the runs; those without experts are left out.
        folder: folder, from the repository's root, of the file that the text shall stand in.
    """
    rows = [row for row in rows if 'experts/best/top1' in row.records[0]['last']['metrics']]
    if not rows:
        return None
    groups = [name for name, size in zip(GROUPS, recipe.group_sizes, strict=True) if size]
    columns = [*OVERALL, *((head.format(g), key.format(g), digits) for head, key, digits in BY_GROUP for g in groups)]
    lines = [['config', *(heading for heading, _, _ in columns)], ['---'] + ['---:'] * len(columns)]
    for row in rows:
        target = posixpath.relpath(f'configs/{row.config}.py', folder)
        lines.append([f'[{row.label}]({target})', *(row.figure(key, digits) for _, key, digits in columns)])
    table = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
    return (
        f'{table}\n\nThe experts of these runs: agreement is the share of pairs of experts that predict the same class, in '
        "percent; diversity is the mean divergence KL of an expert from the experts' mean, in nats."
    )
