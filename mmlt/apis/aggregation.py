"""Weight the experts of a finished model by what the unlabelled test images say (`tools/test.py --aggregate`)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.dist import broadcast
from torch import Tensor

from mmlt.datasets.transforms import ColorJitter, Draw, GaussianBlur, RandomCrop, RandomFlip, RandomGrayscale
from mmlt.datasets.transforms.base import BatchTransform, apply_transforms
from mmlt.engine.device import autocast
from mmlt.engine.loader import BatchLoader
from mmlt.engine.loops import build_loader
from mmlt.engine.runner import LongTailedRunner
from mmlt.errors import UserError
from mmlt.models.classifiers import MultiExpertClassifier


@dataclass(frozen=True)
class Aggregation:
    """How the weights are learnt: SADE's setting for all its data sets.

    Attributes:
        epochs: at most so many passes over the test images.
        batch_size: images a step.
        lr, momentum, weight_decay: of SGD with Nesterov's momentum, on one number an expert.
        least: after an epoch in which a weight falls below this, it is enough.
        seed: of order and augmentation.
    """

    epochs: int = 5
    batch_size: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    least: float = 0.05
    seed: int = 0


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

    Source: Zhang et al., Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition,
    NeurIPS 2022, and its code.
    """
    first, second = torch.einsum('vbek,e->vbk', expert_logits, weights).softmax(dim=2)
    return F.cosine_similarity(first, second, dim=1).mean()


def aggregate(runner: LongTailedRunner, setting: Aggregation | None = None) -> dict:
    """Learn the weights of the runner's experts on its test images, without labels, and predict with them from now on.

    Two strongly augmented views of an image should be predicted alike, which an expert does that is sure of the classes
    that the test set holds. The network is frozen: one number an expert is learnt, of which a softmax makes the weights.
    Each rank learns on all images.

    Args:
        runner: holds the model, its weights loaded, and the test set.
        setting: how; SADE's by default.

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
    loader = shuffled_test_set(runner, setting)
    device = model.class_counts.device
    scores = torch.full((model.num_experts,), 1 / model.num_experts, device=device, requires_grad=True)
    optimizer = torch.optim.SGD(
        [scores], setting.lr, momentum=setting.momentum, weight_decay=setting.weight_decay, nesterov=True
    )
    similarities = []
    for epoch in range(setting.epochs):
        loader.set_position(epoch)
        total = torch.zeros((), device=device)
        for batch in loader:
            logits = two_views(runner, batch, setting.seed)
            similarity = view_similarity(logits, scores.softmax(0))
            optimizer.zero_grad()
            (-similarity).backward()
            optimizer.step()
            total += similarity.detach() * len(batch.labels)
        similarities.append(total.item() / len(loader.dataset))
        if scores.detach().softmax(0).min() < setting.least:
            break
    weights = scores.detach().softmax(0)
    broadcast(weights)  # devices may differ in the last bit
    model.expert_weights = weights
    return dict(
        weights=[round(weight, 6) for weight in weights.tolist()],
        epochs=len(similarities),
        similarity=[similarities[0], similarities[-1]],
        found_on='unlabelled test images',
    )


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
    batch = type(batch)(*(part.to(preprocessor.device) for part in batch))
    images = apply_transforms(batch.images, preprocessor.test_transforms, Draw(seed, batch.keys))
    draws = [Draw(seed, batch.keys).at(view) for view in (1, 2)]
    views = [apply_transforms(images, strong_augmentation(images.shape[-1]), draw) for draw in draws]
    with autocast(runner.precision):
        logits = model.expert_outputs(preprocessor.normalise(torch.cat(views))).logits
    return logits.float().unflatten(0, (2, -1))


def in_words(record: dict) -> str:
    """One line about what `aggregate` records."""
    weights = ', '.join(f'{weight:.3f}' for weight in record['weights'])
    return f'experts weighted {weights}, found on the {record["found_on"]} in {record["epochs"]} epochs'
