"""Momentum encoders and queues of features: the memory of contrastive branches."""

import copy
from collections.abc import Sequence

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError


def gather_batch(values: Tensor) -> Tensor:
    """The values of all ranks in the batch's global order, without gradient.

    Args:
        values: (B, ...), equally many on every rank; rank `r` of `W` holds every `W`-th sample.

    Returns:
        (W * B, ...), the same on every rank.
    """
    if get_world_size() == 1:
        return values
    return torch.stack(all_gather(values.contiguous()), dim=1).flatten(0, 1)


class MomentumEncoder(nn.Module):
    """A copy of a network that follows it slowly: `key = momentum * key + (1 - momentum) * query` after every update.

    The copy begins with the query network's weights, has no gradient, and is part of the checkpoint; its batch
    normalisation stays in training mode and sees the batches that it is given.

    Source: He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020, section 3.2.

    Args:
        query: modules that run one after another, the projector among them; they are kept elsewhere and only followed.
        momentum: part of the old weights that stays, in [0, 1].

    Raises:
        UserError: `momentum` is outside [0, 1].
    """

    def __init__(self, query: Sequence[nn.Module], momentum: float = 0.999) -> None:
        super().__init__()
        self.momentum = number(self, 'momentum', momentum, least=0, most=1)
        self.key = copy.deepcopy(nn.Sequential(*query)).requires_grad_(False)
        self._query = list(query)  # a list: no sub-modules of this one

    def _pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        query = [weight for module in self._query for weight in module.parameters()]
        return list(self.key.parameters()), query

    @torch.no_grad()
    def copy_query(self) -> None:
        """Begin with the query network's weights and statistics; called once its weights are initialised."""
        for key, query in zip(self.key, self._query, strict=True):
            key.load_state_dict(query.state_dict())

    @torch.no_grad()
    def end_step(self, updated: bool) -> None:
        """Follow the query network; nothing happens after a step that only adds up gradients."""
        if updated:
            key, query = self._pairs()
            torch._foreach_lerp_(key, query, 1 - self.momentum)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """What the copy makes of images (B, ...), without gradient."""
        return self.key(images)


class FeatureQueue(nn.Module):
    """The newest features and labels of past batches, the same on every rank, kept in checkpoints.

    A batch that is held while the loss is computed enters after the step, the oldest entries giving way.

    Args:
        size: number Q of entries, at least the size of the batch of all ranks.
        shape: shape of one entry, for instance `(dim,)` or `(experts, dim)`.

    Attributes:
        features: float32 buffer (Q, *shape), zero where nothing has entered yet.
        labels: int64 buffer (Q,), -1 where nothing has entered yet.
    """

    def __init__(self, size: int, shape: Sequence[int]) -> None:
        super().__init__()
        number(self, 'size', size, least=1, whole=True)
        self.register_buffer('features', torch.zeros(size, *shape))
        self.register_buffer('labels', torch.full((size,), -1, dtype=torch.int64))
        self.register_buffer('pointer', torch.zeros((), dtype=torch.int64))
        self._held: tuple[Tensor, Tensor] | None = None

    @property
    def filled(self) -> Tensor:
        """Which entries hold something, bool (Q,)."""
        return self.labels >= 0

    def hold(self, features: Tensor, labels: Tensor) -> None:
        """Keep this rank's features (B, *shape) and labels (B,) until the step is done."""
        self._held = features.detach().float(), labels

    @torch.no_grad()
    def end_step(self) -> None:
        """Let what is held enter, gathered from all ranks.

        Raises:
            UserError: the batch is larger than the queue.
        """
        if self._held is None:
            return
        features, labels = (gather_batch(values) for values in self._held)
        self._held = None
        size = len(self.labels)
        if len(labels) > size:
            raise UserError(f'a batch of {len(labels)} images does not fit a queue of {size}: enlarge queue_size.')
        places = (self.pointer + torch.arange(len(labels), device=labels.device)) % size
        self.features[places] = features
        self.labels[places] = labels
        self.pointer.add_(len(labels)).remainder_(size)
