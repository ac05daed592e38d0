"""Weights of a finished model's experts from unlabelled test images (SADE's test-time aggregation).

Two strongly augmented views of an image should be predicted alike, which an expert does that is sure of the classes that
the test set holds. The network is frozen: one number an expert is learnt, of which a softmax makes the weights.

Source: Zhang et al., Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition, NeurIPS
2022, and its code.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.arguments import number
from mmlt.datasets.transforms import ColorJitter, GaussianBlur, RandomCrop, RandomFlip, RandomGrayscale
from mmlt.datasets.transforms.base import BatchTransform


@dataclass(frozen=True)
class Aggregation:
    """How the weights are learnt: SADE's setting for CIFAR; a config for another set says its own (`aggregation`).

    Attributes:
        epochs: at most so many passes over the test images.
        batch_size: images a step.
        lr, momentum, weight_decay: of SGD with Nesterov's momentum, on one number an expert.
        least: after an epoch in which a weight falls below this, it is enough.
        seed: of order and augmentation.

    Raises:
        UserError: a number out of its range, or none.
    """

    epochs: int = 5
    batch_size: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    least: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name, bounds in (
            ('epochs', dict(least=1, whole=True)),
            ('batch_size', dict(least=1, whole=True)),
            ('lr', dict(above=0)),
            ('momentum', dict(above=0)),
            ('weight_decay', dict(least=0)),
            ('least', dict(least=0, most=1)),
            ('seed', dict(least=0, whole=True)),
        ):
            number('aggregation', name, getattr(self, name), **bounds)


def strong_augmentation(side: int) -> list[BatchTransform]:
    """SADE's augmentation of CIFAR's test images, its crop in proportion to the side of the image (4 of 32 pixels)."""
    return [
        RandomCrop(padding=max(1, side // 8)),
        ColorJitter(0.4, 0.4, 0.4, 0.1, probability=0.8),
        RandomGrayscale(probability=0.2),
        GaussianBlur(probability=0.2),
        RandomFlip(),
    ]


def view_similarity(expert_logits: Tensor, weights: Tensor) -> Tensor:
    """Mean cosine similarity of the softmax of `sum_k w_k z_k` between two views of each image.

    Args:
        expert_logits: (2, B, E, K), float, of two views.
        weights: (E,), at least 0, their sum 1.

    Returns:
        Scalar in [0, 1].
    """
    first, second = torch.einsum('vbek,e->vbk', expert_logits, weights).softmax(dim=2)
    return F.cosine_similarity(first, second, dim=1).mean()


def learn_weights(
    epoch_views: Callable[[int], Iterable[Tensor]], num_experts: int, device: torch.device, setting: Aggregation
) -> tuple[Tensor, list[float]]:
    """Raise the similarity of two views by the experts' weights, which begin equal.

    Args:
        epoch_views: the experts' logits, float (2, B, E, K) of two views a batch, of one pass over the test images.
        num_experts: E.
        device: of the logits.
        setting: how.

    Returns:
        Weights (E,), their sum 1; mean similarity of the views in each epoch.
    """
    scores = torch.full((num_experts,), 1 / num_experts, device=device, requires_grad=True)
    optimizer = torch.optim.SGD(
        [scores], setting.lr, momentum=setting.momentum, weight_decay=setting.weight_decay, nesterov=True
    )
    similarities = []
    for epoch in range(setting.epochs):
        total, images = torch.zeros((), device=device), 0
        for logits in epoch_views(epoch):
            similarity = view_similarity(logits, scores.softmax(0))
            optimizer.zero_grad()
            (-similarity).backward()
            optimizer.step()
            total += similarity.detach() * logits.shape[1]
            images += logits.shape[1]
        similarities.append(total.item() / images)
        if scores.detach().softmax(0).min() < setting.least:
            break
    return scores.detach().softmax(0), similarities
