"""Weight the experts of a finished model by what the unlabelled test images say (`tools/test.py --aggregate`)."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

import numpy as np
import torch
from mmengine.dist import broadcast
from torch import Tensor

from mmlt.datasets.transforms.base import apply_transforms
from mmlt.draw import Draw
from mmlt.engine.device import autocast
from mmlt.engine.loader import BatchLoader, build_loader
from mmlt.engine.runner import LongTailedRunner
from mmlt.errors import UserError
from mmlt.evaluation.posthoc.aggregation import Aggregation, learn_weights, strong_augmentation
from mmlt.models.classifiers import MultiExpertClassifier


def aggregate(runner: LongTailedRunner, setting: Aggregation | None = None) -> dict:
    """Learn the weights of the runner's experts on its test images, without labels, and predict with them from now on.

    The network is frozen: see `mmlt.evaluation.posthoc.aggregation`. Each rank learns on all images.

    Args:
        runner: holds the model, its weights loaded, and the test set.
        setting: how; SADE's for CIFAR by default.

    Returns:
        For the record: `weights`, `epochs` that it took, `similarity` of the views [with equal weights in the first
        epoch, in the last one], `found_on`.

    Raises:
        UserError: the model has no experts, or only one.
    """
    setting = setting or Aggregation()
    model = runner.bare_model.eval()
    if not isinstance(model, MultiExpertClassifier) or model.num_experts < 2:
        raise UserError(f'--aggregate weights the experts of a model, and {type(model).__name__} here has no two of them.')
    if getattr(runner.test_loop.dataloader.dataset, 'labels', np.empty(0)).ndim == 2:
        raise UserError('--aggregate compares predictions of one label an image, and these have several: leave it out.')
    loader = shuffled_test_set(runner, setting)

    def epoch_views(epoch: int) -> Iterator[Tensor]:
        loader.set_position(epoch)
        for batch in loader:
            yield two_views(runner, batch, setting.seed)

    weights, similarities = learn_weights(epoch_views, model.num_experts, model.class_counts.device, setting)
    broadcast(weights)  # devices may differ in the last bit
    model.expert_weights = weights
    return dict(
        weights=[round(weight, 6) for weight in weights.tolist()],
        epochs=len(similarities),
        similarity=[similarities[0], similarities[-1]],
        found_on='unlabelled test images',
    )


def aggregation_of(cfg: Mapping) -> Aggregation:
    """How a config wants the weights learnt, by its `aggregation`.

    Raises:
        UserError: a setting that there is not.
    """
    try:
        return Aggregation(**(cfg.get('aggregation') or {}))
    except TypeError as error:
        names = ', '.join(one.name for one in fields(Aggregation))
        raise UserError(f'aggregation takes {names} ({error}): correct the config.') from error


def shuffled_test_set(runner: LongTailedRunner, setting: Aggregation) -> BatchLoader:
    """The whole test set in batches of a shuffled order."""
    test = runner.test_loop.dataloader
    cfg = dict(batch_size=setting.batch_size, dataset=test.dataset, num_workers=test.num_workers)
    loader = build_loader(cfg, setting.seed, training=True)
    loader.rank, loader.world_size = 0, 1
    return loader


@torch.no_grad()
def two_views(runner: LongTailedRunner, batch, seed: int) -> Tensor:  # noqa: ANN001
    """The experts' logits, float32 (2, B, E, K), of two strongly augmented views of the images of a `Batch`."""
    model = runner.bare_model
    preprocessor = model.data_preprocessor
    batch = batch.to(preprocessor.device)
    images = apply_transforms(batch.images, preprocessor.test_transforms, Draw(seed, batch.keys))
    draws = [Draw(seed, batch.keys).at(view) for view in (1, 2)]
    views = [apply_transforms(images, strong_augmentation(images.shape[-1]), draw) for draw in draws]
    with autocast(runner.precision):
        logits = model.network(preprocessor.normalise(torch.cat(views))).logits
    return logits.float().unflatten(0, (2, -1))


def in_words(record: dict) -> str:
    """One line about what `aggregate` records."""
    weights = ', '.join(f'{weight:.3f}' for weight in record['weights'])
    return f'experts weighted {weights}, found on the {record["found_on"]} in {record["epochs"]} epochs'
