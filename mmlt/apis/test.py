"""Evaluate a checkpoint on a config's test set."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process

from mmlt.analysis.evaluation_files import write_evaluation
from mmlt.analysis.results import evaluation, make_record, write_by_label_csv, write_per_class_csv
from mmlt.apis.adjustment import Adjustment
from mmlt.apis.aggregation import aggregate, aggregation_of
from mmlt.apis.ensemble import join
from mmlt.apis.final_test import split_of, tuned_values
from mmlt.apis.inputs import check_files, say_skipped, skipped
from mmlt.apis.posthoc import adjust_model
from mmlt.apis.results import Results
from mmlt.config.find import config_name, find_config
from mmlt.config.load import load_config
from mmlt.engine.agreement import check_classes, class_folders
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.completing import tell_backbone
from mmlt.engine.device import device_name, resolve_precision, start_processes
from mmlt.engine.finished import put_weights
from mmlt.engine.runner import LongTailedRunner
from mmlt.errors import UserError
from mmlt.files import sha256_of


def test(
    config: str | Path,
    checkpoint: str | Path | Sequence[str | Path],
    precision: str | None = None,
    overrides: dict[str, Any] | None = None,
    launcher: str = 'none',
    work_dir: str | Path | None = None,
    adjustment: Adjustment | None = None,
    aggregate_experts: bool = False,
    out: str | Path | None = None,
) -> Results:
    """Evaluate `checkpoint` with the model and the test set of `config`, and write the full evaluation.

    Args:
        config: path of a config, or its path below `configs`.
        checkpoint: a checkpoint of mmlt, or a file that `tools/publish_model.py` wrote; or several, whose mean probabilities
            are evaluated; the first is one of `config`.
        precision: `fp32` or `bf16`; the checkpoint's own by default.
        overrides: config overrides.
        launcher: `none`, `pytorch` or `slurm`.
        work_dir: folder for `per_class.csv`; `test` beside the checkpoint by default.
        adjustment: a correction to put on the model first; the file is then `per_class_<adjust>.csv`.
        aggregate_experts: weight the experts first by what the unlabelled test images say; `aggregated` is then part of
            the file's name.
        out: the file that the record will be written to: `evaluation.json` and `evaluation_images.npz` then go beside it
            (see `mmlt.analysis.evaluation_files.file_names`), else beside `per_class.csv`, and are named as that is.

    Returns:
        A record as `mmlt.analysis.results.RECORD` has it, with the training data in `data`, the metrics in `last`, nothing
        in `best` and `evaluated_epochs`, and the checkpoint's run as the prerequisite `model` (of several `model.0`, ...); and
        besides: `checkpoint` (path, SHA-256, epoch), `test_data`, `metrics`, `per_class` rows, `adjustment`, `aggregation` and
        `ensemble` (a `checkpoint` entry each) if there is one.

    Raises:
        UserError: the checkpoint is damaged, or has another architecture or number of classes than the config; several
            checkpoints that do not go together, or are to be corrected.
    """
    checkpoint, *others = [checkpoint] if isinstance(checkpoint, (str, Path)) else checkpoint
    if others and (adjustment or aggregate_experts):
        raise UserError('--adjust and --aggregate correct one model: give one checkpoint, or leave them out.')
    start_processes(launcher)
    path = find_config(config)
    content = load_checkpoint(checkpoint)
    meta = content['meta']
    aside = dict(holdout=True) if (meta.get('outcome') or {}).get('holdout') else {}  # the sets are those of the training
    cfg = load_config(path, {**aside, **(overrides or {})})
    cfg.precision, fallback = resolve_precision(precision or meta.get('precision') or cfg.get('precision', 'fp32'))
    folder = Path(work_dir or Path(checkpoint).parent / 'test')  # never over the run's own files
    data = {kind: cfg.get(f'{kind}_dataloader', {}).get('dataset', {}) for kind in ('train', 'val', 'test')}
    if cfg.get('train_dataloader', {}).get('classes'):
        cfg.test_dataloader.classes = list(meta.get('classes') or [])
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'val_dataloader', 'val_cfg'):
        cfg.pop(key, None)
    for key in ('val_evaluator', 'load_from'):
        cfg.pop(key, None)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{path.stem}_test_{time.time_ns()}'
    cfg.log_level = 'WARNING'
    cfg.default_hooks = dict.fromkeys(
        ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
    )
    cfg.launcher = 'none'  # every rank holds a whole model; the loader and the metric share the images out
    classes = len(meta.get('class_counts') or [])
    if classes and 'head' in cfg.get('model', {}):
        cfg.model.head.setdefault('num_classes', classes)  # where the config leaves them to the data
    tell_backbone(cfg)
    runner = LongTailedRunner.from_cfg(cfg)
    if classes and classes != runner.bare_model.num_classes:
        raise UserError(
            f'{checkpoint} was trained on {classes} classes and {path.name} has {runner.bare_model.num_classes}: '
            'use the config it was trained with.'
        )
    put_weights(runner.bare_model, content, checkpoint)
    tested = runner.test_loop.dataloader.dataset
    names = tested.metainfo.get('classes')
    check_classes(
        meta.get('classes') or names or [], names, f'what {checkpoint} was trained on', meta.get('class_folders'),
        class_folders(tested),
    )  # fmt: skip
    check_files({'test': tested})
    say_skipped({'test': tested})
    joined = [meta, *join(runner.bare_model, meta, others)] if others else []
    aggregated = aggregate(runner, aggregation_of(cfg)) if aggregate_experts else None
    adjusted = adjust_model(adjustment, runner, data, meta, config_name(path)) if adjustment else None
    start = time.perf_counter()
    metrics = runner.test()
    seconds = time.perf_counter() - start
    if adjustment and adjustment.adjust == 'ncm':  # cosines are no probabilities, so nothing can be said of calibration
        metrics = {name: value for name, value in metrics.items() if name.startswith('accuracy/')}
    details = runner.test_loop.details
    dataset = runner.test_loop.dataloader.dataset
    sources = [
        dict(file=str(path), sha256=sha256_of(path), epoch=own.get('epoch'))
        for path, own in zip([checkpoint, *others], joined or [meta], strict=True)
    ]
    runs = [dict(run=str(Path(one['file']).parent), checkpoint_sha256=one['sha256']) for one in sources]
    record = make_record(
        config=config_name(path),
        **{**_origin(meta), **(dict(seed=None) if len({own.get('seed') for own in joined}) > 1 else {})},
        overrides=overrides or {},
        **({'skipped': left} if (left := skipped({'test': dataset})) else {}),
        precision=cfg.precision,
        device=device_name(),
        world_size=get_world_size(),
        seconds=seconds,
        images=len(dataset),
        shot_groups=details.get('shot_groups', {}),
        last=evaluation(meta.get('epoch'), metrics),
        best=evaluation(None, {}),
        evaluated_epochs=[],
        prerequisites={f'model.{place}' if others else 'model': run for place, run in enumerate(runs)},
        checkpoint=sources[0],
        test_data=dataset.fingerprint(),
        evaluated_on=split_of(dataset),
        **tuned_values(runner),
        metrics=metrics,
        per_class=details.get('per_class', []),
        note=fallback,
        **(dict(aggregation=aggregated) if aggregated else {}),
        **(dict(adjustment=adjusted) if adjusted else {}),
        **(dict(ensemble=sources) if others else {}),
    )
    words = [*(['aggregated'] if aggregated else []), *([adjustment.adjust] if adjustment else [])]
    words += ['ensemble'] if others else []
    if is_main_process() and (full := runner.test_loop.evaluation(not adjustment or adjustment.adjust != 'ncm')):
        place = out or folder / f'{"_".join(["results", *words])}.json'
        write_evaluation(place, full.record(split_of(dataset)), full.arrays())
    if is_main_process() and details.get('by_label'):
        write_by_label_csv(folder / f'{"_".join(["by_label", *words])}.csv', details['by_label'])
    if is_main_process() and details.get('per_class'):
        write_per_class_csv(folder / f'{"_".join(["per_class", *words])}.csv', details['per_class'])
    return Results(record)


def _origin(meta: dict) -> dict:
    """What a checkpoint knows about the run it comes from; a converted one knows little more than its class counts."""
    outcome, counts = meta.get('outcome') or {}, meta.get('class_counts') or []
    unknown = dict.fromkeys(('profile', 'imbalance_ratio', 'protocol', 'indices_sha256', 'content_sha256'))
    epochs = (outcome.get('train_cfg') or {}).get('max_epochs')
    return dict(
        config_hash=meta.get('config_hash') or '',
        seed=meta.get('seed'),
        data=outcome.get('data') or dict(dataset='unknown', num_images=sum(counts), **unknown),
        epochs=epochs,
        finished=epochs is not None and meta.get('epoch') == epochs and not meta.get('step'),
    )
