"""Train what stands on a frozen backbone from features that are computed once."""

import hashlib
import json
import re
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier, get_dist_info
from mmengine.hooks import Hook
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.utils.data import DataLoader

from mmlt.arguments import number
from mmlt.batch import Batch
from mmlt.datasets.features import PART, CachedFeatures, FeatureStore
from mmlt.datasets.image_files import state_sha256
from mmlt.datasets.tested import as_tested
from mmlt.engine.console import console, on_terminal, say
from mmlt.engine.course import course_of
from mmlt.engine.device import autocast
from mmlt.engine.streams import begin_worker, stop_signals_held
from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.models.classifiers import FrozenBackboneClassifier
from mmlt.models.preprocessor import BatchPreprocessor
from mmlt.registry import HOOKS

SAMPLE = 3  # images whose pixels stand for the way all are read
SECONDS = 10.0  # between two plain lines


@HOOKS.register_module()
class FeatureCacheHook(Hook):
    """Hand a `FrozenBackboneClassifier` the features of its images, computed once and kept, in place of the images.

    The backbone sees every image once, as those of the test set are seen: without augmentation, cut out of the middle, see
    `as_tested`. Training then costs the head alone; the checkpoints are the usual ones, backbone and head, and read images.
    What is kept goes by a hash: of the images' content (see `state_sha256`) and order, of how they are read and normalised, of
    the backbone's weights and structure, of the precision. A change of any of these is another cache, and every run that
    agrees in all of them uses the same.

    Args:
        cache_root: folder below which the features are kept; it may be deleted at any time.
        flip: keep the mirrored images' features too; training takes one of the two by chance, evaluation the unmirrored.
        batch_size: images a forward pass of the backbone.

    Raises:
        UserError: the model's features change from step to step, its terms need more than features, or nothing says how its
            images are looked at in a test.
    """

    priority = 'ABOVE_NORMAL'  # before the clock of `ProgressHook` starts

    def __init__(self, cache_root: str = 'work_dirs/features', flip: bool = False, batch_size: int = 64) -> None:
        self.cache_root = Path(cache_root)
        self.flip = flip
        self.batch_size = number(self, 'batch_size', batch_size, least=1, whole=True)

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Replace the images of the training and the evaluation loader; the weights are final by now."""
        course = course_of(runner)
        check_model(course.bare_model)
        loops = [(runner.train_loop, 'training', self.flip)]
        loops += [(runner.val_loop, 'test', False)] if runner.val_loop else []
        test = loops[1][0].dataloader.dataset if runner.val_loop else None
        for loop, what, flip in loops:
            loop.dataloader.dataset = self.cached(course, loop.dataloader, what, test, flip)

    def before_test(self, runner) -> None:  # noqa: ANN001
        """Replace the images of the test loader."""
        loader = runner.test_loop.dataloader
        loader.dataset = self.cached(course_of(runner), loader, 'test', loader.dataset)

    def cached(self, course: Any, loader: Any, what: str, test: Any, flip: bool = False) -> CachedFeatures:
        """A loader's data set with features for images, those that are missing computed first.

        Args:
            course: of the run: its model and precision.
            loader: has the set and the number of workers.
            what: the set is called, for the console.
            test: the test set, as whose images the set's are looked at; None where there is none.
            flip: with mirrored images too.
        """
        dataset, model = loader.dataset, course.bare_model
        if isinstance(dataset, CachedFeatures):
            return dataset
        tested = as_tested(dataset, test)
        key = describe(tested, model, course.precision, flip)
        folder = self.cache_root / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        channels = model.feature_channels
        store = FeatureStore(folder, len(dataset), (2, channels) if flip else (channels,))
        missing = store.missing()
        barrier()  # every rank has seen the same parts before one writes
        if missing:
            say(f'  features of the {what} set: {len(dataset):,} images through the frozen backbone, once')
            atomic_write(folder / 'features.json', json.dumps(key, indent=2) + '\n')
            rank, ranks = get_dist_info()
            self._compute(course, tested, store, missing[rank::ranks], loader.num_workers, flip)
            barrier()
        else:
            say(f'  features of the {what} set: {len(dataset):,} images, from {folder}')
        return CachedFeatures(dataset, store.read())

    def _compute(self, course: Any, dataset: Any, store: FeatureStore, parts: list[int], workers: int, flip: bool) -> None:
        model = course.bare_model
        training = {module: module.training for module in model.modules()}
        model.eval()
        batches = [
            (part, list(range(start, min(start + self.batch_size, store.places(part).stop))))
            for part in parts
            for start in range(store.places(part).start, store.places(part).stop, self.batch_size)
        ]
        total, done, rows = sum(len(places) for _, places in batches), 0, []
        begin = told = time.perf_counter()
        progress = Progress(TextColumn('features'), BarColumn(), TimeRemainingColumn(), console=console, transient=True)
        with progress if on_terminal() else nullcontext():
            task = progress.add_task('', total=total)
            for (part, places), images in zip(batches, images_of(dataset, [p for _, p in batches], workers), strict=True):
                rows.append(self._features(course, images, places, flip))
                done += len(places)
                progress.update(task, completed=done)
                if places[-1] + 1 == store.places(part).stop:
                    store.write(part, np.concatenate(rows))
                    rows = []
                if not on_terminal() and time.perf_counter() - told > SECONDS and done < total:
                    told = time.perf_counter()
                    say(f'    {done:,} of {total:,}, {done / (told - begin):.0f} images/s')
        for module, mode in training.items():
            module.training = mode
        seconds = time.perf_counter() - begin
        if total:
            say(f'    {total:,} images in {seconds:.1f} s, {total / seconds:.0f} images/s, kept in {store.folder}')

    @torch.inference_mode()
    def _features(self, course: Any, images: torch.Tensor, places: list[int], flip: bool) -> np.ndarray:
        model, place = course.bare_model, torch.tensor(places)
        ready = model.data_preprocessor(Batch(images, place, place, place), False).images
        views = [ready, ready.flip(3)] if flip else [ready]
        with autocast(course.precision):
            found = [model.features(view)[0].float().cpu() for view in views]
        return (torch.stack(found, dim=1) if flip else found[0]).numpy()


def images_of(dataset: Any, batches: list[list[int]], workers: int) -> Any:
    """The uint8 images (B, C, H, W) of each batch of places of a set that is looked at `as_tested`."""
    if dataset.resident:
        images = dataset.tensors()[0]
        yield from (images[torch.tensor(places)] for places in batches)
        return
    loader = DataLoader(
        dataset, batch_sampler=batches, num_workers=workers, worker_init_fn=begin_worker,
        collate_fn=lambda items: torch.stack([image for image, _ in items]),
    )  # fmt: skip
    with stop_signals_held():
        found = iter(loader)
    try:
        yield from found
    except UserError as error:  # a worker's comes wrapped in its stack trace
        raise UserError(str(error).strip().splitlines()[-1].removeprefix('mmlt.errors.UserError: ')) from error


def check_model(model: nn.Module) -> None:
    """Refuse a model that features cannot stand in for images with.

    Raises:
        UserError: naming what of it needs images.
    """
    who = type(model).__name__
    if not isinstance(model, FrozenBackboneClassifier):
        raise UserError(
            f'FeatureCacheHook needs a frozen backbone, and that of {who} is trained: use FrozenBackboneClassifier or '
            'LWSClassifier, or leave the hook out.'
        )
    needs = {
        'shifts its batch statistics (shift_bn)': model.shift_bn,
        'has experts': bool(model.num_experts),
        'mixes images (mixing)': model.mixing is not None,
        'needs several views of an image': model.views > 1,
        'has a teacher, which sees images': any(model.teachers.values()),
        'is fed by another preprocessor than BatchPreprocessor': not isinstance(model.data_preprocessor, BatchPreprocessor),
    }
    for what, is_so in needs.items():
        if is_so:
            raise UserError(f'FeatureCacheHook: {who} {what}, so features cannot stand in for its images: leave the hook out.')


def describe(dataset: Any, model: FrozenBackboneClassifier, precision: str, flip: bool) -> dict:
    """All that decides the features, as plain data."""
    data = dataset.fingerprint()
    pixels = hashlib.sha256()
    for place in sorted({0, len(dataset) // 2, len(dataset) - 1})[:SAMPLE]:  # size, crop and decoder show in them
        pixels.update(np.ascontiguousarray(torch.as_tensor(dataset[place][0]).numpy()))
    weights = hashlib.sha256()
    for part in filter(None, (model.backbone, model.neck)):
        weights.update(re.sub(r'0x[0-9a-f]+', '', repr(part)).encode())
        for name, value in part.state_dict().items():
            weights.update(name.encode() + str(value.dtype).encode())
            weights.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    preprocessor = model.data_preprocessor
    files = files_of(dataset)
    return dict(
        images={name: data[name] for name in ('dataset', 'num_images', 'indices_sha256', 'content_sha256')},
        **(dict(files_sha256=state_sha256(files)) if files else {}),
        pixels_sha256=pixels.hexdigest(),
        backbone_sha256=weights.hexdigest(),
        mean=preprocessor.mean.flatten().tolist(),
        scale=preprocessor.scale.flatten().tolist(),
        transforms=[[type(one).__name__, repr(vars(one))] for one in preprocessor.test_transforms],
        precision=precision,
        flip=flip,
        images_a_file=PART,
    )


def files_of(dataset: Any) -> list[str]:
    """The image files of a set, or of a part of one, in its order; none where its pixels are in memory or in a pack."""
    places = np.arange(len(dataset))
    while hasattr(dataset, 'indices') and hasattr(dataset, 'dataset'):
        places, dataset = dataset.indices[places], dataset.dataset
    return dataset.files(places) if hasattr(dataset, 'files') else []


def through_cache(runner: Any, loader: Any, what: str) -> Any:
    """The loader's data set, by way of the run's `FeatureCacheHook` if it has one."""
    hook = next((hook for hook in runner.hooks if isinstance(hook, FeatureCacheHook)), None)
    test = runner.test_loop.dataloader.dataset
    return loader.dataset if hook is None else hook.cached(course_of(runner), loader, what, test)
