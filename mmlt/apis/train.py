"""Train a config and whatever it needs."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_world_size, is_main_process

from mmlt.analysis.evaluation_files import write_evaluation
from mmlt.analysis.results import (
    BY_LABEL_FILE,
    RESULTS_FILE,
    evaluation,
    make_record,
    read_results,
    write_by_label_csv,
    write_per_class_csv,
    write_results,
)
from mmlt.apis.final_test import Outcome, chosen_on, outcome_of_run, tuned_values
from mmlt.apis.inputs import check_inputs, say_skipped, skipped
from mmlt.apis.output import check_record
from mmlt.apis.pictures import draw_finished, note_drawn
from mmlt.apis.report import ensure_report, leave_report
from mmlt.apis.results import Results
from mmlt.config.outcome import hash_of
from mmlt.config.warnings import balanced_by_sampling, double_correction, late_schedules
from mmlt.datasets.views import view_of
from mmlt.engine.agreement import seen_size
from mmlt.engine.checkpoint import checkpoints_of
from mmlt.engine.console import say, set_log_file
from mmlt.engine.device import device_name, start_processes
from mmlt.engine.finished import attach
from mmlt.engine.global_batch import batch_in_words
from mmlt.engine.hooks import accuracies, peak_memory_mb
from mmlt.engine.lock import run_lock
from mmlt.engine.mmengine_compat import set_loaders
from mmlt.engine.runner import LongTailedRunner
from mmlt.engine.stages import Need, Stage, check_folder, one_or_all
from mmlt.errors import UserError
from mmlt.files import sha256_of


def train(
    config: str | Path,
    seed: int = 0,
    work_dir: str | Path | None = None,
    resume: bool = False,
    precision: str | None = None,
    overrides: dict[str, Any] | None = None,
    launcher: str = 'none',
) -> Results:
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
        The content of the run's results.json, and `folder`; see `Results` for `metrics`, `checkpoint`.

    Raises:
        UserError: anything the user can put right.
    """
    return train_seeds(config, [seed], work_dir, resume, precision, overrides, launcher)[0]


def train_seeds(
    config: str | Path,
    seeds: Sequence[int],
    work_dir: str | Path | None = None,
    resume: bool = False,
    precision: str | None = None,
    overrides: dict[str, Any] | None = None,
    launcher: str = 'none',
) -> list[Results]:
    """Train `config` by one seed after the other, see `train`.

    All runs are read before the first begins: a file that is edited meanwhile changes none of them.

    Args:
        seeds: one or more; all else is as for `train`.

    Raises:
        UserError: anything the user can put right.
    """
    start_processes(launcher)
    first = Stage(config, seeds[0], overrides or {}, precision, work_dir=Path(work_dir) if work_dir else None)
    stages = [first, *map(first.with_seed, seeds[1:])]
    return [Results(run_stage(stage, resume=resume, launcher=launcher)) for stage in stages]


def run_stage(stage: Stage, resume: bool = False, launcher: str = 'none', needed_by: str | None = None) -> dict:
    """Train one prepared stage, or give back the results of the finished run that equals it.

    Args:
        stage: the stage.
        resume: go on with an unfinished run.
        launcher: as `train`.
        needed_by: name of the run this one is a prerequisite of: it is then resumed, and waited for, by itself.
    """
    check_inputs(stage.loader.dataset, stage.val_loader.dataset)  # before hours of a teacher
    if stage.test_loader:
        check_inputs(stage.loader.dataset, stage.test_loader.dataset)
    finished = {}
    for role, needs in stage.prerequisites.items():
        finished[role] = [checkpoint_of(need, launcher, stage.name) for need in needs]
    with run_lock(stage.folder, wait=needed_by is not None):
        found = [stage.finished()]
        broadcast_object_list(found)
        if found[0]:
            found[0].update(read_results(found[0]['folder']))  # all of it is what a record must be
            why = f'needed by {needed_by}' if needed_by else 'nothing to do'
            say(f'{stage.name}, seed {stage.seed}: finished before in {found[0]["folder"]} ({why})')
            if is_main_process():
                ensure_report(Path(found[0]['folder']), stage.tested_on)
                if not needed_by:
                    draw_finished(stage.cfg, Path(found[0]['folder']))
            return found[0]
        if checkpoints_of(stage.folder):
            check_folder(stage, needed_by, resume)
        check_record(stage.folder, stage.config_hash)
        outcome = stage.outcome  # before the Runner's own entries come into the config
        before = set_log_file(stage.folder / 'train.log')
        try:
            return run_alone(stage, outcome, finished, resume, launcher, needed_by)
        finally:
            set_log_file(before)


