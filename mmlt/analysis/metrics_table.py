"""The metrics of one evaluation, for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from mmlt.analysis.rows import PERCENT


def metrics_table(record: Mapping[str, Any]) -> Table:
    """A table of what `mmlt.apis.test.test` gives: overall figures, then accuracy by class where there are few.

    Args:
        record: `config`, `checkpoint`, `test_data`, `precision`, `metrics`, `shot_groups`, `per_class`.
    """
    groups = record['shot_groups']
    table = Table(
        title=f'{record["config"]} on {record["test_data"]["dataset"]}, {record["test_data"]["num_images"]:,} images, '
        f'{record["precision"]}',
        caption=f'shot groups {groups["convention"]}: {groups["many"]} many, {groups["medium"]} medium, '
        f'{groups["few"]} few; ECE is a fraction, NLL in nats' if groups else None,
    )
    table.add_column('metric')
    table.add_column('value', justify='right')
    for name, value in record['metrics'].items():
        percent = name.startswith((*PERCENT, 'experts/')) and not name.startswith('experts/diversity')
        table.add_row(name, f'{value:.2f}' if percent else f'{value:.4f}')
    if len(record['per_class']) <= 20:
        table.add_section()
        for row in record['per_class']:
            if row['accuracy'] is not None:
                table.add_row(f'{row["name"]} ({row["train_images"]})', f'{row["accuracy"]:.2f}')
    return table
