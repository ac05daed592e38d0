"""What few readers open and everybody may need: every class, the data, the settings, the hashes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmlt.analysis.pages import Html, folded, join, note, table, tag
from mmlt.analysis.rows import ABSENT, GROUPS, IOU_TYPES, format_duration
from mmlt.analysis.run_files import RunFiles
from mmlt.priors import CONVENTIONS

COLUMNS = (('recall', 'accuracy'), ('precision', 'precision'), ('f1', 'F1'), ('AP', 'AP'), ('AUROC', 'AUROC'), ('F1', 'F1'))


def subtitle(run: RunFiles) -> str:
    """The line below the title: data, size, epochs, device, time."""
    record = run.record
    data = record['data']
    parts = [data['dataset'], f'{data["num_images"]:,} training images']
    if len(run.counts):
        parts.append(f'{len(run.counts)} classes')
    if record.get('epochs'):
        parts.append(f'{record["epochs"]} epochs')
    parts += [record['precision'], record['device']]
    if record['wall_seconds'] is not None:
        parts.append(format_duration(record['wall_seconds']))
    return ', '.join(parts)


def measure(record: dict[str, Any]) -> str:
    """What stands beside each class: its accuracy, or of a detector its average precision."""
    kinds = [word for kind, word in IOU_TYPES.items() if f'{kind}/AP' in record['last']['metrics']]
    return f'{kinds[-1]} AP' if kinds else 'accuracy'


def frequency_title(record: dict[str, Any]) -> str:
    """The heading of the plot of classes."""
    what = measure(record)
    return f'{what[0].upper()}{what[1:]} against class frequency'


def details(run: RunFiles) -> Html:
    """The folded parts."""
    record = run.record
    return join(
        folded(f'All {len(run.counts)} classes', class_table(run)) if len(run.counts) else None,
        folded('Shot groups', _shot_groups(run)) if run.groups and record['shot_groups'] else None,
        folded('Training data', _pairs(record['data'])),
        *([folded('Test data', _pairs(record['test_data']))] if 'test_data' in record else []),
        folded('Settings and versions', _pairs(_settings(record))),
        folded('Hashes and files', _pairs(_hashes(record))),
    )


def class_table(run: RunFiles) -> Html:
    """Every class, from the most to the fewest training images."""
    group_of = {c: name for name, ids in run.groups.items() for c in ids}
    found = [(name, run.per_class(key)) for key, name in COLUMNS]
    found = [(name if name != 'accuracy' else measure(run.record), own) for name, own in found if own is not None]
    tests = run.per_class('test_images')
    if tests is None:
        tests = np.array([row['test_images'] for row in run.rows or run.by_label], dtype=float)
    lines = []
    for c in np.argsort(-run.counts, kind='stable').tolist():
        figures = [ABSENT if np.isnan(own[c]) else f'{own[c]:.2f}' for _, own in found]
        tested = f'{int(tests[c]):,}' if len(tests) and not np.isnan(tests[c]) else ABSENT
        lines.append([str(c), run.classes[c], group_of.get(c, ''), f'{run.counts[c]:,}', tested, *figures])
    headings = ['class', 'name', 'group', 'training images', 'test images', *(f'{name} (%)' for name, _ in found)]
    return table(headings, lines, (0, *range(3, len(headings))), tall=len(lines) > 30, label='all classes')


def _shot_groups(run: RunFiles) -> Html:
    convention = run.record['shot_groups']['convention']
    rule = CONVENTIONS.get(convention, '')
    text = f'Convention {convention}' + (f': {rule}.' if rule else '.') + ' Counted in the training set.'
    lines = []
    for name in GROUPS:
        ids = run.groups.get(name, [])
        images = f'{run.counts[ids].sum():,}' if ids else ABSENT
        lines.append([name, str(len(ids)), images, ranges(ids) or ABSENT])
    return join(note(text), table(['group', 'classes', 'training images', 'which'], lines, (1, 2), label='shot groups'))


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    settings = {key: record.get(key) for key in ('config', 'seed', 'precision', 'device', 'world_size', 'images_per_s')}
    settings |= {f'override {name}': value for name, value in sorted(record['overrides'].items())}
    for key in ('adjustment', 'aggregation'):
        if record.get(key):
            settings |= {f'{key}: {name}': value for name, value in record[key].items()}
    settings['evaluated epochs'] = ranges(record['evaluated_epochs'])
    return settings | {f'{name} version': version for name, version in sorted(record['versions'].items())}


def _hashes(record: dict[str, Any]) -> dict[str, Any]:
    found = {'config': record['config_hash']}
    if 'checkpoint' in record:
        found[f'checkpoint {record["checkpoint"]["file"]}, SHA-256'] = record['checkpoint']['sha256']
    for name, needed in sorted(record['prerequisites'].items()):
        found[f'{name} in {needed["run"]}, SHA-256'] = needed['checkpoint_sha256']
    return found


def _pairs(values: dict[str, Any]) -> Html:
    def cell(value: Any) -> Any:
        if isinstance(value, str) and len(value) >= 32:
            return tag('code', value)
        return ABSENT if value is None else f'{value:.6g}' if isinstance(value, float) else str(value)

    return table([], [[name.replace('_', ' '), cell(value)] for name, value in values.items()])


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers as ranges: `0 to 34, 40`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ', '.join(str(first) if first == last else f'{first} to {last}' for first, last in runs)
