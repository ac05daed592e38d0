"""Train a config and whatever it needs."""

import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_world_size, is_main_process
from mmengine.registry import DefaultScope

from mmlt.analysis.report import REPORT_FILE, write_report
from mmlt.analysis.results import write_per_class_csv, write_results
from mmlt.apis.agreement import check_classes, check_counts, check_input, seen_size
from mmlt.apis.config import hash_of
from mmlt.apis.corrections import double_correction
from mmlt.apis.stages import Stage, check_folder
from mmlt.detection import FasterRCNN
from mmlt.engine.checkpoint import checkpoints_of, load_checkpoint, load_weights
from mmlt.engine.console import say, set_log_file
from mmlt.engine.device import device_name, start_processes
from mmlt.engine.hooks import peak_memory_mb
from mmlt.engine.lock import run_lock
from mmlt.engine.runner import LongTailedRunner
from mmlt.errors import UserError
from mmlt.files import sha256_of
from mmlt.models.classifiers import LongTailedClassifier
from mmlt.registry import MODELS

PACKAGES = ('mmengine', 'numpy', 'torch', 'torchvision')


def train(
    config: str | Path,
    seed: int = 0,
    work_dir: str | Path | None = None,
    resume: bool = False,
    precision: str | None = None,
    overrides: dict[str, Any] | None = None,
    launcher: str = 'none',
) -> dict:
    """Train `config`; what it needs and is not there yet is trained first, what is finished is reused.

    Args:
        config: path of a config, or its path below `configs`.
        seed: training seed.
        work_dir: folder of this run alone; its prerequisites stay below `work_dirs`.
        resume: go on with an unfinished run in the folder.
        precision: `fp32` or `bf16` instead of the config's.
        overrides: `{'train_dataloader.batch_size': 64, ...}`.
        launcher: `none`, `pytorch` (torchrun) or `slurm`.

    Returns:
        The content of the run's results.json, and `folder`.

    Raises:
        UserError: anything the user can put right.
    """
    start_processes(launcher)
    stage = Stage(config, seed, overrides or {}, precision, work_dir=Path(work_dir) if work_dir else None)
    return run_stage(stage, resume=resume, launcher=launcher)


def run_stage(stage: Stage, resume: bool = False, launcher: str = 'none', needed_by: str | None = None) -> dict:
    """Train one prepared stage, or give back the results of the finished run that equals it.

    Args:
        stage: the stage.
        resume: go on with an unfinished run.
        launcher: as `train`.
        needed_by: name of the run this one is a prerequisite of: it is then resumed, and waited for, by itself.
    """
    teachers = {}
    for role, needed in stage.prerequisites.items():
        if isinstance(needed, Stage):
            result = run_stage(needed, resume=True, launcher=launcher, needed_by=stage.name)
            teachers[role] = Path(result['folder']) / result['checkpoint']['file']
        else:
            teachers[role] = needed
    with run_lock(stage.folder, wait=needed_by is not None):
        found = [stage.finished()]
        broadcast_object_list(found)
        if found[0]:
            why = f'needed by {needed_by}' if needed_by else 'nothing to do'
            say(f'{stage.name}, seed {stage.seed}: finished before in {found[0]["folder"]} ({why})')
            if is_main_process():
                ensure_report(Path(found[0]['folder']))
            return found[0]
        if (needed_by or not resume) and checkpoints_of(stage.folder):
            check_folder(stage, needed_by)
        outcome = stage.outcome  # before the Runner's own entries come into the config
        before = set_log_file(stage.folder / 'train.log')
        try:
            return run_alone(stage, outcome, teachers, resume, launcher, needed_by)
        finally:
            set_log_file(before)


