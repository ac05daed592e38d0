"""Every config in `configs/` builds on a tiny stand-in for CIFAR or on the digits; those that differ in more than numbers
train two steps and evaluate.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt import priors
from mmlt.apis.train import build_runner
from mmlt.config.find import config_roots
from mmlt.engine.loops import EvalLoop
from mmlt.engine.runner import LongTailedRunner
from mmlt.engine.stages import Stage
from mmlt.registry import MODELS

ROOT = config_roots()[0]
DETECTION = 'detection'  # its configs have a test of their own
PHOTOS, FOUNDATION = 'photos', 'foundation'  # configs for a user's own images, stood in for by a few small ones
CONFIGS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('[!_]*/*.py') if path.parent.name != DETECTION)
TRAIN_IMAGES = {10: 8, 100: 4}  # a class
LARGE = {'imagenetlt': 1000, 'placeslt': 365, 'inat18': 8142}  # classes
# What is added to a trunk moves in the second step, and little.
TINY_TRUNK = {'model.backbone.model_name': 'test_vit', 'optim_wrapper.optimizer.lr': 0.1}
STEPPED = set()  # structures of the configs that have been stepped in this process


@pytest.fixture(scope='module')
def small_cifar(tmp_path_factory) -> dict[int, Path]:
    """Balanced sets of random 32x32 images in CIFAR's form, by number of classes."""
    rng = np.random.default_rng(0)
    folders = {}
    for classes, images in TRAIN_IMAGES.items():
        folders[classes] = tmp_path_factory.mktemp(f'cifar{classes}')
        for split, count in (('train', images), ('test', 1)):
            labels = np.repeat(np.arange(classes), count)
            pixels = rng.integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
            np.savez(folders[classes] / f'{split}.npz', images=pixels, labels=labels)
    return folders


@pytest.fixture(scope='module')
def small_lists(tmp_path_factory) -> Path:
    """Lists of the large sets, every class of which has one training image, the same small JPEG; and 16 images to test on."""
    folder = tmp_path_factory.mktemp('large')
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / 'x.jpg')
    for label in range(max(LARGE.values())):
        os.link(folder / 'x.jpg', folder / f'{label}.jpg')
    for classes in LARGE.values():
        for split, count in (('train', classes), ('test', 16)):
            (folder / f'{split}_{classes}.txt').write_text(''.join(f'{label}.jpg {label}\n' for label in range(count)))
    return folder


def large_set(config: str) -> str | None:
    """Which of the large sets a config is for, by its file's name; None for the others."""
    return next((name for name in LARGE if f'_{name}' in config), None)


def large_overrides(config: str, folder: Path) -> dict:
    """Overrides that put the small lists in place of a large set: all of its classes, small images."""
    classes = LARGE[large_set(config)]
    overrides = {'train_dataloader.batch_size': 8, 'train_dataloader.num_workers': 0}
    if 'resnet152' in config:  # three of them, their momentum encoders and their optimizer take 4 GB
        one = 'paco' in config  # it names a block, which the smallest network lacks
        network = dict(model_name='resnet50' if one else 'test_resnet', pretrained=False)
        overrides |= {f'model.backbone.{"" if one else "backbone."}{key}': value for key, value in network.items()}
    if config.startswith(FOUNDATION):
        overrides |= TINY_TRUNK | {'image_size': 32}
    for split, loader in (('train', 'train'), ('test', 'val'), ('test', 'test')):
        dataset = f'{loader}_dataloader.dataset'
        overrides |= {f'{dataset}.data_root': str(folder), f'{dataset}.ann_file': f'{split}_{classes}.txt'}
        overrides |= {f'{dataset}.image_size': 32, f'{dataset}.resize': 36, f'{loader}_dataloader.num_workers': 0}
        if config.startswith(FOUNDATION) and split == 'test':  # five crops
            overrides |= {f'{dataset}.image_size': 36}
    return overrides


@pytest.fixture(scope='module')
def small_photos(tmp_path_factory) -> Path:
    """Class folders of a few images of noise."""
    root, rng = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
    for split, count in (('train', 6), ('test', 1)):
        for name in ('cat', 'dog'):
            (root / split / name).mkdir(parents=True)
            for place in range(count):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f'{place}.png')
    return root


