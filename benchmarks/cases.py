"""What is measured against what."""

import platform
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pairs import LegProcess, compare, measure_in_turn
from mmlt.config.load import load_config
from mmlt.config.overrides import parse_options
from mmlt.engine.console import console
from mmlt.engine.device import device_name, resolve_precision
from mmlt.errors import UserError
from mmlt.registry import DATASETS

CASES = {
    'framework': ('ce', 'mmlt through the Runner against a bare PyTorch loop over the same parts'),
    'rival-ce': ('ce', 'cross entropy, against the loop that long-tailed repositories share'),
    'rival-bkd': ('bkd', 'balanced knowledge distillation, against that loop'),
    'rival-augment': ('ce', 'cross entropy with AutoAugment and Cutout, against that loop'),
    'same': ('ce', 'mmlt against itself: how far from one chance takes a ratio'),
    'bf16': ('ce', 'bfloat16 autocast, against float32'),
    'channels-last': ('ce', 'images and weights channels-last, against contiguous ones'),
    'fused-sgd': ('ce', 'the fused optimizer, against the plain one'),
    'compile': ('ce', 'compiled steps, against eager ones'),
    'experts-together': ('multi_expert', 'three experts one by one, against the same experts as one grouped network'),
    'experts-separate': ('multi_expert', 'three experts on a shared trunk, against three separate networks'),
    'ecl-ncl': ('ecl', 'ECL whole, against NCL'),
}


@dataclass(frozen=True)
class Within:
    """A rival that runs through the Runner too.

    Attributes:
        rival: what it is called.
        method: folder of its config; None for that of the case.
        own: overrides of mmlt's leg alone.
        other: overrides of the rival's alone.
        precision: of the rival; None for that of the case.
    """

    rival: str
    method: str | None = None
    own: dict[str, Any] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None


WITHIN = {
    'same': Within('mmlt again'),
    'bf16': Within('no autocast', precision='fp32'),
    'channels-last': Within('contiguous', other={'data_preprocessor.channels_last': False}),
    'fused-sgd': Within('plain SGD', other={'optim_wrapper.optimizer.fused': False}),
    'compile': Within('eager', own={'compile': True}, other={'compile': False}),
    'experts-together': Within('one grouped network', other={'model.backbone.together': True}),
    'experts-separate': Within('three separate networks', other={'model.backbone.shared_stages': 0}),
    'ecl-ncl': Within('NCL', 'ncl'),
}
CONFIGS = dict(cifar100='{}/resnet32_cifar100lt_30e.py', digits='{}/resnet8_digitslt.py')
VERSIONS = ('mmengine', 'numpy', 'pillow', 'torch', 'torchvision')
EXTRA = [dict(type='AutoAugment'), dict(type='Cutout', size=16)]


def choose_data(wanted: str) -> str:
    """`cifar100`, or `digits` where it is asked for or CIFAR-100 is absent."""
    if wanted == 'digits':
        return wanted
    cfg = load_config(CONFIGS['cifar100'].format('ce')).train_dataloader.dataset
    cfg.dataset.download = False
    try:
        DATASETS.build(cfg)
    except UserError as error:
        if wanted == 'cifar100':
            raise
        console.print(f'no CIFAR-100 here, the embedded digits instead ({error})', markup=False)
        return 'digits'
    return 'cifar100'


