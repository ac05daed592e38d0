"""Whether the fast way to train keeps the accuracy: the rival's loop and mmlt, each to the end of one config."""

import json
import platform
import statistics
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from benchmarks.rival_train import WORKERS, RivalRun
from mmlt.apis.train import run_stage
from mmlt.engine.console import console
from mmlt.engine.device import device_name
from mmlt.engine.lock import run_lock
from mmlt.engine.stages import Stage
from mmlt.files import atomic_write
from mmlt.schema import read_json

SHOWN = ('accuracy/top1', 'accuracy/many', 'accuracy/medium', 'accuracy/few')
VERSIONS = ('mmengine', 'numpy', 'pillow', 'torch', 'torchvision')


def compare_accuracy(
    config: str | Path,
    seeds: Sequence[int],
    precision: str | None = None,
    threads: int = 2,
    overrides: dict[str, Any] | None = None,
    out: str | Path | None = None,
) -> dict:
    """Train `config` with each seed by the rival's loop in fp32, then by mmlt; finished parts are reused.

    The rival's checkpoints lie in `rival` inside the folder of mmlt's run.

    Args:
        config: path of a config of plain cross entropy.
        seeds: training seeds.
        precision: of mmlt; the config's own by default.
        threads: of PyTorch.
        overrides: config overrides, for both.
        out: JSON file, written anew after each training.

    Returns:
        config, data, routes {rival, mmlt: one record a seed with epoch, metrics, precision, images_per_s ...}, and
        difference: of mmlt's mean to the rival's, in points, with each route's deviation over its seeds.
    """
    torch.set_num_threads(threads)
    stages = [Stage(config, seed, overrides or {}, precision) for seed in seeds]
    found = dict(
        case='accuracy',
        config=stages[0].name,
        overrides={name: str(value) for name, value in (overrides or {}).items()},
        data=stages[0].loader.dataset.fingerprint(),
        epochs=stages[0].cfg.train_cfg.max_epochs,
        device=device_name(),
        versions={**{name: version(name) for name in VERSIONS}, 'python': platform.python_version()},
        routes=dict(rival=[], mmlt=[]),
        difference={},
    )

    def add(route: str, seed: int, record: dict) -> None:
        found['routes'][route].append(dict(seed=seed, **record))
        found['difference'] = differences(found['routes'])
        if out:
            atomic_write(out, json.dumps(found, indent=2, allow_nan=False) + '\n')

    for seed, stage in zip(seeds, stages, strict=True):
        record = rival_record(stage)
        add('rival', seed, record)
        result = run_stage(stage, resume=True, needed_by='the comparison of accuracy')
        kept = {key: result[key] for key in ('precision', 'images_per_s', 'wall_seconds', 'config_hash', 'versions', 'device')}
        add('mmlt', seed, dict(epoch=result['last']['epoch'], metrics=result['last']['metrics'], **kept))
    return found


def rival_record(stage: Stage) -> dict:
    """The rival's figures for one seed, from a file where it is finished; reading waits for another process there."""
    folder = stage.folder / 'rival'
    with run_lock(folder, wait=True):
        file = folder / 'record.json'
        if file.is_file():
            with suppress(ValueError, KeyError, TypeError):  # a file of somebody's own
                kept = read_json(file)
                if kept['config_hash'] == stage.config_hash:
                    return kept
        about = dict(precision='fp32', workers=WORKERS, config_hash=stage.config_hash)
        record = dict(RivalRun(stage, folder).run(lambda line: console.print(line, markup=False)), **about)
        atomic_write(file, json.dumps(record, indent=2, allow_nan=False) + '\n')
    return record


def differences(routes: dict[str, list[dict]]) -> dict:
    """Over the seeds that both routes have: mmlt's mean minus the rival's, and each one's deviation (None for one seed).

    Args:
        routes: rival and mmlt, lists of records with `seed` and `metrics`.

    Returns:
        {metric: {points, rival_mean, mmlt_mean, rival_deviation, mmlt_deviation}} in percent, and nothing while no seed
        is finished by both.
    """
    seeds = {record['seed'] for record in routes['rival']} & {record['seed'] for record in routes['mmlt']}
    found = {}
    for name in SHOWN if seeds else ():
        values = {
            route: [record['metrics'][name] for record in records if record['seed'] in seeds and name in record['metrics']]
            for route, records in routes.items()
        }
        if not all(values.values()):  # a shot group without a class
            continue
        mean = {route: statistics.mean(numbers) for route, numbers in values.items()}
        deviation = {
            route: round(statistics.stdev(numbers), 3) if len(numbers) > 1 else None for route, numbers in values.items()
        }
        found[name] = dict(
            points=round(mean['mmlt'] - mean['rival'], 3),
            rival_mean=round(mean['rival'], 3),
            mmlt_mean=round(mean['mmlt'], 3),
            rival_deviation=deviation['rival'],
            mmlt_deviation=deviation['mmlt'],
            seeds=sorted(seeds),
        )
    return found


def accuracy_table(found: dict) -> Table:
    """One row a training, then the difference of the means."""
    table = Table('route', 'seed', title=f'{found["config"]}, {found["epochs"]} epochs, last epoch, percent')
    for name in SHOWN:
        table.add_column(name.removeprefix('accuracy/'), justify='right')
    table.add_column('images/s', justify='right')
    for route, records in found['routes'].items():
        for record in records:
            cells = [f'{record["metrics"][name]:.2f}' if name in record['metrics'] else '' for name in SHOWN]
            table.add_row(f'{route} {record["precision"]}', str(record['seed']), *cells, f'{record["images_per_s"]:,.0f}')
        table.add_section()
    table.add_row('mmlt - rival', 'mean', *(
        f'{found["difference"][name]["points"]:+.2f}' if name in found['difference'] else '' for name in SHOWN
    ), '')  # fmt: skip
    return table