def small_overrides(config: str, folders: dict[int, Path], photos: Path) -> dict:
    """Overrides that put the small data in place of CIFAR and of a user's photos."""
    if config.startswith((PHOTOS, FOUNDATION)) and 'digit' not in config:
        few = {'data_root': str(photos), 'image_size': 32, 'train_dataloader.batch_size': 6}
        if config.startswith(FOUNDATION):
            few |= TINY_TRUNK
        if config.startswith(FOUNDATION) and 'linear_probe' not in config:  # and five crops
            few |= {'model.backbone.bottleneck': 8}
            few |= {f'{split}_dataloader.dataset.{key}': 36 for split in ('val', 'test') for key in ('image_size', 'resize')}
        return few | {f'{split}_dataloader.num_workers': 0 for split in ('train', 'val')}
    if 'digit' in config:
        return {'train_dataloader.batch_size': 8}
    root = str(folders[100 if 'cifar100' in config else 10])
    return {
        'train_dataloader.batch_size': 8,
        'train_dataloader.dataset.dataset.data_root': root,
        'train_dataloader.dataset.imbalance_ratio': 4,
        'val_dataloader.dataset.data_root': root,
        'test_dataloader.dataset.data_root': root,
    }


def structure(cfg: dict) -> str:
    """What is trained and how, without numbers, schedules and the names of data sets."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in sorted(value.items()) if key not in ('data_root', 'config')}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return 0 if type(value) in (int, float) else value

    loader = {key: value for key, value in cfg['train_dataloader'].items() if key != 'dataset'}
    return repr(plain([cfg['model'], loader, cfg['optim_wrapper'], cfg.get('prerequisites')]))


@pytest.mark.slow
@pytest.mark.parametrize('config', CONFIGS)
def test_it_builds_trains_two_steps_and_evaluates(config, small_cifar, small_photos, small_lists, tmp_path, monkeypatch):
    monkeypatch.setattr(LongTailedRunner, 'dump_config', lambda self: None)  # formatting it takes half of the time
    if config.startswith('rskd/'):  # no class of the small data has many images: thirds of them are the shot groups
        monkeypatch.setitem(priors._RULES, 'standard', priors._RULES['prior-lt'])
    small = large_overrides(config, small_lists) if large_set(config) else small_overrides(config, small_cifar, small_photos)
    stage = Stage(ROOT / config, overrides=small, precision='fp32', work_root=tmp_path)
    trained = structure(stage.cfg.to_dict())  # before the Runner's own entries come into the config
    if config.startswith(FOUNDATION):  # what is added to their trunk goes by the number of classes
        trained += str(large_set(config))
    runner = build_runner(stage)
    model, counts = runner.bare_model, stage.loader.dataset.metainfo['class_counts']
    for role, needs in stage.prerequisites.items():
        models = [MODELS.build(need.source.cfg.model) for need in needs]
        for first in models:  # what a teacher of some classes begins with knows them all
            first.set_class_counts((counts * first.num_classes)[: first.num_classes])
        if role == 'init':
            model.begin_with(models, needs[0].parts)
            continue
        # A teacher of some classes, as if it were the first ones.
        subsets = [None if first.num_classes == len(counts) else list(range(first.num_classes)) for first in models]
        model.attach(role, models, subsets)
    model.set_class_counts(counts)
    if 'num_images' in stage.loader.dataset.metainfo:
        model.set_num_images(stage.loader.dataset.metainfo['num_images'])
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if trained in STEPPED:
        return
    groups = runner.optim_wrapper.optimizer.param_groups
    frozen = {id(value) for group in groups for value in group['params'] if not group['lr']}
    learning = {name: value for name, value in model.named_parameters() if value.requires_grad and id(value) not in frozen}
    before = {name: value.detach().clone() for name, value in learning.items()}
    steps = iter(stage.loader)
    for epoch in (0, stage.cfg.train_cfg.max_epochs - 1):  # the first and the last: schedules have switched between
        model.set_epoch(epoch)
        model.train()
        losses = model.train_step(next(steps), runner.optim_wrapper)
        assert all(bool(torch.isfinite(value)) for value in losses.values()), losses
    assert before and all(not torch.equal(value, dict(model.named_parameters())[name]) for name, value in before.items())
    runner._val_loop = EvalLoop(runner, stage.val_loader, stage.cfg.val_evaluator)
    metrics = runner._val_loop.run()
    assert metrics and all(np.isfinite(value) for value in metrics.values())
    STEPPED.add(trained)


def test_every_method_has_the_digits_and_says_what_it_gives():
    for folder in sorted(path for path in ROOT.glob('[!_]*') if path.is_dir()):
        names = [path.name for path in folder.glob('*.py')]
        assert any(name.startswith('resnet8_digits') for name in names) or folder.name in (DETECTION, PHOTOS, FOUNDATION)
        readme = (folder / 'README.md').read_text()
        assert '## Our results' in readme and '<!-- results:begin -->' in readme and '<!-- results:end -->' in readme
    for config in CONFIGS:
        assert (ROOT / config).read_text().startswith('"""'), config
