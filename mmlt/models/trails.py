"""Trails of features (Breadcrumb): what a network made of each class's images in the last epochs, in host memory."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class FeatureTrails:
    """The newest epochs' features of each class, in half precision, with the mean of each epoch.

    A class of n images keeps `ceil(quota / n)` epochs, so each has at least `quota` rows once it has them all.

    Args:
        class_counts: (C,) training images of each class.
        quota: rows a class gives to the union, the same for all.
        channels: D, size of a feature.

    Attributes:
        look_back: (C,) epochs kept of each class; 0 for one without an image.
        trails: for each class a list of (features float16 (n, D), their mean float32 (D,)), the newest epoch first.

    Source: Liu et al., Breadcrumbs: Adversarial Class-Balanced Sampling for Long-Tailed Recognition, ECCV 2022, and its code.
    """

    def __init__(self, class_counts: Sequence[int], quota: int, channels: int) -> None:
        self.quota, self.channels = quota, channels
        self.look_back = [math.ceil(quota / count) if count else 0 for count in class_counts]
        self.num_rows = sum(epochs * count for epochs, count in zip(self.look_back, class_counts, strict=True))
        self.trails: list[list[tuple[Tensor, Tensor]]] = [[] for _ in class_counts]

    @property
    def num_bytes(self) -> int:
        """Memory of full trails."""
        return self.num_rows * self.channels * 2 + sum(self.look_back) * self.channels * 4

    @property
    def ready(self) -> bool:
        """Whether every class has all its epochs."""
        return all(len(trail) == epochs for trail, epochs in zip(self.trails, self.look_back, strict=True))

    def push(self, features: Tensor, labels: Tensor) -> None:
        """Take in an epoch; the oldest of a full trail goes. A class that was not seen keeps its trail as it is.

        Args:
            features: (N, D), in the order in which they were seen.
            labels: int64 (N,).
        """
        features, labels = features.cpu().half(), labels.cpu()
        order = labels.argsort(stable=True)
        counts = torch.bincount(labels, minlength=len(self.trails)).tolist()
        for c, own in enumerate(features[order].split(counts)):
            if len(own) and self.look_back[c]:
                # a copy: a view would keep the whole epoch
                self.trails[c] = [(own.clone(), own.float().mean(dim=0)), *self.trails[c]][: self.look_back[c]]

    def union(self) -> tuple[Tensor, Tensor]:
        """`quota` rows of each class, each moved from the mean of its own epoch to that of its class's newest.

        Returns:
            float32 (R, D) and int64 (R,), classes in rising order, the newest epoch of each first.
        """
        rows, labels = [], []
        for c, trail in enumerate(self.trails):
            if not trail:
                continue
            aligned = torch.cat([features.float() - mean for features, mean in trail])[: self.quota] + trail[0][1]
            rows.append(aligned)
            labels.append(torch.full((len(aligned),), c))
        return torch.cat(rows), torch.cat(labels)

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors, for a checkpoint."""
        segments = [(c, *segment) for c, trail in enumerate(self.trails) for segment in trail]
        empty = torch.empty(0, self.channels)
        return dict(
            features=torch.cat([features for _, features, _ in segments]) if segments else empty.half(),
            means=torch.stack([mean for *_, mean in segments]) if segments else empty,
            classes=torch.tensor([c for c, *_ in segments], dtype=torch.int64),
            sizes=torch.tensor([len(features) for _, features, _ in segments], dtype=torch.int64),
        )

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on with what `state` gave.

        Raises:
            ValueError: it is of trails of another kind.
        """
        classes, sizes = state['classes'].tolist(), state['sizes'].tolist()
        fits = len(classes) == len(sizes) == len(state['means']) and sum(sizes) == len(state['features'])
        counts = [classes.count(c) for c in range(len(self.trails))]
        fits = fits and sum(counts) == len(classes) and all(n <= most for n, most in zip(counts, self.look_back, strict=True))
        if not fits or state['features'].shape[1:] != (self.channels,) or state['features'].dtype != torch.float16:
            raise ValueError('the trails of features are not those of this run')
        self.trails = [[] for _ in self.trails]
        for c, features, mean in zip(classes, state['features'].split(sizes), state['means'], strict=True):
            self.trails[c].append((features.clone(), mean.clone()))