def run_alone(
    stage: Stage,
    outcome: dict,
    teachers: dict[str, Path],
    resume: bool,
    launcher: str,
    needed_by: str | None = None,
) -> dict:
    """Train one stage whose prerequisites are finished; the caller holds the folder's lock."""
    trained_on = stage.loader.dataset.metainfo
    check_counts(trained_on['classes'], trained_on['class_counts'])
    check_classes(trained_on['classes'], stage.val_loader.dataset.metainfo.get('classes'))
    runner = build_runner(stage, resume, launcher)
    runner.image_size = seen_size(runner.bare_model, stage.loader.dataset)
    prerequisites = {}
    for role, path in teachers.items():
        attach(runner.bare_model, role, path, runner.image_size)
        prerequisites[role] = dict(run=str(path.parent), checkpoint_sha256=sha256_of(path))
    runner.identity = dict(
        outcome=outcome,
        teachers={role: item['checkpoint_sha256'] for role, item in prerequisites.items()},
        config=stage.name,
        config_hash=stage.config_hash,
    )
    data = stage.loader.dataset
    why = f' (needed by {needed_by})' if needed_by else ''
    say(f'{stage.name}{why}, seed {stage.seed}: {len(data.labels):,} images of {len(data.metainfo["classes"])} classes, '
        f'{runner.cfg.train_cfg.max_epochs} epochs, {stage.cfg.precision}, {device_name()}')  # fmt: skip
    say(f'  folder {stage.folder}')
    if stage.fallback:
        say(f'  {stage.fallback}')
    if doubled := double_correction(stage.cfg):
        say(f'  {doubled}')
    runner.train()
    seconds = runner.elapsed()
    record = results_of(stage, runner, prerequisites, seconds)
    if is_main_process():
        metric = runner.val_loop.evaluator.metrics[0]
        if getattr(metric, 'details', None):
            write_per_class_csv(stage.folder / 'per_class.csv', metric.details['per_class'])
        write_results(stage.folder, record)  # from here on the run counts as finished
        write_report(stage.folder)
    minutes, rest = divmod(round(seconds), 60)
    say(f'{stage.name}: finished in {minutes}:{rest:02} min, {record["images_per_s"]:.0f} images/s')
    runner.leave_if_asked()
    return {**record, 'folder': str(stage.folder)}


def ensure_report(folder: Path) -> None:
    """Write a finished run's page; a run killed just before it is given one when it is next asked for."""
    if not (folder / REPORT_FILE).is_file():
        write_report(folder)


