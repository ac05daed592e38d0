"""Whether mmlt trains as a plain loop does: many seeds of both, a short recipe, a test whose threshold is fixed here.

    python -m benchmarks.same_training --seeds 10 --out benchmarks/records/same_training.json

The plain loop has torch's own shuffle and draws its crops and flips from torch's generator; network, initialisation, optimizer
and schedule are the config's. Compared are the last epoch's mean training loss and its top-1 on the test set. The two differ
if Welch's t-test, two-sided, gives p below 0.025 for either of the two (0.05 for both together, by Bonferroni).
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import ttest_ind
from torch import Tensor, nn

from mmlt.apis.train import run_stage
from mmlt.engine.device import device_name
from mmlt.engine.stages import Stage
from mmlt.files import atomic_write
from mmlt.registry import MODELS

CONFIG = 'ce/resnet32_cifar100lt_30e.py'
OVERRIDES = {
    'model.backbone.depth': 8,
    'train_cfg.max_epochs': 10,
    'param_scheduler': [dict(type='MultiStepLR', milestones=[8, 9], gamma=0.01)],  # without warm-up
    'train_dataloader.dataset.dataset.data_root': 'data/cifar100',
}
THRESHOLD = 0.025


def plain_run(stage: Stage, seed: int) -> dict[str, float]:
    """Train by a loop of a dozen lines; the last epoch's training loss and top-1 in percent."""
    cfg = stage.cfg
    torch.manual_seed(1000 + seed)
    model = MODELS.build({**cfg.model, 'data_preprocessor': None})
    images, labels = (part.clone() for part in stage.loader.dataset.tensors())
    tests, test_labels = stage.val_loader.dataset.tensors()
    mean, std = (torch.tensor(cfg.model.data_preprocessor[key]).view(3, 1, 1) for key in ('mean', 'std'))
    settings = {key: value for key, value in cfg.optim_wrapper.optimizer.items() if key not in ('type', 'fused')}
    optimizer = torch.optim.SGD(model.parameters(), **settings)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, cfg.param_scheduler[0].milestones, cfg.param_scheduler[0].gamma)
    for _ in range(cfg.train_cfg.max_epochs):
        model.train()
        losses = []
        for places in torch.randperm(len(images)).split(cfg.train_dataloader.batch_size):
            batch = (cropped(images[places]).float() / 255 - mean) / std
            loss = F.cross_entropy(logits_of(model, batch), labels[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
    model.eval()
    with torch.no_grad():
        right = [
            (logits_of(model, (part.float() / 255 - mean) / std).argmax(1) == target).float().sum()
            for part, target in zip(tests.split(1000), test_labels.split(1000), strict=True)
        ]
    return dict(loss=statistics.mean(losses), top1=100 * float(sum(right)) / len(tests))


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """The network's logits, by its parts alone."""
    return model.head(F.adaptive_avg_pool2d(model.backbone(images)[-1], 1).flatten(1))


def cropped(images: Tensor) -> Tensor:
    """Each uint8 image padded by 4, cropped anywhere and flipped half of the time, drawn from torch's generator."""
    padded = F.pad(images, (4, 4, 4, 4))
    out = torch.empty_like(images)
    for place, (top, left) in enumerate(torch.randint(0, 9, (len(images), 2)).tolist()):
        out[place] = padded[place, :, top : top + 32, left : left + 32]
    return torch.where((torch.rand(len(images)) < 0.5).view(-1, 1, 1, 1), out.flip(3), out)


def own_run(stage: Stage) -> dict[str, float]:
    """Train by mmlt; the mean training loss of the last epoch's logged parts and top-1 in percent."""
    result = run_stage(stage, resume=True, needed_by='the comparison')
    lines = (Path(result['folder']) / 'scalars.jsonl').read_text(encoding='utf-8').splitlines()
    steps, last, before = len(stage.loader), [], 0
    for scalars in map(json.loads, lines):
        if 'loss' in scalars:
            if scalars['step'] > steps * (stage.cfg.train_cfg.max_epochs - 1):
                last.append((scalars['step'] - before, scalars['loss']))
            before = scalars['step']
    weights, values = zip(*last, strict=True)
    return dict(loss=float(np.average(values, weights=weights)), top1=result['last']['metrics']['accuracy/top1'])


def verdict(routes: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Means, deviations and p of both figures, and whether the two differ."""
    found: dict[str, Any] = {}
    for name in ('loss', 'top1'):
        values = {route: [record[name] for record in records] for route, records in routes.items()}
        found[name] = {
            f'{route}_{what}': round(function(numbers), 4)
            for route, numbers in values.items()
            for what, function in (('mean', statistics.mean), ('deviation', statistics.stdev))
        }
        found[name]['p'] = round(float(ttest_ind(*values.values(), equal_var=False).pvalue), 4)
    return found | dict(differ=any(found[name]['p'] < THRESHOLD for name in ('loss', 'top1')))


def main() -> None:
    """Train what is not in the file yet, a seed of each route in turn; print and write what is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=10, help='of each route (default 10)')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path, required=True, help='JSON file; what it holds already is kept')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    routes: dict[str, list] = dict(mmlt=[], plain=[])
    if args.out.is_file():
        routes = json.loads(args.out.read_text(encoding='utf-8'))['routes']
    for seed in range(args.seeds):
        stage = Stage(CONFIG, seed, OVERRIDES, 'fp32')
        for route, run in (('mmlt', lambda: own_run(stage)), ('plain', lambda: plain_run(stage, seed))):  # noqa: B023
            if len(routes[route]) == seed:
                routes[route].append(dict(seed=seed, **run()))
        found = dict(config=CONFIG, overrides=OVERRIDES, threshold=THRESHOLD, device=device_name(), routes=routes)
        if seed:
            found['verdict'] = verdict(routes)
            print(json.dumps(found['verdict']))
        atomic_write(args.out, json.dumps(found, indent=1) + '\n')


if __name__ == '__main__':
    main()
