"""`report.html`: a finished run on one page that needs nothing but itself."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from mmlt.analysis.plots import per_class_png
from mmlt.analysis.results import PER_CLASS_FILE, read_per_class_csv, read_results
from mmlt.analysis.rows import ABSENT, GROUPS, IOU_TYPES, PRECISIONS, format_duration
from mmlt.files import atomic_write

REPORT_FILE = 'report.html'
# Of images with several labels, each for all classes and by shot group.
MULTI_LABEL = (('mAP', 'mean average precision'), ('AUROC', 'area under the ROC curve'), ('F1', 'macro F1'))
# Metric, its name with unit, and the digits shown.
METRICS = (
    ('accuracy/top1', 'top-1 accuracy (%)', 2),
    ('accuracy/mean_class', 'mean class accuracy (%)', 2),
    *((f'accuracy/{name}', f'{name}-shot accuracy (%)', 2) for name in GROUPS),
    *(
        (f'{key}/{group}' if group else key, f'{name}, {group}-shot (%)' if group else f'{name} (%)', 2)
        for key, name in MULTI_LABEL
        for group in ('', *GROUPS)
    ),
    ('calibration/ece', 'expected calibration error (0 to 1)', 4),
    ('nll', 'negative log-likelihood (nats)', 4),
    *((f'{kind}/{name}', f'{word} {name} (%)', 2) for kind, word in IOU_TYPES.items() for name in PRECISIONS),
)

NOTE = {
    'test': 'The best epoch was chosen on the test set, so its figures are optimistic; the last epoch was not chosen.',
    'holdout': 'The best epoch was chosen on a holdout of the training set; the test set had no say in it.',
}
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2329; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.note { color: #4a525b; }
table { border-collapse: collapse; }
th, td { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #e1e4e8; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
img { width: 100%; height: auto; }
"""


def write_report(folder: str | Path) -> Path:
    """Write `report.html` into a finished run's folder, from its `results.json` and, if there, `per_class.csv`.

    Args:
        folder: the run's folder.

    Returns:
        The page: one file, with the picture inside and no link to anywhere.

    Raises:
        UserError: there is no `results.json`, or one of the two files is not valid.
    """
    folder = Path(folder)
    record = read_results(folder)
    per_class = folder / PER_CLASS_FILE  # only ShotGroupMetric leaves one
    rows = read_per_class_csv(per_class) if per_class.exists() else []
    return atomic_write(folder / REPORT_FILE, report_html(record, rows))


