"""Prepared runs: a config, its data, its prerequisites, the hash of what it will give, the folder it lives in."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import get_world_size

from mmlt.config.check import FACTS, check_parts
from mmlt.config.find import config_name, find_beside, find_config
from mmlt.config.load import load_config
from mmlt.config.outcome import by_content, handed_on, hash_of, outcome_of, overrides_hash
from mmlt.config.values import check_complete
from mmlt.engine.building import building, initial_weights
from mmlt.engine.checkpoint import latest_checkpoint
from mmlt.engine.completing import complete_model
from mmlt.engine.device import resolve_precision
from mmlt.engine.global_batch import share_global_batch
from mmlt.engine.loader import BatchLoader, build_loader
from mmlt.engine.selection import without_selection
from mmlt.engine.shared_data import forget_changeable, scaling_of, shared_dataset
from mmlt.errors import UserError, changed
from mmlt.files import sha256_of
from mmlt.models.pretrained import pretrained_files
from mmlt.plain import plain
from mmlt.schema import problem, read_json

# What a record must have to be looked at as that of a finished run.
FINISHED = {
    'finished': (bool,),
    'config_hash': (str,),
    'evaluated_epochs': [(int,)],
    'checkpoint': {'file': (re.compile(r'epoch_\d+\.pth'),), 'sha256': (str,)},
}


def check_seeds(seeds: list[int]) -> None:
    """Refuse seeds that are none, or that stand there twice, before anything is trained.

    Raises:
        UserError: naming the first of them.
    """
    for seed in seeds:
        if not 0 <= seed < 2**63:
            raise UserError(f'the seed must be at least 0 and below 2^63, not {seed}.')
        if seeds.count(seed) > 1:
            raise UserError(f'seed {seed} is named {seeds.count(seed)} times: give each seed once.')


@dataclass
class Need:
    """A finished run, or one to be trained first, that a run builds on.

    Args:
        source: the run, or a checkpoint.
        role: what it is needed as, for instance `teacher`.
        classes: names of the run's classes, or their places, in the order of the needed model's own; None where both have
            the same, or the names tell.
        parts: names of the parts whose weights are taken (`init` alone); none for all.
    """

    source: 'Stage | Path'
    role: str
    classes: list | None = None
    parts: list[str] = field(default_factory=list)

    @cached_property
    def identity(self) -> str | dict:
        """What it is, as plain data: the hash of its outcome or of the file; a dict where more than that decides.

        Raises:
            UserError: the file is not there.
        """
        if isinstance(self.source, Stage):
            own = self.source.config_hash
        elif self.source.is_file():
            own = sha256_of(self.source)
        else:
            raise UserError(f'the config names {self.source} as its {self.role}, which is not there: correct the path.')
        more = {name: value for name, value in dict(classes=self.classes, parts=self.parts).items() if value}
        return dict(run=own, **more) if more else own


def one_or_all(values: list, several: bool) -> Any:
    """The list where the config gives one, else its only value."""
    return values if several else values[0]


@dataclass
class Stage:
    """One training run, resolved: nothing is trained by making it.

    Args:
        config: path of the config.
        seed: the training seed; prerequisites are trained with it too.
        overrides: config overrides; those of the data and `compile` hold for the prerequisites.
        precision: instead of the config's, for the prerequisites too.
        work_root: folder below which runs lie.
        work_dir: folder of this run alone.
        needed_by: configs that need this one, the outermost first.
        facts: what the config that needs this one states of the data (`data_root`, `image_size`); it holds here too, unless
            an override says otherwise.
        keeps_data: whether the data sets that this process has read are taken as they are.
    """

    config: str | Path
    seed: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None
    work_root: Path = Path('work_dirs')
    work_dir: Path | None = None
    needed_by: tuple[Path, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    keeps_data: bool = False

    def __post_init__(self) -> None:
        check_seeds([self.seed])
        if not self.needed_by and not self.keeps_data:
            forget_changeable()
        self.path = find_config(self.config)
        if self.path in self.needed_by:
            raise UserError(f'{self.path} needs itself as a prerequisite: name another config there.')
        self.name = config_name(self.path)
        self.cfg: Config = load_config(self.path, self.overrides)
        told = {name: value for name, value in self.facts.items() if name in self.cfg and self.cfg[name] != value}
        if told:
            self.overrides = {**told, **self.overrides}
            self.cfg = load_config(self.path, self.overrides)
        check_complete(self.cfg, self.path)
        check_parts(dict(self.cfg.items()))
        if (begins := self.cfg.get('load_from')) and not Path(begins).is_file():
            raise UserError(
                f'load_from names {begins}, and there is no such file: '
                + ('download it, and name the file.' if '://' in begins else 'correct the path.')
            )
        share_global_batch(self.cfg, get_world_size())
        self.own_precision = self.cfg.get('precision', 'fp32')  # what the config itself asks for
        self.cfg.precision, self.fallback = resolve_precision(self.precision or self.own_precision)
        named = self.cfg.get('prerequisites') or {}
        self.several = {role for role, needed in named.items() if isinstance(needed, (list, tuple))}
        # What is needed must not have seen the images that are set aside either.
        overrides = {**self.overrides, **(dict(holdout=True) if self.cfg.get('holdout') else {})}
        common = dict(overrides=handed_on(overrides), precision=self.precision, work_root=self.work_root)
        common['facts'] = {name: self.cfg[name] for name in FACTS if name in self.cfg}
        self.prerequisites = needs_of(named, self.path, self.seed, needed_by=(*self.needed_by, self.path), **common)
        complete_model(self.cfg, lambda: len(self.loader.dataset.metainfo['classes']))

    def with_seed(self, seed: int) -> 'Stage':
        """The same run by another seed."""
        return replace(self, seed=seed, keeps_data=True)

    @property
    def needs(self) -> list[Need]:
        """All prerequisites, whatever their role."""
        return [need for needs in self.prerequisites.values() for need in needs]

    @cached_property
    def loader(self) -> BatchLoader:
        """The training loader."""
        cfg = dict(self.cfg.train_dataloader)
        with building('train_dataloader'):
            cfg['dataset'] = shared_dataset(cfg['dataset'])
            return build_loader(cfg, self.draw_seed, training=True)

    @cached_property
    def val_loader(self) -> BatchLoader:
        """The loader of the evaluation while training, on the classes that are trained."""
        cfg = dict(self.cfg.val_dataloader)
        if self.cfg.train_dataloader.get('classes'):
            cfg['classes'] = list(self.loader.dataset.metainfo['classes'])
        with building('val_dataloader'):
            cfg['dataset'] = shared_dataset(cfg['dataset'])
            return build_loader(cfg)

    @cached_property
    def test_loader(self) -> BatchLoader | None:
        """The loader of the test set, for the end of a run with a hold-out; None without."""
        if not self.cfg.get('holdout'):
            return None
        cfg = dict(self.cfg.test_dataloader)
        if self.cfg.train_dataloader.get('classes'):
            cfg['classes'] = list(self.loader.dataset.metainfo['classes'])
        with building('test_dataloader'):
            cfg['dataset'] = shared_dataset(cfg['dataset'])
            return build_loader(cfg)

    @property
    def tested_on(self) -> Any:
        """The data set that the run's figures are of, whatever set its epochs are chosen on."""
        return (self.test_loader or self.val_loader).dataset

    @property
    def depth(self) -> int:
        """0 for a run without prerequisites, 1 for a student of such a run, and so on."""
        return max((need.source.depth + 1 for need in self.needs if isinstance(need.source, Stage)), default=0)

    @property
    def draw_seed(self) -> int:
        """Seed of weights, order and augmentation: a student does not repeat its teacher's draws."""
        depth = self.depth or (1 if self.prerequisites else 0)
        return int(np.random.SeedSequence((self.seed, depth)).generate_state(1)[0])

    @cached_property
    def outcome(self) -> dict:
        """What decides the run's result, as plain data.

        Raises:
            UserError: with a hold-out, the epochs would be chosen on the test images.
        """
        needs = {
            role: one_or_all([need.identity for need in needs], role in self.several)
            for role, needs in self.prerequisites.items()
        }
        files = [*initial_weights(self.cfg.model), *pretrained_files(self.cfg.model)]
        files += [self.cfg.load_from] if self.cfg.get('load_from') else []
        files += [hook['features_file'] for hook in self.cfg.get('custom_hooks') or [] if hook.get('features_file')]
        data, *evaluated_on = [each.dataset for each in (self.loader, self.val_loader, self.test_loader) if each is not None]
        # Verified pixels are fully named by the config. The content of other data sets is part of the outcome itself.
        content = [None if one.metainfo.get('verified') else one.fingerprint() for one in evaluated_on]
        if self.test_loader and content[0] is not None and content[0] == content[1]:
            raise UserError(
                'holdout=True, and val_dataloader names the images of the test set, in other words: give both the same '
                'dataset, and images are set aside, or name other images.'
            )
        sums = {Path(path): sha256_of(path) for path in files if Path(path).is_file()}
        outcome = outcome_of(
            self.cfg,
            data.fingerprint(),
            self.seed,
            get_world_size(),
            needs,
            reading=None if data.resident else self.cfg.train_dataloader.dataset,
            scaled_by=[backend for one in (data, *evaluated_on) if (backend := scaling_of(one)) not in (None, 'pillow')],
            weights=[sums[Path(path)] for path in files if Path(path) in sums],
            test_fingerprint=content[0],
            final_test_fingerprint=content[1] if self.test_loader else None,
        )
        return by_content(outcome, sums)

    @property
    def config_hash(self) -> str:
        """SHA-256 of `outcome`."""
        return hash_of(self.outcome)

    @property
    def folder(self) -> Path:
        """`work_dirs/<path below configs>[@<hash of the overrides>]/seed<k>`."""
        if self.work_dir:
            return self.work_dir
        relevant = dict(self.overrides)
        if self.precision and self.precision != self.own_precision:
            relevant['precision'] = self.precision
        mark = overrides_hash(relevant)
        return self.work_root / (self.name + (f'@{mark}' if mark else '')) / f'seed{self.seed}'

    def finished(self) -> dict | None:
        """The results of a finished run with this very outcome, in this folder or any other below `work_root`."""
        own = self.folder / 'results.json'
        others = [] if self.work_dir else sorted(self.work_root.rglob('seed*/results.json'))
        for path in [own, *others]:
            if not path.is_file():
                continue
            try:
                record = read_json(path)
            except (OSError, ValueError):
                continue
            if problem(record, FINISHED) or not record['finished'] or not record['evaluated_epochs']:
                continue  # somebody's file of that name, or the record of an evaluation; a run's own is whole or not there
            checkpoint = path.parent / record['checkpoint']['file']
            if record['config_hash'] == self.config_hash and checkpoint.is_file():
                return {**record, 'folder': str(path.parent)}
        return None


