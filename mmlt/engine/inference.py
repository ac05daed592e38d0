"""A finished model by itself, rebuilt from its checkpoint alone: uint8 images in, logits out."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from torch import Tensor

from mmlt.batch import Batch
from mmlt.config.warnings import balanced_by_sampling
from mmlt.datasets.views import View
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.device import autocast, resolve_precision
from mmlt.engine.finished import classifier_of
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier
from mmlt.priors import effective_number_weights
from mmlt.registry import DATA_SAMPLERS


class Predictor:
    """The model of a checkpoint in eval mode on the best device, with what the checkpoint says of its classes and images.

    Args:
        checkpoint: a checkpoint of mmlt, or a file that `tools/publish_model.py` wrote.
        precision: `fp32` or `bf16`; the one it was trained in by default.
        image_size: height and width of the images, in pixels, for a checkpoint that does not tell; None for what it tells.

    Attributes:
        model: the classifier.
        meta: of the checkpoint.
        classes: K names.
        class_counts: K training images.
        view: how images are cut from pictures.
        several: whether an image has several labels.
        corrections: in words, what in training moved the prior of the outputs towards a uniform one.

    Raises:
        UserError: it cannot be read or built, is a detector's, or does not tell the size of its images.
    """

    def __init__(self, checkpoint: str | Path, precision: str | None = None, image_size: int | None = None) -> None:
        content = load_checkpoint(checkpoint)
        self.checkpoint, self.meta = Path(checkpoint), content['meta']
        self.model = classifier_of(content, checkpoint)
        if not isinstance(self.model, LongTailedClassifier):
            raise UserError(f'{checkpoint} is a detector, which finds boxes: give the checkpoint of a classifier.')
        self.model.to(get_device(), memory_format=self.model.memory_format).eval()
        self.precision, self.note = resolve_precision(precision or self.meta.get('precision') or 'fp32')
        names = self.meta.get('classes') or range(self.model.num_classes)
        self.classes = tuple(map(str, names))
        self.class_counts = list(self.meta.get('class_counts') or self.model.class_counts.tolist())
        if not len(self.classes) == len(self.class_counts) == self.model.num_classes:
            raise UserError(
                f'the checkpoint {checkpoint} names {len(self.classes)} classes, and counts {len(self.class_counts)}, of a '
                f'model of {self.model.num_classes}: use another one.'
            )
        self.view = _sized(stored_view(self.meta), image_size, checkpoint)
        self.several = is_multi_label(self.meta, self.model)
        self.corrections = corrections_of(self.model, self.meta)

    @property
    def prior_of_outputs(self) -> np.ndarray:
        """See the function of this name."""
        return prior_of_outputs(self.model, self.meta, self.class_counts)

    @property
    def config(self) -> str:
        """Name of the config that it was trained by; empty where the checkpoint does not tell."""
        return self.meta.get('config') or ''

    @property
    def thresholds(self) -> Tensor | None:
        """Logits (K,) from which on a class of several is predicted, on the CPU; None for 0."""
        return None if self.model.thresholds is None else self.model.thresholds.cpu()

    @torch.inference_mode()
    def logits(self, images: Tensor) -> Tensor:
        """Logits, float32 (B, K) on the CPU.

        Args:
            images: uint8 (B, 3, H, W), cut as `view` says.
        """
        places = torch.arange(len(images))
        with autocast(self.precision):
            records = self.model.val_step(Batch(images, torch.zeros_like(places), places, places))
        return records[0]['logits'].cpu()


def corrections_of(model: LongTailedClassifier, meta: dict) -> list[str]:
    """In words, what in the training of a finished model moved the class prior of its outputs towards a uniform one."""
    return [*model.corrections, *balanced_by_sampling(meta.get('outcome') or {})]


def prior_of_outputs(model: LongTailedClassifier, meta: dict, class_counts: Sequence[int]) -> np.ndarray:
    """The class prior that a model's probabilities count on, (K,) float64 of any sum: what the sampler showed, times the class
    weights, over the power of the training prior that its loss takes out of the logits. Of plain training the counts.

    Args:
        model: the finished classifier.
        meta: of its checkpoint.
        class_counts: (K,), its training images.
    """
    counts = np.asarray(class_counts, dtype=np.float64)
    prior, outcome = counts.copy(), meta.get('outcome') or {}
    if balanced_by_sampling(outcome):
        labels = np.repeat(np.arange(len(counts)), counts.astype(np.int64))
        shown = SimpleNamespace(labels=labels, metainfo=dict(class_counts=counts.astype(np.int64)))
        sampler = DATA_SAMPLERS.build(dict(outcome['sampler'], dataset=shown))
        prior = sampler.class_probabilities(outcome['train_cfg']['max_epochs'] - 1)
    if model.class_weights_beta:
        prior *= effective_number_weights(counts, model.class_weights_beta).numpy()
    if model.prior_taken:
        prior = np.divide(prior, counts**model.prior_taken, out=np.zeros_like(prior), where=counts > 0)
    return prior / prior.sum()


def stored_view(meta: dict) -> View | None:
    """How images are cut from pictures, as a checkpoint says it; older ones say it by the config of their test set."""
    if stored := meta.get('test_view'):
        return View(**{key: stored[key] for key in View._fields if key in stored})
    data = (meta.get('outcome') or {}).get('test_data') or {}
    if isinstance(data.get('image_size'), int):
        side = data['image_size']
        return View(side, side, data.get('resize') or round(side * 8 / 7), data.get('max_value'))
    if len(size := meta.get('image_size') or ()) == 2:
        return View(*size)
    return None


def _sized(view: View | None, image_size: int | None, checkpoint: str | Path) -> View:
    if image_size is not None:
        return (view or View(1, 1))._replace(height=image_size, width=image_size, resize=None)
    if view is None:
        raise UserError(f'the checkpoint {checkpoint} does not tell the size of its images: give --image-size.')
    return view


def is_multi_label(meta: dict[str, Any], model: LongTailedClassifier) -> bool:
    """Whether an image has several labels, as a checkpoint says it; older ones say it by their loss."""
    if 'task' in meta:
        return meta['task'] == 'multi_label'
    return all('one' not in term.labels for term in model.terms[:1])
