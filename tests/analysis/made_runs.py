"""Folders of finished runs, made from random predictions by the evaluation that real runs use."""

import json

import numpy as np
import torch

from mmlt.analysis.evaluation_files import write_evaluation
from mmlt.analysis.results import write_by_label_csv, write_per_class_csv, write_results
from mmlt.evaluation.multi_label_metric import MultiLabelMetric
from mmlt.evaluation.shot_group_metric import ShotGroupMetric
from mmlt.priors import GROUPS

RECORD = {
    'schema': 1,
    'config': 'ce/resnet8_digitslt',
    'config_hash': 'ab' * 32,
    'overrides': {},
    'seed': 0,
    'precision': 'fp32',
    'finished': True,
    'wall_seconds': 61.5,
    'images_per_s': 5000.0,
    'device': 'CPU <2 cores> | test',
    'versions': {'torch': '2.12.1', 'mmlt': '0.1.0'},
    'data': {
        'dataset': 'digits',
        'profile': 'exp',
        'imbalance_ratio': 100,
        'protocol': 'cao',
        'num_images': 1234,
        'indices_sha256': '0123456789abcdef' * 4,
        'content_sha256': 'fedcba9876543210' * 4,
    },
    'shot_groups': {'convention': 'standard', 'many': 2, 'medium': 2, 'few': 0},
    'last': {
        'epoch': 30,
        'selected_on': None,
        'metrics': {
            'accuracy/top1': 60.0,
            'accuracy/mean_class': 61.0,
            'accuracy/many': 80.0,
            'accuracy/medium': 42.0,
            'calibration/ece': 0.1234,
            'nll': 1.5,
        },
    },
    'best': {'epoch': 28, 'selected_on': 'test', 'metrics': {'accuracy/top1': 62.5, 'nll': 1.4}},
    'evaluated_epochs': [10, 20, 28, 29, 30],
    'prerequisites': {},
}


class Pictures:
    """A test set whose image `i` is red by `i % 256` and green by `i // 256`."""

    def __init__(self, labels, side=32):
        self.labels, self.side = labels, side

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        image = torch.zeros(3, self.side, self.side, dtype=torch.uint8)
        image[0], image[1] = place % 256, place // 256
        return image, 0


def counts_of(num_classes):
    return [max(2, round(500 * 0.005 ** (c / max(num_classes - 1, 1)))) for c in range(num_classes)]


def logits_of(num_classes, per_class, skill, seed):
    """Logits and labels; the more `skill`, the more often they are right."""
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(num_classes), per_class))
    logits = random.normal(size=(len(labels), num_classes))
    logits[np.arange(len(labels)), labels] += skill * random.random(len(labels))
    return logits, labels


def evaluated(metric, logits, target, num_classes, names):
    """The metrics and the full evaluation of predictions, as a run has them."""
    metric.dataset_meta = dict(classes=names, class_counts=counts_of(num_classes))
    indices = torch.arange(len(target))
    metric.process(None, [dict(logits=torch.from_numpy(logits), target=torch.from_numpy(target), indices=indices)])
    return metric.evaluate(len(target)), metric.evaluation()


def scalars(metrics):
    lines = []
    for epoch in range(1, 31):
        losses = {'loss': 3 / epoch, 'loss_cls': 2 / epoch, 'loss_kd': 1 / epoch}
        lines.append({'step': 10 * epoch, 'epoch': epoch - 1, **losses, 'lr': 0.1})
        if epoch % 10 == 0:
            numbers = {key: value * epoch / 30 for key, value in metrics.items()}
            lines.append({'step': 10 * epoch, 'epoch': epoch, **numbers})
    return ''.join(json.dumps(line) + '\n' for line in lines)


def make_run(folder, record, num_classes=10, per_class=20, skill=3.0, seed=0, names=None, several=False, resamples=50):
    """Write a run's files.

    Args:
        folder: to write into.
        record: of results.json; its figures are replaced.
        num_classes, per_class: of the test set, which is balanced (for several labels: of 3 labels an image).
        skill: how far the logits of true classes are raised.
        seed: of the predictions; the labels are the same for all seeds.
        names: of the classes.
        several: whether images have several labels.

    Returns:
        The test set.
    """
    names = names or [f'class {c}' for c in range(num_classes)]
    logits, labels = logits_of(num_classes, per_class, skill, seed)
    if several:
        labels = (np.random.default_rng(1).random((len(labels), num_classes)) < 3 / num_classes).astype(np.float32)
        labels[np.arange(num_classes), np.arange(num_classes)] = 1  # each class is shown
        logits = logits + skill * labels - 2
    metric = MultiLabelMetric() if several else ShotGroupMetric()
    metrics, full = evaluated(metric, logits, labels, num_classes, names)
    main = 'mAP' if several else 'accuracy/top1'
    metrics = {key: float(value) for key, value in metrics.items()}
    record['last']['metrics'] = metrics
    record['best'] |= {'metrics': metrics, 'selected_by': main}
    record['shot_groups'] = metric.details['shot_groups']
    folder.mkdir(parents=True, exist_ok=True)
    if several:
        write_by_label_csv(folder / 'by_label.csv', metric.details['by_label'])
    else:
        write_per_class_csv(folder / 'per_class.csv', metric.details['per_class'])
    write_evaluation(folder / 'results.json', full.record('test', resamples), full.arrays())
    write_results(folder, record)
    (folder / 'scalars.jsonl').write_text(scalars(metrics))
    return Pictures(labels)


def detector(record):
    """The record of a detector."""
    metrics = {f'bbox/{name}': 40.0 + n for n, name in enumerate(('AP', 'AP50', 'APr', 'APc', 'APf'))}
    record['last']['metrics'], record['best'] = metrics, {'epoch': 28, 'selected_on': 'test', 'metrics': metrics}
    record['shot_groups'] = {'convention': 'lvis', **dict.fromkeys(GROUPS, 2)}
    return record
