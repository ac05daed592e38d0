"""Processor seconds that evaluating 10,000 images costs beyond the forward passes, against torchmetrics and scikit-learn.

Of the whole process, so that a loaded machine tells the same; with one thread they are what the clock shows on an idle one.
"""

import io
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from rich.table import Table

from mmlt.engine.console import console
from mmlt.engine.device import device_name
from mmlt.evaluation import ShotGroupMetric

IMAGES, BATCH = 10_000, 1000
CLASSES = (10, 100, 1000)
PARTS = {
    'collect': 'each batch reduced to a few numbers an image',
    'figures': 'every figure, each class, confusion, reliability',
    'files': 'both files, but for the disk',
    'bootstrap': '1,000 resamples of every figure',
}
VERSIONS = ('numpy', 'scikit-learn', 'torch', 'torchmetrics')


def batches(classes: int) -> list[dict]:
    """Logits of a model that is right now and then, in the batches of a CIFAR evaluation."""
    draws = torch.Generator().manual_seed(0)
    target = torch.arange(IMAGES) % classes
    logits = torch.randn(IMAGES, classes, generator=draws) + 4 * torch.nn.functional.one_hot(target, classes)
    return [dict(logits=logits[at], target=target[at], indices=at) for at in torch.arange(IMAGES).split(BATCH)]


def own(classes: int, records: list[dict]) -> dict[str, float]:
    """Processor seconds of each part, and `mean_class`."""
    metric = ShotGroupMetric()
    metric.dataset_meta = dict(class_counts=[int(500 * 0.01 ** (c / (classes - 1))) for c in range(classes)])
    seconds = {}

    def timed(part: str, call: Callable) -> object:
        start = time.process_time()
        result = call()
        seconds[part] = seconds.get(part, 0.0) + time.process_time() - start
        return result

    for record in records:
        timed('collect', lambda record=record: metric.process(None, [record]))
    timed('figures', lambda: metric.evaluate(IMAGES))
    full = timed('figures', metric.evaluation)
    found = timed('figures', lambda: full.record(resamples=0))
    timed('files', lambda: (json.dumps(found, sort_keys=True), np.savez(io.BytesIO(), **full.arrays())))
    timed('bootstrap', lambda: full.resampled(np.array(found['per_class']['test_images'])))
    return dict(seconds, mean_class=found['metrics']['accuracy/mean_class'])


def libraries(classes: int, records: list[dict]) -> dict[str, float]:
    """Processor seconds of those of the figures that torchmetrics and scikit-learn have, each as its documentation shows."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
    from torchmetrics import MetricCollection
    from torchmetrics import classification as library

    metrics = MetricCollection(
        dict(
            top1=library.MulticlassAccuracy(classes, average='micro'),
            top5=library.MulticlassAccuracy(classes, average='micro', top_k=5),
            mean_class=library.MulticlassAccuracy(classes, average='macro'),
            ece=library.MulticlassCalibrationError(classes, n_bins=15),
            mce=library.MulticlassCalibrationError(classes, n_bins=15, norm='max'),
        )
    )
    start = time.process_time()
    predictions, targets = [], []
    for record in records:
        probabilities = record['logits'].softmax(1)
        metrics.update(probabilities, record['target'])
        predictions.append(probabilities.argmax(1))
        targets.append(record['target'])
    found = metrics.compute()
    prediction, target = torch.cat(predictions).numpy(), torch.cat(targets).numpy()
    precision_recall_fscore_support(target, prediction, labels=np.arange(classes), zero_division=0)
    confusion_matrix(target, prediction, labels=np.arange(classes))
    return dict(total=time.process_time() - start, mean_class=100 * float(found['mean_class']))


def measure(classes: int, pairs: int) -> dict:
    """One record: medians in processor seconds, and the ratio over the pairs (above 1: mmlt is quicker)."""
    records = batches(classes)
    legs = [(own(classes, records), libraries(classes, records)) for _ in range(pairs + 1)][1:]  # the first warms up
    for mine, theirs in legs:
        assert abs(mine.pop('mean_class') - theirs.pop('mean_class')) < 1e-3
    seconds = {part: statistics.median(mine[part] for mine, _ in legs) for part in PARTS}
    totals = [sum(seconds for part, seconds in mine.items() if part != 'bootstrap') for mine, _ in legs]
    ratios = [theirs['total'] / total for total, (_, theirs) in zip(totals, legs, strict=True)]
    return dict(
        classes=classes,
        seconds={part: round(value, 4) for part, value in seconds.items()},
        without_bootstrap=round(statistics.median(totals), 4),
        libraries=round(statistics.median(theirs['total'] for _, theirs in legs), 4),
        ratio=round(statistics.median(ratios), 2),
        spread=[round(min(ratios), 2), round(max(ratios), 2)],
    )


def main(pairs: int, threads: int, file: str | None) -> None:
    """Measure, show, and write the record.

    Args:
        pairs: measurements of each leg, in turn.
        threads: of PyTorch.
        file: where the record is written; None for nowhere.
    """
    torch.set_num_threads(threads)
    load = [round(value, 2) for value in os.getloadavg()]
    found = [measure(classes, pairs) for classes in CLASSES]
    record = dict(
        case='evaluation', images=IMAGES, pairs=pairs, threads=threads, device=device_name().split(',')[0], load=load,
        processors=os.cpu_count(), measured=found,
        versions={**{name: version(name) for name in VERSIONS}, 'python': platform.python_version()},
    )  # fmt: skip
    console.print(evaluation_table(record))
    for part, words in PARTS.items():
        console.print(f'{part}: {words}', markup=False)
    console.print('libraries: torchmetrics and scikit-learn, the figures that they have', markup=False)
    if file:
        from mmlt.files import atomic_write

        atomic_write(file, json.dumps([record], indent=2, allow_nan=False) + '\n')
        console.print(f'record: {file}', markup=False)


def evaluation_table(record: dict) -> Table:
    """A line for each number of classes."""
    table = Table(
        title=f'evaluating {record["images"]:,} images beyond the forward passes, processor seconds; '
        f'{record["device"]}, {record["threads"]} thread(s), load {record["load"][0]} on {record["processors"]} processors'
    )
    for column in ('classes', *list(PARTS)[:3], 'sum', 'libraries', 'ratio', 'bootstrap'):
        table.add_column(column, justify='right')
    for one in record['measured']:
        low, high = one['spread']
        parts = [f'{one["seconds"][part]:.3f}' for part in PARTS]
        table.add_row(
            str(one['classes']), *parts[:3], f'{one["without_bootstrap"]:.3f}', f'{one["libraries"]:.3f}',
            f'{one["ratio"]:.1f} ({low:.1f} to {high:.1f})', parts[3],
        )  # fmt: skip
    return table