def run_cases(
    cases: Iterable[str],
    data: str = 'auto',
    pairs: int = 5,
    steps: int | None = None,
    warmup: int = 5,
    precision: str = 'bf16',
    threads: int = 2,
    options: list[str] | None = None,
) -> list[dict]:
    """Measure cases and give one record each.

    Args:
        cases: names in `CASES`.
        data: `cifar100`, `digits`, or `auto` for CIFAR-100-LT where it is there.
        pairs: measurements of each leg, in turn.
        steps: timed steps of a measurement; None for 20, or 500 on a GPU.
        warmup: untimed steps before them.
        precision: of mmlt's legs and the bare loop; the rival is fp32.
        threads: of PyTorch, in every leg.
        options: config overrides `KEY=VALUE`.

    Returns:
        Records of case, precision, images_per_s, rival_images_per_s, ratio, peak_memory_mb and more.
    """
    data = choose_data(data)
    steps = steps or (500 if torch.cuda.is_available() else 20)
    precision, fallback = resolve_precision(precision)
    if fallback:
        console.print(fallback, markup=False)
    records = []
    for case in cases:
        config = CONFIGS[data].format(CASES[case][0])
        with tempfile.TemporaryDirectory(prefix='mmlt_benchmark_') as folder, ExitStack() as stack:
            legs = legs_of(case, config, precision, parse_options(options or []), Path(folder))
            started = []
            for name, kind, keywords in legs:
                started.append(LegProcess(name, kind, keywords, threads))
                stack.callback(started[-1].close)
            own, *rivals = measure_in_turn(started, pairs, warmup, steps)
            found = compare(own, dict(zip([leg.name for leg in started[1:]], rivals, strict=True)))
        records.append(
            dict(
                case=case,
                config=config,
                data=data,
                precision=precision,
                rival_precision=rival_precision(case, precision),
                **found,
                pairs=pairs,
                steps=steps,
                batch_size=load_config(config, parse_options(options or [])).train_dataloader.batch_size,
                threads=threads,
                device=device_name().split(',')[0],
                versions={**{name: version(name) for name in VERSIONS}, 'python': platform.python_version()},
            )
        )
        console.print(sentence(records[-1]), markup=False)
    return records


def legs_of(
    case: str, config: str, precision: str, overrides: dict[str, Any], folder: Path
) -> list[tuple[str, str, dict]]:
    """Name, kind and keywords of mmlt's leg and of its rivals, all on the images in one file."""
    cfg = load_config(config, overrides)
    transforms = [dict(item) for item in cfg.model.data_preprocessor.train_transforms]
    if case == 'rival-augment':
        transforms += EXTRA
        overrides = {**overrides, 'data_preprocessor.train_transforms': transforms}
    inner = cfg.train_dataloader.dataset.dataset
    subset = DATASETS.build(cfg.train_dataloader.dataset)
    images = subset.dataset.images[subset.indices]
    file = folder / 'train.npz'
    np.savez(file, images=images, labels=subset.labels, index=subset.official_indices)
    if 'data_root' in inner:  # both sides read the subset's own file, so that neither holds the whole set in memory
        overrides = {**overrides, 'train_dataloader.dataset.dataset.data_root': str(file)}
    own = dict(config=config, precision=precision, overrides=overrides, folder=str(folder / 'run'))
    legs = [('mmlt', 'runner', own)]
    if case == 'framework':  # the bare loop is eager
        own['overrides'] = {**overrides, 'compile': False}
        return [*legs, ('bare PyTorch loop', 'bare', {**own, 'folder': str(folder / 'bare')})]
    if case in WITHIN:
        within = WITHIN[case]
        rival_config = f'{within.method}/{Path(config).name}' if within.method else config
        rival = dict(
            config=rival_config,
            precision=rival_precision(case, precision),
            overrides={**overrides, **within.other},
            folder=str(folder / 'rival'),
        )
        own['overrides'] = {**overrides, **within.own}
        return [('mmlt', 'runner', own), (within.rival, 'runner', rival)]
    pipeline = cfg.model.data_preprocessor
    rival = dict(
        data=str(file),
        depth=cfg.model.backbone.depth,
        num_classes=len(subset.classes),
        transforms=transforms,
        mean=list(pipeline.mean),
        std=list(pipeline.std),
        batch_size=cfg.train_dataloader.batch_size,
        temperature=cfg.model.get('temperature'),
    )
    return legs + [(f'torchvision, {n} workers', 'rival', {**rival, 'workers': n}) for n in (0, 2)]


def rival_precision(case: str, precision: str) -> str:
    """What a case's rival computes in, where mmlt computes in `precision`."""
    if case in WITHIN:
        return WITHIN[case].precision or precision
    return precision if case == 'framework' else 'fp32'


def sentence(record: dict) -> str:
    """A record's ratio in one line."""
    low, high = record['spread']
    return (
        f'{record["case"]}: {record["images_per_s"]:,.0f} against {record["rival_images_per_s"]:,.0f} images/s, '
        f'ratio {record["ratio"]:.2f} ({low:.2f} to {high:.2f})'
    )