def report_html(record: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """The page as text.

    Args:
        record: from :func:`mmlt.analysis.results.read_results`.
        rows: from :func:`mmlt.analysis.results.read_per_class_csv`; if empty, the page has no part about classes.
    """
    title = f'{record["config"]}, seed {record["seed"]}'
    state = '' if record['finished'] else '<p class="note"><strong>This run is not finished.</strong></p>'
    by_class = (
        [
            f'<h2>{measure(record).capitalize()} by class</h2>',
            _picture(record, rows),
            '<h2>Shot groups</h2>',
            _shot_groups(record, rows),
        ]
        if rows
        else []
    )
    return '\n'.join(
        [
            '<!DOCTYPE html>',
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<style>{STYLE}</style></head><body>',
            f'<h1>{escape(title)}</h1>',
            f'<p class="note">{escape(_subtitle(record))}</p>',
            state,
            '<h2>Metrics</h2>',
            _metrics(record),
            f'<p class="note">{escape(NOTE.get(record["best"]["selected_on"], ""))}</p>',
            *by_class,
            '<h2>Data</h2>',
            _pairs(record['data']),
            '<h2>Run</h2>',
            _pairs(_run(record)),
            *(['<h2>Classes</h2>', _classes(rows, measure(record))] if rows else []),
            '</body></html>',
            '',
        ]
    )


def measure(record: dict[str, Any]) -> str:
    """What stands beside each class: its accuracy, or of a detector its average precision."""
    kinds = [word for kind, word in IOU_TYPES.items() if f'{kind}/AP' in record['last']['metrics']]
    return f'{kinds[-1]} AP' if kinds else 'accuracy'


def _subtitle(record: dict[str, Any]) -> str:
    parts = [record['data']['dataset'], record['precision'], record['device']]
    if record['wall_seconds'] is not None:
        parts.append(format_duration(record['wall_seconds']))
    return ', '.join(parts)


def _metrics(record: dict[str, Any]) -> str:
    def heading(which: str) -> str:
        epoch = record[which]['epoch']
        by = record[which].get('selected_by', 'accuracy/top1')
        return f'{which}' if epoch is None else f'{which} (epoch {epoch}{"" if by == "accuracy/top1" else f", by {by}"})'

    chosen = record['best']['selected_on'] is not None
    kinds = ('last', 'best') if chosen else ('last',)
    lines = []
    for key, name, digits in METRICS:
        values = [record[which]['metrics'].get(key) for which in kinds]
        if any(value is not None for value in values):
            lines.append([name, *(ABSENT if value is None else f'{value:.{digits}f}' for value in values)])
    return _table(['metric', *map(heading, kinds)], lines, numeric_from=1)


def _picture(record: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    groups = {name: [row['class'] for row in rows if row['group'] == name] for name in GROUPS}
    counts, accuracies = [row['train_images'] for row in rows], [row['accuracy'] for row in rows]
    png = per_class_png({record['config']: (counts, accuracies)}, groups, measure(record))
    content = base64.b64encode(png).decode()
    text = f'{measure(record).capitalize()} of each class over its number of training images'
    return f'<img alt="{text}" src="data:image/png;base64,{content}">'


def _shot_groups(record: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    from mmlt.priors import CONVENTIONS

    convention = record['shot_groups']['convention']
    lines = []
    for name in GROUPS:
        ids = [row['class'] for row in rows if row['group'] == name]
        lines.append([name, str(record['shot_groups'][name]), _ranges(ids) or ABSENT])
    rule = CONVENTIONS.get(convention, '')
    text = f'Convention {convention}' + (f': {rule}.' if rule else '.') + ' Counted in the training set.'
    return f'<p class="note">{escape(text)}</p>' + _table(['group', 'classes', 'which'], lines)


def _run(record: dict[str, Any]) -> dict[str, Any]:
    run = {key: record[key] for key in ('config', 'config_hash', 'seed', 'precision', 'device', 'images_per_s')}
    run |= {f'override {name}': value for name, value in sorted(record['overrides'].items())}
    for name, teacher in sorted(record['prerequisites'].items()):
        run[name] = f'{teacher["run"]}, SHA-256 {teacher["checkpoint_sha256"]}'
    epochs = record['evaluated_epochs']
    run['evaluated epochs'] = _ranges(epochs)
    return run | {f'{name} version': version for name, version in sorted(record['versions'].items())}


def _classes(rows: Sequence[dict[str, Any]], what: str) -> str:
    lines = [
        [
            str(row['class']),
            row['name'],
            row['group'],
            str(row['train_images']),
            str(row['test_images']),
            ABSENT if row['accuracy'] is None else f'{row["accuracy"]:.2f}',
        ]
        for row in sorted(rows, key=lambda row: (-row['train_images'], row['class']))
    ]
    headings = ['class', 'name', 'group', 'training images', 'test images', f'{what}, last epoch (%)']
    return _table(headings, lines, numeric_from=3)


def _pairs(values: dict[str, Any]) -> str:
    return _table(
        [],
        [
            [name, ABSENT if value is None else f'{value:.6g}' if isinstance(value, float) else str(value)]
            for name, value in values.items()
        ],
    )


def _table(headings: Sequence[str], lines: Iterable[Sequence[str]], numeric_from: int | None = None) -> str:
    """An HTML table with everything escaped; columns from `numeric_from` on hold numbers."""

    def cells(tag: str, values: Sequence[str]) -> str:
        kinds = (
            ' class="number"' if numeric_from is not None and place >= numeric_from else ''
            for place in range(len(values))
        )
        return ''.join(f'<{tag}{kind}>{escape(value)}</{tag}>' for kind, value in zip(kinds, values, strict=True))

    head = f'<thead><tr>{cells("th", headings)}</tr></thead>' if headings else ''
    body = '\n'.join(f'<tr>{cells("td", line)}</tr>' for line in lines)
    return f'<table>{head}<tbody>\n{body}\n</tbody></table>'


def _ranges(numbers: Sequence[int]) -> str:
    """Whole numbers as ranges: `0 to 34, 40`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ', '.join(str(first) if first == last else f'{first} to {last}' for first, last in runs)