def run_alone(
    stage: Stage,
    outcome: dict,
    finished: dict[str, list[Path]],
    resume: bool,
    launcher: str,
    needed_by: str | None = None,
) -> dict:
    """Train one stage whose prerequisites are finished; the caller holds the folder's lock."""
    runner = build_runner(stage, resume, launcher)
    runner.image_size = seen_size(runner.bare_model, stage.loader.dataset)
    runner.test_view = view_of(stage.tested_on) if runner.image_size else None
    prerequisites, teachers = {}, {}
    for role, paths in finished.items():
        pairs = list(zip(stage.prerequisites[role], paths, strict=True))
        attach(runner.bare_model, role, pairs, stage.loader.dataset, runner.image_size)
        sums = [sha256_of(path) for path in paths]
        teachers[role] = one_or_all(sums, role in stage.several)
        for place, (path, one) in enumerate(zip(paths, sums, strict=True)):
            name = f'{role}.{place}' if role in stage.several else role
            prerequisites[name] = dict(run=str(path.parent), checkpoint_sha256=one)
    runner.identity = dict(
        outcome=outcome,
        teachers=teachers,
        config=stage.name,
        config_hash=stage.config_hash,
    )
    data, test_data = stage.loader.dataset, stage.tested_on.fingerprint()  # while the test images are there
    why = f' (needed by {needed_by})' if needed_by else ''
    epochs = runner.cfg.train_cfg.max_epochs
    say(f'{stage.name}{why}, seed {stage.seed}: {len(data.labels):,} images of {len(data.metainfo["classes"])} classes, '
        f'{epochs} epoch{"s" if epochs != 1 else ""}, {stage.cfg.precision}, {device_name()}')  # fmt: skip
    say(f'  folder {stage.folder}')
    counts = stage.cfg.optim_wrapper.get('accumulative_counts', 1)
    if shared := batch_in_words(stage.loader.batch_size, get_world_size(), counts):
        say(f'  {shared}')
    say_skipped(evaluated_on(stage))
    if stage.test_loader:
        say(f'  chosen on {len(stage.val_loader.dataset):,} images that are not trained on; the test set waits for the end')
    if stage.fallback:
        say(f'  {stage.fallback}')
    balanced_by = [*runner.bare_model.corrections, *balanced_by_sampling(stage.cfg.train_dataloader)]
    for warning in filter(None, [double_correction(balanced_by), *late_schedules(stage.cfg)]):
        say(f'  {warning}')
    runner.train()
    seconds = runner.elapsed()
    outcome = outcome_of_run(stage, runner)
    record = results_of(stage, runner, outcome, test_data, prerequisites, seconds)
    if is_main_process():
        if rows := outcome.loop.details.get('per_class'):
            write_per_class_csv(stage.folder / 'per_class.csv', rows)
        if rows := outcome.loop.details.get('by_label'):
            write_by_label_csv(stage.folder / BY_LABEL_FILE, rows)
        if full := outcome.loop.evaluation():
            write_evaluation(stage.folder / RESULTS_FILE, full.record(outcome.split), full.arrays())
        write_results(stage.folder, record)  # from here on the run counts as finished
        leave_report(stage.folder, stage.tested_on)
        note_drawn(stage.cfg, stage.folder)
    minutes, rest = divmod(round(seconds), 60)
    say(f'{stage.name}: finished in {minutes}:{rest:02} min, {record["images_per_s"]:.0f} images/s')
    say_figures(record)
    runner.leave_if_asked()
    return {**record, 'folder': str(stage.folder)}


def say_figures(record: dict) -> None:
    """What the person waited for: the last epoch's accuracies, under them those of the run's teachers and first stages."""
    lines = [('after the last epoch' if record['last']['epoch'] == record['epochs'] else 'last', record['last']['metrics'])]
    for role, needed in record['prerequisites'].items():
        with suppress(UserError, OSError):
            lines.append((role, read_results(Path(needed['run']) / 'results.json')['last']['metrics']))
    width = max(len(name) for name, _ in lines)
    for name, metrics in lines:
        if shown := accuracies(metrics):
            say(f'  {name:{width}}  {"  ".join(shown)}')


