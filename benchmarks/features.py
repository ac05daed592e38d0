"""A head on cached features against the same head trained through the frozen backbone: accuracy and time side by side."""

import contextlib
import io
import json
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook

from mmlt.engine.console import console
from mmlt.engine.device import device_name
from mmlt.registry import HOOKS

CONFIG = 'photos/efficientnet_lite0_linear_probe.py'
EPOCHS, CRT_IMAGES = 4, 12_000
SAME_VIEW = {  # both legs see the test view, so that their accuracies may be held against each other
    'data_preprocessor.train_transforms': [],
    'train_dataloader.dataset.dataset.crop': 'center',
    'train_cfg.max_epochs': EPOCHS,
    'train_cfg.val_interval': EPOCHS,
    'train_cfg.val_last': 0.0,
}
VERSIONS = ('mmengine', 'numpy', 'timm', 'torch')


@HOOKS.register_module()
class EpochClock(Hook):
    """Seconds, and seconds of this process's processor time, of each training epoch, into `EpochClock.seconds`."""

    seconds: list[tuple[float, float]] = []

    def before_train_epoch(self, runner) -> None:  # noqa: ANN001
        """Start the clock."""
        self._begun = time.perf_counter(), time.process_time()

    def after_train_epoch(self, runner) -> None:  # noqa: ANN001
        """Stop it."""
        type(self).seconds.append((time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]))


def make_digits(root: Path) -> None:
    """The embedded digits, long-tailed at ratio 50, as class folders of PNG files."""
    from PIL import Image

    from mmlt.datasets import Digits, LongTailedDataset

    for split, data in (('train', LongTailedDataset(Digits('train'), imbalance_ratio=50)), ('test', Digits('test'))):
        for place in range(len(data)):
            image, label = data[place]
            file = root / split / str(int(label)) / f'{place:04}.png'
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(file)


def run_leg(overrides: dict[str, Any], hooks: list[dict], folder: Path, seed: int) -> dict:
    """Train once.

    Returns:
        `wall`, seconds of the whole run, `epochs`, each with wall and processor seconds, and its last metrics.
    """
    from mmlt.apis.train import train

    EpochClock.seconds = []
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        record = train(
            CONFIG, seed, folder, overrides={**overrides, 'custom_hooks': [*hooks, dict(type='EpochClock')]}
        )
    return dict(wall=time.perf_counter() - begun, epochs=EpochClock.seconds, metrics=record['last']['metrics'],
                images=record['data']['num_images'])  # fmt: skip


def run_features(pairs: int, threads: int, overrides: dict[str, Any]) -> dict:
    """Measure `pairs` seeds of both legs in turn, then cRT's epochs of 12,000 draws on the same features.

    Args:
        pairs: seeds.
        threads: of PyTorch.
        overrides: of the config; `data_root` for photos of one's own, the embedded digits without.
    """
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(prefix='mmlt_features_') as name:
        root = Path(name)
        if 'data_root' not in overrides:
            make_digits(root / 'digits')
            overrides = {'data_root': str(root / 'digits'), 'image_size': 96, **overrides}
        overrides = {**SAME_VIEW, **overrides}
        cache = dict(type='FeatureCacheHook', cache_root=str(root / 'cache'))
        legs: dict[str, list[dict]] = dict(through=[], cached=[], crt=[])
        for seed in range(pairs):
            legs['through'].append(run_leg(overrides, [], root / f'through{seed}', seed))
            legs['cached'].append(run_leg(overrides, [cache], root / f'cached{seed}', seed))
            sampler = dict(type='ClassAwareSampler', num_samples=CRT_IMAGES)
            legs['crt'].append(
                run_leg({**overrides, 'train_dataloader.sampler': sampler}, [cache], root / f'crt{seed}', seed)
            )

    def epoch(leg: str, kind: int) -> float:
        return statistics.median(seconds[kind] for run in legs[leg] for seconds in run['epochs'])

    top1 = {leg: [run['metrics']['accuracy/top1'] for run in legs[leg]] for leg in ('through', 'cached')}
    first = legs['cached'][0]
    return dict(
        case='features',
        config=CONFIG,
        dataset=Path(overrides['data_root']).name,
        images=first['images'],
        image_size=overrides.get('image_size', 224),
        top1={leg: [round(one, 2) for one in values] for leg, values in top1.items()},
        difference=round(statistics.mean(a - b for a, b in zip(top1['cached'], top1['through'], strict=True)), 2),
        epoch_seconds={leg: round(epoch(leg, 0), 3) for leg in legs},
        epoch_processor_seconds={leg: round(epoch(leg, 1), 3) for leg in legs},
        run_seconds=dict(through=round(statistics.median(run['wall'] for run in legs['through']), 1),
                         cached_first=round(first['wall'], 1),
                         cached=[round(run['wall'], 1) for run in legs['cached'][1:]]),
        epoch_ratio=round(epoch('through', 0) / epoch('cached', 0), 1),
        epochs=EPOCHS, pairs=pairs, threads=threads, load=[round(one, 1) for one in os.getloadavg()],
        device=device_name().split(',')[0], processors=os.cpu_count(),
        versions={**{name: version(name) for name in VERSIONS}, 'python': platform.python_version()},
    )  # fmt: skip


def in_words(record: dict) -> str:
    """A record as lines for a terminal."""
    seconds, own, run = record['epoch_seconds'], record['epoch_processor_seconds'], record['run_seconds']
    later = ''.join(f', {one} s' for one in run['cached'])
    later = f'; after that{later[1:]}' if later else ''
    return '\n'.join([
        f'{record["images"]:,} images of {record["dataset"]} at {record["image_size"]} pixels, {record["pairs"]} seeds of '
        f'{record["epochs"]} epochs, {record["threads"]} thread(s), load {record["load"][0]} on {record["processors"]} '
        'processors',
        f'  an epoch through the backbone {seconds["through"]:.2f} s, on cached features {seconds["cached"]:.2f} s: '
        f'{record["epoch_ratio"]:.0f} times as fast',
        f'  a whole run {run["through"]} s; with the features still to be computed {run["cached_first"]} s{later}',
        f'  top-1 through the backbone {record["top1"]["through"]}, on cached features {record["top1"]["cached"]}: '
        f'{record["difference"]:+.2f} points',
        f'  an epoch of cRT, {CRT_IMAGES:,} draws: {seconds["crt"]:.2f} s, {own["crt"]:.2f} s of processor time',
    ])  # fmt: skip


def main(pairs: int, threads: int, overrides: dict[str, Any], out: str | None) -> None:
    """Measure, say, and write the record."""
    from mmlt.files import atomic_write

    record = run_features(pairs, threads, overrides)
    console.print(in_words(record), markup=False)
    if out:
        atomic_write(out, json.dumps([record], indent=2) + '\n')
        console.print(f'record: {out}', markup=False)
