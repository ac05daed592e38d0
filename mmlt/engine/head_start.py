"""A cosine head that begins where the classes are: at the means of their features, or at vectors from a file."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.batch import Batch
from mmlt.datasets.tested import as_tested
from mmlt.engine.console import say
from mmlt.engine.course import course_of
from mmlt.engine.device import autocast
from mmlt.engine.feature_cache import images_of
from mmlt.errors import UserError
from mmlt.evaluation import posthoc
from mmlt.models.heads import CosineHead
from mmlt.models.weights import read_weights
from mmlt.registry import HOOKS


@HOOKS.register_module()
class HeadStartHook(Hook):
    """Set the weight of a `CosineHead`, before the first step, to one vector a class, of length 1.

    Args:
        features_file: `.npy` (K, C), or an `.npz` or `.pth` with one such array: of text features, say, which a CLIP model
            without its last projection P wants multiplied by P transposed. None for the mean of each class's training
            features, as they are evaluated.
        batch_size: images a forward pass.

    Raises:
        UserError: the head is another one, or the file holds other shapes.

    Source: Shi et al., Long-Tail Learning with Foundation Model (LIFT), ICML 2024.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, features_file: str | None = None, batch_size: int = 64) -> None:
        self.features_file = features_file
        self.batch_size = number(self, 'batch_size', batch_size, least=1, whole=True)

    def before_train(self, runner) -> None:  # noqa: ANN001
        """Set the weight, unless the run goes on from a checkpoint, or the head's weights were given."""
        course, loop = course_of(runner), runner.train_loop
        if loop.epoch or loop.step:
            return
        if 'head' in course.bare_model.begun_with:
            say('  the head begins with the weights that it was given')
            return
        head = course.bare_model.head
        if not isinstance(head, CosineHead):
            raise UserError(f'HeadStartHook sets a CosineHead, and this model has {type(head).__name__}: take one of them.')
        if self.features_file:
            vectors, place = vectors_of(Path(self.features_file)), str(self.features_file)
        else:
            say(f'  class means of {len(loop.dataloader.dataset):,} training images')
            test = runner.val_loop.dataloader.dataset if runner.val_loop else None
            vectors, place = self._means(course, loop.dataloader, test), 'the class means'
        if vectors.shape != head.weight.shape:
            raise UserError(f'{place}: {tuple(vectors.shape)} vectors, the head needs {tuple(head.weight.shape)}: one a class.')
        with torch.no_grad():
            head.weight.copy_(nn.functional.normalize(vectors.to(head.weight), dim=1))

    @torch.no_grad()
    def _means(self, course: Any, loader: Any, test: Any) -> Tensor:
        dataset, model = as_tested(loader.dataset, test, own_size=True), course.bare_model
        labels = torch.from_numpy(np.asarray(dataset.labels))
        if labels.dim() == 2:
            raise UserError('class means are those of images with one label each: give HeadStartHook a features_file.')
        was, parts = model.training, []
        model.eval()
        batches = [list(range(at, min(at + self.batch_size, len(dataset)))) for at in range(0, len(dataset), self.batch_size)]
        for places, images in zip(batches, images_of(dataset, batches, loader.num_workers), strict=True):
            place = torch.tensor(places)
            ready = model.data_preprocessor(Batch(images, place, place, place), False).images
            with autocast(course.precision):
                parts.append(nn.functional.normalize(model.outputs(ready).features.float(), dim=1))
        model.train(was)
        return posthoc.class_means(torch.cat(parts), labels.to(parts[0].device), model.num_classes)


def vectors_of(file: Path) -> Tensor:
    """The one matrix (K, C) in a file.

    Raises:
        UserError: it is not there, or holds another thing.
    """
    if file.suffix == '.npy':
        try:
            found = [torch.from_numpy(np.load(file, allow_pickle=False))]
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f'{file} cannot be read as an array ({error}): give a .npy file of shape (K, C).') from error
    else:
        found = list(read_weights(file).values())
    if len(found) != 1 or found[0].dim() != 2 or not torch.isfinite(found[0].float()).all():
        raise UserError(f'{file} must hold one finite matrix (K, C), a row a class in their order.')
    return found[0].float()