def checkpoint_of(need: Need, launcher: str, needed_by: str) -> Path:
    """The checkpoint of a prerequisite, which is trained first if it is not there yet."""
    if not isinstance(need.source, Stage):
        return need.source
    result = run_stage(need.source, resume=True, launcher=launcher, needed_by=needed_by)
    return Path(result['folder']) / result['checkpoint']['file']


def build_runner(stage: Stage, resume: bool = False, launcher: str = 'none') -> LongTailedRunner:
    """The Runner of one stage, its model built and nothing trained."""
    cfg = stage.cfg
    if cfg.optim_wrapper.get('type', 'PrecisionOptimWrapper') == 'PrecisionOptimWrapper':
        cfg.optim_wrapper.precision = cfg.precision
    cfg.work_dir = str(stage.folder)
    cfg.experiment_name = f'{Path(stage.name).name}_{time.time_ns()}'
    told = any((hook or {}).get('type') == 'LoggerHook' for hook in cfg.default_hooks.values())
    cfg.log_level = cfg.get('log_level') or ('INFO' if told else 'WARNING')
    cfg.launcher = launcher
    cfg.resume = resume
    cfg.seed = stage.seed
    cfg.randomness = dict(seed=stage.draw_seed)
    if launcher != 'none' and (not torch.cuda.is_available() or cfg.get('static_graph')):
        cfg.model_wrapper_cfg = dict(  # MMEngine's own, which is for GPUs
            type='MMDistributedDataParallel',
            device_ids=[int(os.environ.get('LOCAL_RANK', '0'))] if torch.cuda.is_available() else None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
            static_graph=cfg.get('static_graph', False),
        )
    if cfg.get('sync_bn') and get_world_size() > 1 and not torch.cuda.is_available():
        raise UserError('sync_bn needs GPUs (torch has no synchronised batch normalisation for CPUs): leave it out here.')
    runner = LongTailedRunner.from_cfg(cfg)
    set_loaders(runner, stage.loader, stage.val_loader, stage.test_loader)
    return runner


def evaluated_on(stage: Stage) -> dict:
    """The sets of a run by what they are for."""
    sets = dict(training=stage.loader.dataset)
    if stage.test_loader:
        sets[chosen_on(stage)] = stage.val_loader.dataset
    return dict(sets, test=stage.tested_on)


def results_of(
    stage: Stage, runner: LongTailedRunner, outcome: Outcome, test_data: dict, prerequisites: dict, seconds: float
) -> dict:
    """The content of results.json for a finished run."""
    last, best = outcome.last, outcome.best
    epochs = runner.epoch  # fewer than planned where a hook ended the run
    checkpoint = f'epoch_{epochs}.pth'
    dataset = stage.loader.dataset
    return make_record(
        config=stage.name,
        config_hash=hash_of(stage.outcome),
        overrides=stage.overrides,
        seed=stage.seed,
        precision=stage.cfg.precision,
        device=device_name(),
        world_size=get_world_size(),
        seconds=seconds,
        images=epochs * stage.loader.images,
        data=dataset.fingerprint(),
        **({'skipped': left} if (left := skipped(evaluated_on(stage))) else {}),
        test_data=test_data,
        evaluated_on=outcome.split,
        **(dict(holdout=outcome.holdout) if outcome.holdout else {}),
        **tuned_values(runner),
        epochs=epochs,
        finished=True,
        shot_groups=outcome.loop.details.get('shot_groups', {}),
        last=evaluation(last['epoch'], last['metrics']),
        best=evaluation(
            best['epoch'], best['metrics'], chosen_on(stage),
            runner.selection.name(runner.selection.best(runner.history)['metrics']),
        ),  # fmt: skip
        evaluated_epochs=runner.evaluated_epochs,
        prerequisites=prerequisites,
        checkpoint=dict(file=checkpoint, sha256=sha256_of(stage.folder / checkpoint)),
        route=runner.route,
        peak_memory_mb=round(peak_memory_mb()),
    )
