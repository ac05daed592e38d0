"""The card of a published model: what it is, what it was trained on, how well it does and how to use it."""

from typing import Any

from mmlt.analysis.rows import PERCENT
from mmlt.priors import GROUPS

SHOWN = (
    *('accuracy/top1', 'accuracy/top5', 'accuracy/mean_class', 'accuracy/many', 'accuracy/medium', 'accuracy/few', 'f1/macro'),
    *(f'{key}{group}' for key in ('mAP', 'AUROC', 'F1') for group in ('', '/many', '/medium', '/few')),
    *('calibration/ece', 'nll'),
)  # fmt: skip
MOST_CLASSES = 200  # in the table


def model_card(facts: dict[str, Any]) -> str:
    """The card as Markdown.

    Args:
        facts: of `mmlt.apis.publish.publish`.
    """
    name = facts['config'] or facts['file']
    several = facts['task'] == 'multi_label'
    what = 'several labels an image' if several else 'one label an image'
    experts = f', {facts["experts"]} experts' if facts['experts'] else ''
    parts = [
        _front(),
        f'# {name}\n',
        f'A classifier of {len(facts["classes"]):,} classes, {what}: `{facts["method"]}`'
        + (f' with `{facts["loss"]}`' if facts['loss'] else '')
        + f' on `{facts["backbone"]}`{experts}, {facts["parameters"]:,} parameters. Trained with mmlt, a toolbox for '
        'long-tailed recognition.\n',
        _table('', _model(facts)),
        '## Results\n',
        _results(facts),
        '## Training data\n',
        _table('', _data(facts)),
        '## Use\n',
        _use(facts),
        '## Classes\n',
        _classes(facts),
        '## Licence\n',
        'LICENCE: say here under which terms the weights may be used. The terms of the training data, and of pretrained '
        'weights that training began with, bind you too.\n',
    ]
    return '\n'.join(parts)


def _front() -> str:
    return '---\nlibrary_name: mmlt\npipeline_tag: image-classification\nlicense: other\ntags:\n- long-tailed\n---\n'


def _cell(value: Any) -> str:
    return str(value).replace('\\', '\\\\').replace('|', '\\|').replace('\n', ' ').replace('<', '&lt;')


def _table(first: str, rows: list[tuple[Any, ...]], headings: tuple[str, ...] = ('',)) -> str:
    right = len(headings) > 1
    lines = [f'| {" | ".join((first, *headings))} |', f'| --- {"| ---: " * len(headings) if right else "| --- "}|']
    return '\n'.join([*lines, *(f'| {" | ".join(map(_cell, row))} |' for row in rows)]) + '\n'


def _model(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    size = facts['input']
    view = f'RGB, {size["height"]}x{size["width"]} pixels'
    if size['resize']:
        view += f' from the middle, the shorter side scaled to {size["resize"]}'
    rows = [
        ('file', f'`{facts["file"]}`, {facts["bytes"]:,} bytes'),
        ('SHA-256', f'`{facts["sha256"]}`'),
        ('config', f'`{facts["config"]}`' if facts['config'] else 'not known'),
        ('config hash', f'`{facts["config_hash"]}`' if facts['config_hash'] else 'not known'),
        ('seed', 'not known' if facts['seed'] is None else facts['seed']),
        ('input', view),
    ]
    if size['mean']:
        rows.append(('normalisation', f'mean {size["mean"]}, std {size["std"]}, of pixels from 0 to 1; done by mmlt'))
    return rows


def _results(facts: dict[str, Any]) -> str:
    metrics = facts['metrics']
    if not metrics:
        return 'The checkpoint keeps no figures: evaluate it by `tools/test.py CONFIG FILE`.\n'
    last = facts['epoch'] == facts['epochs']
    on = 'the set that the run evaluated on'
    if facts.get('split'):
        on = f'{facts["images"]:,} images of the {facts["split"]} set'
    said = f'After epoch {facts["epoch"]}' + (', the last one' if last else '') + f', on {on}.'
    if not last:
        said += ' This is not the last epoch: if it was chosen by these figures, they are optimistic.'
    intervals = facts.get('intervals') or {}
    rows = []
    for name in SHOWN:
        if name in metrics:
            form = '{:.2f} %' if name.startswith((*PERCENT, 'f1')) else '{:.4f}'
            limits = [form.format(limit) for limit in intervals.get(name) or []]
            rows.append((name, form.format(metrics[name]), ' to '.join(limits)))
    headings = ('value', '95 % interval') if any(row[2] for row in rows) else ('value',)
    rows = [row[: 1 + len(headings)] for row in rows]
    groups = facts['shot_groups']
    counts = ', '.join(f'{len(groups[name]):,} {name}' for name in GROUPS)
    rule = f'Shot groups, {groups["convention"]}: {groups["rule"]}; {counts} classes.'
    return f'{said}\n\n{_table("metric", rows, headings)}\n{rule}\n'


def _data(facts: dict[str, Any]) -> list[tuple[str, Any]]:
    data = facts['data']
    rows = [(key.replace('_', ' '), data[key]) for key in ('dataset', 'profile', 'imbalance_ratio', 'protocol', 'num_images')
            if data.get(key) is not None]  # fmt: skip
    rows += [(f'SHA-256 of the {word}', f'`{data[key]}`') for key, word in
             (('indices_sha256', 'index list'), ('content_sha256', 'content')) if data.get(key)]  # fmt: skip
    counts = facts['class_counts']
    rows.append(('training images a class', f'{max(counts):,} to {min(counts):,}'))
    if facts['corrections']:
        rows.append(('balanced by', '; '.join(facts['corrections'])))
    return rows


def _use(facts: dict[str, Any]) -> str:
    return (
        f'```python\nfrom mmlt.apis import Inferencer\n\npredict = Inferencer("{facts["file"]}")\n'
        'for one in predict("photos/"):\n    print(one.picture, one.label, one.probability, one.group)\n```\n\n'
        f'From a shell: `mmlt-predict {facts["file"]} photos/ --out predictions.csv`, and for other programs\n'
        f'`mmlt-export {facts["file"]} --out model.onnx`. Loading the file executes nothing. Where classes are not\n'
        'as frequent as in training, `--prior` corrects the probabilities.\n'
    )


def _classes(facts: dict[str, Any]) -> str:
    group = {place: name for name in GROUPS for place in facts['shot_groups'][name]}
    rows = [
        (place, name, count, group[place])
        for place, (name, count) in enumerate(zip(facts['classes'], facts['class_counts'], strict=True))
    ]
    more = f'\nAnd {len(rows) - MOST_CLASSES:,} more; all are in `model.json`.\n' if len(rows) > MOST_CLASSES else ''
    lines = ['| | class | training images | group |', '| ---: | --- | ---: | --- |']
    lines += [f'| {" | ".join(map(_cell, row))} |' for row in rows[:MOST_CLASSES]]
    return '\n'.join(lines) + '\n' + more
