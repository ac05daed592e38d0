"""A benchmark's records as a table and as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.schema import read_json


def benchmark_table(records: Sequence[dict]) -> Table:
    """Two rows a case: mmlt and its rival."""
    first = records[0]
    title = f'{first["data"]}, {first["device"]}, {first["threads"]} threads, {first["pairs"]} x {first["steps"]} steps'
    table = Table(title=title)
    table.add_column('case', no_wrap=True)
    table.add_column('leg')
    for column in ('images/s', 'ratio', 'MiB', 'outside'):
        table.add_column(column, justify='right', no_wrap=True)
    for record in records:
        low, high = record['spread']
        outside = record['outside_share']
        table.add_row(
            record['case'],
            f'mmlt {record["precision"]}',
            f'{record["images_per_s"]:,.0f}',
            f'{record["ratio"]:.2f} ({low:.2f} to {high:.2f})',
            f'{record["peak_memory_mb"]:,}',
            '' if outside is None else f'{outside:.1%}',
        )
        rival = f'{record["rival"]} {record["rival_precision"]}'
        table.add_row('', rival, f'{record["rival_images_per_s"]:,.0f}', '', f'{record["rival_peak_memory_mb"]:,}', '')
        table.add_section()
    return table


def markdown(path: str | Path) -> str:
    """A JSON file of `tools/benchmark.py` as a Markdown table: records of speed, or a comparison of accuracy.

    Raises:
        UserError: the file is none of these, or of a comparison in which no seed is finished by both.
    """
    try:
        content = read_json(path)
        if isinstance(content, list) and content[0]['case'] == 'streaming':
            return _streaming_markdown(content[0])
        if isinstance(content, list) and content[0]['case'] == 'features':
            return _features_markdown(content[0])
        if isinstance(content, list) and content[0]['case'] == 'evaluation':
            return _evaluation_markdown(content[0])
        return _accuracy_markdown(content) if isinstance(content, dict) else _speed_markdown(content)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f'{path} holds no finished benchmark ({type(error).__name__}: {error}): run it again.') from error


def _speed_markdown(records: Sequence[dict]) -> str:
    lines = ['| case | mmlt, images/s | rival, images/s | ratio | mmlt, MiB | rival, MiB | outside the model |']
    lines.append('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
    for record in records:
        low, high = record['spread']
        outside = '' if record['outside_share'] is None else f'{record["outside_share"]:.1%}'
        lines.append(
            f'| {record["case"]} | {record["images_per_s"]:,.0f} ({record["precision"]}) | '
            f'{record["rival_images_per_s"]:,.0f} ({record["rival_precision"]}, {record["rival"]}) | '
            f'**{record["ratio"]:.2f}** ({low:.2f} to {high:.2f}) | {record["peak_memory_mb"]:,} | '
            f'{record["rival_peak_memory_mb"]:,} | {outside} |'
        )
    first = records[0]
    return '\n'.join(lines) + (
        f'\n\n{first["data"]}, batch {first["batch_size"]}, {first["device"]}, {first["threads"]} threads, torch '
        f'{first["versions"]["torch"]}, {first["pairs"]} pairs of {first["steps"]} steps; MiB: peak of the process, outside: '
        'share of the time that is not forward, backward or optimizer.\n'
    )


def _streaming_markdown(record: dict) -> str:
    rates, memory = record['images_per_s_a_worker'], record['memory_of_4_workers']
    lines = ["| read by mmlt | images/s a worker | mmpretrain's pipeline | torchvision's ImageFolder |"]
    lines.append('| --- | ---: | ---: | ---: |')
    for own, words in (('files', 'from the files'), ('pack', 'from a pack')):
        cells = []
        for one in record['ratios']:
            if one['own'] == own:
                low, high = one['spread']
                cells.append(f'**{one["ratio"]:.2f}** ({low:.2f} to {high:.2f}) of {rates[one["rival"]]:,}')
        lines.append(f'| {words} | {rates[own]:,} | {" | ".join(cells)} |')
    return '\n'.join(lines) + (
        f'\n\nJPEGs of 500 x 375 pixels and {record["kilobytes"]} kB ({record["pack_kilobytes"]} kB packed) to 224 x 224, '
        f'{record["workers"]} worker(s) in every leg, {record["pairs"]} turns, {record["device"]}, load {record["load"][0]} on '
        f'{record["processors"]} processors, torch {record["versions"]["torch"]}, OpenCV '
        f'{record["versions"]["opencv-python-headless"]}, Pillow {record["versions"]["pillow"]}. Four workers on a list of '
        f'{memory["list_lines"]:,} lines hold {memory["own_mb"]} MiB of their own, four epochs later '
        f'{memory["own_mb_four_epochs_later"]} ({memory["with_share_mb"]} with their share of what all have in common).\n'
    )


def _features_markdown(record: dict) -> str:
    seconds, own = record['epoch_seconds'], record['epoch_processor_seconds']
    lines = ['| head trained | an epoch, s | processor time, s | top-1 of each seed |', '| --- | ---: | ---: | --- |']
    for leg, words in (('through', 'through the frozen backbone'), ('cached', 'on cached features')):
        top1 = ', '.join(f'{one:.2f}' for one in record['top1'][leg])
        lines.append(f'| {words} | {seconds[leg]:.2f} | {own[leg]:.2f} | {top1} |')
    lines.append(f'| cRT on cached features, 12,000 draws | {seconds["crt"]:.2f} | {own["crt"]:.2f} | |')
    return '\n'.join(lines) + (
        f'\n\n{record["images"]:,} images of {record["dataset"]} at {record["image_size"]} pixels, EfficientNet-Lite0, '
        f'{record["epochs"]} epochs, the same view in both; computing the features is not in an epoch, the first run took '
        f'{record["run_seconds"]["cached_first"]} s with it and {record["run_seconds"]["through"]} s through the backbone. '
        f'{record["device"]}, {record["threads"]} thread(s), load {record["load"][0]} on {record["processors"]} processors.\n'
    )


def _evaluation_markdown(record: dict) -> str:
    columns = ('classes', 'reduce the batches', 'figures', 'files', 'together', 'torchmetrics and scikit-learn', 'ratio')
    lines = [f'| {" | ".join(columns)} | 1,000 resamples |']
    lines.append('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
    for one in record['measured']:
        low, high = one['spread']
        parts = [f'{one["seconds"][part]:.3f}' for part in ('collect', 'figures', 'files')]
        lines.append(
            f'| {one["classes"]:,} | {" | ".join(parts)} | **{one["without_bootstrap"]:.3f}** | {one["libraries"]:.3f} | '
            f'{one["ratio"]:.1f} ({low:.1f} to {high:.1f}) | {one["seconds"]["bootstrap"]:.3f} |'
        )
    return '\n'.join(lines) + (
        f'\n\n{record["images"]:,} images, processor seconds beyond the forward passes, {record["pairs"]} turns, '
        f'{record["device"]}, {record["threads"]} thread(s), load {record["load"][0]} on {record["processors"]} processors, '
        f'torch {record["versions"]["torch"]}, torchmetrics {record["versions"]["torchmetrics"]}, scikit-learn '
        f'{record["versions"]["scikit-learn"]}; the libraries compute those of the figures that they have.\n'
    )


def _accuracy_markdown(found: dict) -> str:
    names = list(found['difference'])
    lines = [f'| way to train | {" | ".join(name.removeprefix("accuracy/") for name in names)} |']
    lines.append('| --- |' + ' ---: |' * len(names))
    for route, label in (('rival', "the rival's loop"), ('mmlt', 'mmlt')):
        cells = []
        for name in names:
            mean, deviation = (found['difference'][name][f'{route}_{what}'] for what in ('mean', 'deviation'))
            cells.append(f'{mean:.2f}' + ('' if deviation is None else f' ± {deviation:.2f}'))
        precision = found['routes'][route][0]['precision']
        lines.append(f'| {label}, {precision} | {" | ".join(cells)} |')
    points = (f'{found["difference"][name]["points"]:+.2f}' for name in names)
    lines.append(f'| difference | {" | ".join(points)} |')
    seeds = found['difference'][names[0]]['seeds']
    return '\n'.join(lines) + (
        f'\n\n{found["config"]}, {found["epochs"]} epochs, seeds {", ".join(map(str, seeds))}, {found["device"]}, torch '
        f'{found["versions"]["torch"]}: percent after the last epoch, mean ± sample standard deviation.\n'
    )


def plot(path: str | Path, records: Sequence[dict]) -> None:
    """Bars of images a second, mmlt beside its rival, with the ratio above each pair."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(2 + 2.2 * len(records), 4.2), layout='constrained')
    places = range(len(records))
    own = [record['images_per_s'] for record in records]
    rival = [record['rival_images_per_s'] for record in records]
    axes.bar([place - 0.2 for place in places], own, 0.38, color='#1f5fa8', label='mmlt')
    axes.bar([place + 0.2 for place in places], rival, 0.38, color='#b9bec6', label='rival')
    for place, record in enumerate(records):
        low, high = record['spread']
        text = f'{record["ratio"]:.2f}x\n{low:.2f} to {high:.2f}'
        top = max(own[place], rival[place])
        axes.annotate(text, (place, top), (0, 4), textcoords='offset points', ha='center', fontsize=9)
    axes.set_xticks(places, [f'{record["case"]}\n{record["precision"]} against {record["rival_precision"]}\n'
                             f'{record["rival"]}' for record in records], fontsize=9)  # fmt: skip
    axes.set_ylabel('training images a second')
    axes.set_ylim(0, 1.35 * max(own + rival))
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False, loc='upper right', ncols=2)
    first = records[0]
    title = f'{first["data"]}, batch {first["batch_size"]}, {first["device"]}, {first["threads"]} threads'
    axes.set_title(title, fontsize=10)
    drawn = io.BytesIO()
    kind = Path(path).suffix.lstrip('.') or 'png'
    figure.savefig(drawn, format=kind, dpi=150, metadata={'Software': 'mmlt'} if kind == 'png' else None)
    pyplot.close(figure)
    atomic_write(path, drawn.getvalue())
