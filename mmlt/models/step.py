"""What a training step hands to its terms: the batch, the network's outputs, the teachers', the prior, random numbers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmlt.batch import Batch
from mmlt.draw import Draw
from mmlt.models.losses.base import Loss
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.models.mixing.base import Mixed

# Where losses with random numbers stand among the streams of a draw; the preprocessor's transforms count from 0.
LOSS_POSITION = 2**18


class Outputs(NamedTuple):
    """What a network makes of a batch, all float.

    Attributes:
        features: (B, C), or (B, E, C) of E experts.
        logits: (B, K), or (B, E, K) of E experts.
        maps: what the backbone returned, before pooling; None where it was not kept.
        classes: int64 (K,), the student's class behind each logit, of a teacher that knows some classes only; None where
            the logits are of all classes, in their order.
    """

    features: Tensor
    logits: Tensor
    maps: Tensor | tuple | None = None
    classes: Tensor | None = None


class Prior(NamedTuple):
    """What is known of the classes in this epoch.

    Attributes:
        class_counts: int64 (K,), training images of each class.
        class_weights: float (K,), of the model's `reweighting`; None without one.
        reweighting: where the class weights come from; None without one.
        num_images: of the training set, where images have several labels and the counts do not add up to it; else None.
    """

    class_counts: Tensor
    class_weights: Tensor | None = None
    reweighting: ClassReweighting | None = None
    num_images: int | None = None

    @property
    def weighted(self) -> bool:
        """Whether the epoch is one with weights other than 1; a compiled step that asks compiles again when that changes."""
        return self.reweighting is not None and self.reweighting.active


class Step:
    """One training step, as each `Term` sees it.

    Args:
        batch: the preprocessed batch.
        images: the images of each view, (B, C, H, W), mixed where the step mixes.
        network: maps images to `Outputs`.
        ensemble: maps `Outputs` of several experts to those of their ensemble.
        prior: of the classes.
        teachers: by role the `Outputs` of each teacher on the first view, without gradient; only those that a term names.
        mixed: the labels of mixed images and their shares; None where images are as they are.
        draw: random numbers of the images; None where the batch has no keys.
        together: all views pass through the network as one batch, which batch normalisation sees; else each by itself.

    Attributes:
        target: int64 (B,), or float (B, K) with several labels an image.
    """

    def __init__(
        self,
        batch: Batch,
        images: Sequence[Tensor],
        network: Callable[[Tensor], Outputs],
        ensemble: Callable[[Outputs], Outputs],
        prior: Prior,
        teachers: dict[str, list[Outputs]] | None = None,
        mixed: Mixed | None = None,
        draw: Draw | None = None,
        together: bool = False,
    ) -> None:
        self.batch = batch
        self.target = batch.targets
        self.images = images
        self.prior = prior
        self.teachers = teachers or {}
        self.mixed = mixed
        self.draw = draw
        self._network = network
        self._ensemble = ensemble
        self._together = together
        self._outputs: dict[int, Outputs] = {}
        self._ensembles: dict[int, Outputs] = {}

    def outputs(self, view: int = 0) -> Outputs:
        """The network's outputs on one view, computed when they are first asked for."""
        if view not in self._outputs:
            if self._together:
                whole = self._network(torch.cat(list(self.images)) if len(self.images) > 1 else self.images[0])
                parts = zip(*(part.chunk(len(self.images)) for part in whole[:2]), strict=True)
                self._outputs = {place: Outputs(*part) for place, part in enumerate(parts)}
            else:
                self._outputs[view] = self._network(self.images[view])
            if self.teachers:  # at once, whatever term asks first: gradients are added up in the same order
                self.ensemble(view)
        return self._outputs[view]

    def ensemble(self, view: int = 0) -> Outputs:
        """As `outputs`, features (B, C) and logits (B, K) of the ensemble where there are experts."""
        if view not in self._ensembles:
            self._ensembles[view] = self._ensemble(self.outputs(view))
        return self._ensembles[view]

    def by_label(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """A row for each label of each image.

        Args:
            values: (B, ...), a row an image.

        Returns:
            The rows, their labels and the share of each label: `values`, int64 (B,) and None; of mixed images
            (2 B, ...), (2 B,) and (2 B,), all images with their own labels before all with their partners'.
        """
        if self.mixed is None:
            return values, self.target, None
        target = torch.cat([self.mixed.target, self.mixed.partner_target])
        return torch.cat([values, values]), target, torch.cat([self.mixed.weight, 1 - self.mixed.weight])

    def label_loss(self, loss: Loss, logits: Tensor) -> Tensor:
        """A loss of labels, a scalar; of mixed images `weight * loss(target) + (1 - weight) * loss(partner_target)`.

        With class weights `w` it is `mean(weight * w_y * loss_y) / mean(w_y)` plus the same of the partners, as the authors of
        CMO and Remix have it: each label is weighted beside labels of its own kind. A loss that does not divide by the weights
        (`Loss.divides_by_weights`) is not divided here either.

        Args:
            loss: the loss.
            logits: (B, K).
        """
        counts, weights = self.prior.class_counts, self.prior.class_weights
        if loss.multi_label:
            return loss(logits, self.target, counts, weights, num_images=self.prior.num_images)
        logits, target, shares = self.by_label(logits)
        if shares is None or weights is None or not loss.divides_by_weights:
            return loss(logits, target, counts, weights, shares, self._loss_draw(loss))
        shares = shares / weights[target].view(2, -1).mean(1, keepdim=True).expand(-1, len(target) // 2).flatten()
        scale = (shares * weights[target]).sum() / (len(target) // 2)
        return scale * loss(logits, target, counts, weights, shares, self._loss_draw(loss))

    def _loss_draw(self, loss: Loss) -> Draw | None:
        """Random numbers for each row of logits that a loss sees, if it takes any."""
        if self.draw is None or not loss.draws:
            return None
        if self.mixed is None:
            return self.draw.at(LOSS_POSITION)
        keys = torch.cat([self.batch.keys, self.batch.partners.keys])
        return Draw(self.draw.seed, keys).at(LOSS_POSITION)


def step_of(
    outputs: Outputs | Sequence[Outputs],
    target: Tensor,
    class_counts: Tensor,
    teachers: dict[str, list[Outputs]] | None = None,
    class_weights: Tensor | None = None,
    num_images: int | None = None,
) -> Step:
    """A step made of finished outputs, to use terms in a training loop of one's own.

    Args:
        outputs: of the network, on each view.
        target: int64 (B,), or float (B, K) with several labels an image.
        class_counts: int64 (K,).
        teachers: by role the `Outputs` of each teacher.
        class_weights: float (K,), or None.
        num_images: see `Prior`.
    """
    views = [outputs] if isinstance(outputs, Outputs) else list(outputs)
    batch = Batch(views[0].features, target, None, None)
    prior = Prior(class_counts, class_weights, num_images=num_images)
    step = Step(batch, [], views.__getitem__, mean_of_experts, prior, teachers)
    step._outputs = dict(enumerate(views))
    return step


def mean_of_experts(outputs: Outputs) -> Outputs:
    """Features (B, C) and logits (B, K) from those of experts, by their mean; others as they are."""
    if outputs.logits.dim() == 2:
        return outputs
    return Outputs(outputs.features.mean(dim=1), outputs.logits.mean(dim=1), outputs.maps)
