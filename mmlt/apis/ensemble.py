"""Several finished models predict together: the mean of their probabilities (`tools/test.py CONFIG CKPT CKPT ...`)."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlt.engine.agreement import check_classes, check_input
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.finished import classifier_of
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier


def join(model: nn.Module, meta: dict, checkpoints: Sequence[str | Path]) -> list[dict]:
    """Let `model` predict the mean of its own probabilities and those of other finished models, in this process only.

    Each of these is rebuilt from what its checkpoint says of it, so they may be of other methods and networks. The
    thresholds of several labels are their mean, as probabilities; outputs of single experts are left out.

    Args:
        model: the first model, its weights loaded.
        meta: of its checkpoint.
        checkpoints: of the others.

    Returns:
        The `meta` of each of the others.

    Raises:
        UserError: one of them has other classes, was trained on other numbers of images, or sees its images otherwise.
    """
    if not isinstance(model, LongTailedClassifier):
        raise UserError(f'several checkpoints are averaged for classifiers, and this is a {type(model).__name__}: give one.')
    others, known = [], []
    for path in checkpoints:
        content = load_checkpoint(path)
        other = classifier_of(content, path)
        its = content['meta']
        if not isinstance(other, LongTailedClassifier):
            raise UserError(f'{path} holds a {type(other).__name__}, which has no probabilities of classes: leave it out.')
        if meta.get('classes') and its.get('classes'):
            check_classes(meta['classes'], its['classes'], 'the first checkpoint', meta.get('class_folders'),
                          its.get('class_folders'), str(path))  # fmt: skip
        if meta.get('class_counts') != its.get('class_counts'):
            raise UserError(
                f'{path} was trained on other numbers of images a class than the first checkpoint, so its shot groups are '
                'others: average models of the same training set.'
            )
        check_input(model, other, f'model {path}', (meta.get('image_size'), its.get('image_size')))
        others.append(other.to(model.class_counts.device).eval())
        known.append(its)

    if any(one.thresholds is not None for one in (model, *others)):
        cuts = [one.class_counts.new_zeros(one.num_classes, dtype=torch.float32) if one.thresholds is None else one.thresholds
                for one in (model, *others)]  # fmt: skip
        model.thresholds = mean_of_sigmoids(torch.stack(cuts))

    def average(module: nn.Module, args: tuple, kwargs: dict, output: object) -> object:
        if not isinstance(output, list):  # another mode than `predict`
            return output
        images = kwargs['images'] if 'images' in kwargs else args[0]
        return [_joined(record, [other.prediction(images)['logits'] for other in others]) for record in output]

    model.register_forward_hook(average, with_kwargs=True)
    return known


def _joined(record: dict, logits: list[Tensor]) -> dict:
    several = record['target'].ndim == 2
    mean = mean_of_sigmoids if several else mean_of_softmaxes
    kept = {name: record[name] for name in ('target', 'indices', 'thresholds') if name in record}
    return dict(**kept, logits=mean(torch.stack([record['logits'], *logits])))


def mean_of_softmaxes(logits: Tensor) -> Tensor:
    """Logarithm of the mean probabilities (B, K) of models' logits (M, B, K): logits that a softmax leaves as they are."""
    return torch.logsumexp(torch.log_softmax(logits, dim=2), dim=0) - math.log(len(logits))


def mean_of_sigmoids(logits: Tensor) -> Tensor:
    """Logits (B, K) of the mean of the sigmoids of models' logits (M, B, K)."""
    return torch.logsumexp(F.logsigmoid(logits), dim=0) - torch.logsumexp(F.logsigmoid(-logits), dim=0)