def needs_of(named: dict[str, dict | list[dict]], path: Path, seed: int = 0, **common: Any) -> dict[str, list[Need]]:
    """The prerequisites of a config by role.

    Args:
        named: what the config says.
        path: its file, from which others are named.
        seed: the training seed.
        common: further arguments of each `Stage`.
    """

    def need(role: str, one: dict) -> Need:
        more = dict(classes=plain(one.get('classes')), parts=plain(one.get('parts', [])))
        if more['parts'] and role != 'init':
            raise UserError(f"{path}: prerequisites.{role} names parts, which 'init' alone takes: leave them out.")
        if one.get('checkpoint'):
            return Need(Path(one['checkpoint']), role, **more)
        source = Stage(find_beside(path, one['config']), seed + one.get('seed_offset', 0), **common)
        return Need(source, role, **more)

    return {
        role: [need(role, one) for one in (needed if isinstance(needed, (list, tuple)) else [needed])]
        for role, needed in named.items()
    }


def check_folder(stage: Stage, needed_by: str | None = None, resume: bool = False) -> None:
    """Compare the checkpoints in a run's folder with the run.

    Args:
        stage: the run.
        needed_by: name of the run this one is a prerequisite of: it goes on with what is its own.
        resume: whether the run shall go on with them.

    Raises:
        UserError: unless it goes on; only where it is of use does it advise to resume.
    """
    found = latest_checkpoint(stage.folder)
    if found is None:
        if needed_by or resume:
            return
        raise UserError(
            f'{stage.folder} holds checkpoints that cannot be read: delete them, or choose another --work-dir '
            '(--resume sets them aside and starts anew).'
        )
    meta = found[1]['meta']
    before, now = meta.get('outcome') or {}, plain(stage.outcome)
    if resume:
        before, now = (without_selection(outcome, meta.get('history')) for outcome in (before, now))
    if needed_by:
        if before != now:
            raise UserError(
                f'{stage.folder}, where {needed_by} looks for the run it needs, holds one of another config '
                f'({changed(before, now, "outcome")}): move that folder away, or name a checkpoint '
                '(prerequisites.ROLE.checkpoint).'
            )
        return
    if resume:
        if before != now:
            raise UserError(
                f'cannot resume from {found[0]}: {changed(before, now, "outcome")}; train into another --work-dir, or restore '
                'the config.'
            )
        return
    if before == now:
        raise UserError(f'{stage.folder} holds an unfinished run: go on with --resume, or choose another --work-dir.')
    raise UserError(
        f'{stage.folder} holds a run of another config or of other data ({changed(before, now, "outcome")}): choose another '
        '--work-dir, or restore the config; --resume does not go on with a changed one.'
    )