def build_runner(stage: Stage, resume: bool = False, launcher: str = 'none') -> LongTailedRunner:
    """The Runner of one stage, its model built and nothing trained."""
    cfg = stage.cfg
    if cfg.optim_wrapper.get('type', 'PrecisionOptimWrapper') == 'PrecisionOptimWrapper':
        cfg.optim_wrapper.precision = cfg.precision
    cfg.work_dir = str(stage.folder)
    cfg.experiment_name = f'{Path(stage.name).name}_{time.time_ns()}'
    cfg.log_level = 'WARNING'
    cfg.launcher = launcher
    cfg.resume = resume
    cfg.seed = stage.seed
    cfg.randomness = dict(seed=stage.draw_seed)
    if launcher != 'none' and not torch.cuda.is_available():
        cfg.model_wrapper_cfg = dict(  # on CPUs the same as MMEngine's own on GPUs
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    runner = LongTailedRunner.from_cfg(cfg)
    runner._train_dataloader = stage.loader
    runner._val_dataloader = stage.val_loader
    return runner


def load_classifier(path: str | Path) -> LongTailedClassifier:
    """Rebuild the classifier that a checkpoint describes, through registered names alone, and load its weights."""
    return classifier_of(load_checkpoint(path), path)


def classifier_of(content: dict, path: str | Path) -> LongTailedClassifier:
    """See `load_classifier`; `content` is that of the checkpoint `path`."""
    model = build_stored(content['meta'].get('model'), path)
    load_weights(model, content['state_dict'], path)
    model.refresh_class_counts()
    return model


def build_stored(cfg: Any, source: str | Path) -> LongTailedClassifier:
    """The model that a checkpoint's config describes: data from a stranger, so registered names only, and no loading.

    Raises:
        UserError: it is no model's config, or names something that is not registered or would fetch or run more.
    """
    why = f'the checkpoint {source} describes a model that cannot be built'
    try:
        # Inside this scope, parts of other packages look up the parts they need in mmlt's registries too.
        with DefaultScope.overwrite_default_scope('mmlt'):
            model = MODELS.build(harmless(cfg))
    except UserError as error:
        raise UserError(f'{why}: {error}') from error
    except Exception as error:  # arguments that no constructor takes, in any way
        raise UserError(f'{why} ({type(error).__name__}: {error}): use another one.') from error
    if not isinstance(model, (LongTailedClassifier, FasterRCNN)):
        raise UserError(f'{why}: {type(model).__name__} is no classifier or detector of mmlt; use another one.')
    return model


def harmless(node: Any) -> Any:
    """A stored model config without what would load further files; every type in it must be a registered name.

    Raises:
        UserError: a type with a dot that is no registered name, or one that downloads code.
    """
    if isinstance(node, (list, tuple)):
        return [harmless(item) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get('type')
    if isinstance(name, str):
        if 'HuggingFace' in name:
            raise UserError(f'type {name!r} fetches code from elsewhere and is not taken from a checkpoint.')
        scope = name.rpartition('.')[0]
        if scope not in ('', 'mmlt', 'mmengine', 'mmpretrain') and scope not in sys.modules:
            raise UserError(f'type {name!r} would import {scope}, which a checkpoint may not: import it in your config.')
        if scope:
            MODELS.get(name)
    dropped = ('init_cfg', 'pretrained', 'checkpoint_path', '_scope_')
    return {key: harmless(item) for key, item in node.items() if key not in dropped}


def attach(model: LongTailedClassifier, role: str, path: Path, image_size: list[int] | None = None) -> None:
    """Give a model its prerequisite: a method takes role `x` with its method `attach_x`.

    Args:
        model: the model.
        role: of the prerequisite.
        path: its checkpoint.
        image_size: height and width of the images that the model is trained on, where known.

    Raises:
        UserError: the method knows no such role, or the checkpoint does not fit.
    """
    taker = getattr(model, f'attach_{role}', None)
    if taker is None:
        raise UserError(f'{type(model).__name__} takes no prerequisite called {role!r}: correct the config.')
    content = load_checkpoint(path)
    other = classifier_of(content, path)
    taker(other)
    check_input(model, other, role, (image_size, content['meta'].get('image_size')))


def results_of(stage: Stage, runner: LongTailedRunner, prerequisites: dict, seconds: float) -> dict:
    """The content of results.json for a finished run."""
    last = runner.history[-1]
    best = max(runner.history, key=lambda record: record['metrics'].get('accuracy/top1', 0.0))
    selected_on = 'holdout' if getattr(stage.val_loader.dataset, 'split', None) == 'holdout' else 'test'
    details = getattr(runner.val_loop.evaluator.metrics[0], 'details', None) or {}
    epochs = runner.epoch  # fewer than planned where a hook ended the run
    checkpoint = f'epoch_{epochs}.pth'
    dataset = stage.loader.dataset
    return dict(
        schema=1,
        config=stage.name,
        config_hash=hash_of(stage.outcome),
        overrides={name: str(value) for name, value in stage.overrides.items()},
        seed=stage.seed,
        precision=stage.cfg.precision,
        route=runner.route,
        finished=True,
        wall_seconds=round(seconds, 1),
        images_per_s=round(epochs * len(dataset.labels) / seconds, 1),
        peak_memory_mb=round(peak_memory_mb()),
        device=device_name(),
        world_size=get_world_size(),
        versions={**{name: version(name) for name in PACKAGES}, 'python': platform.python_version()},
        data=dataset.fingerprint(),
        epochs=epochs,
        shot_groups=details.get('shot_groups', {}),
        last=dict(epoch=last['epoch'], selected_on=None, metrics=last['metrics']),
        best=dict(epoch=best['epoch'], selected_on=selected_on, metrics=best['metrics']),
        evaluated_epochs=runner.evaluated_epochs,
        prerequisites=prerequisites,
        checkpoint=dict(file=checkpoint, sha256=sha256_of(stage.folder / checkpoint)),
    )
