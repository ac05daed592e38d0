"""Balanced softmax and balanced sigmoid as losses of mmdet's box heads, for mmdet 3. It needs mmdet and torch alone.

Source: Ren et al., Balanced Activation for Long-tailed Visual Recognition, arXiv 2008.11037, and Balanced Meta-Softmax for
    Long-Tailed Visual Recognition, NeurIPS 2020.
"""

import json

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

FREQUENCY_MARGIN = 1e-6


def count_images(ann_file: str) -> tuple[Tensor, int]:
    """Images of a COCO or LVIS file that hold each class, int64 (K,) by rising category id, and images with an object."""
    with open(ann_file, encoding='utf-8') as file:
        content = json.load(file)
    place = {one: c for c, one in enumerate(sorted(category['id'] for category in content['categories']))}
    pairs = {(one['image_id'], place[one['category_id']]) for one in content['annotations'] if not one.get('iscrowd')}
    counts = torch.bincount(torch.tensor([c for _, c in pairs]), minlength=len(place))
    return counts, len({image for image, _ in pairs})


class BalancedBoxLoss(nn.Module):
    """Base of the two losses, with what mmdet's `BBoxHead` asks of a loss that has channels of its own.

    Args:
        num_classes: K; mmdet's label K is the background.
        ann_file: annotation file of the TRAINING set, in which the images of each class are counted.
        reduction: `mean`, `sum` or `none`.
        loss_weight: factor of the loss.
    """

    custom_cls_channels = True  # `get_cls_channels` and `get_activation` are asked for
    custom_activation = True  # and `get_accuracy`

    def __init__(self, num_classes: int, ann_file: str, reduction: str = 'mean', loss_weight: float = 1.0) -> None:
        super().__init__()
        counts, num_images = count_images(ann_file)
        if len(counts) != num_classes:
            raise ValueError(f'{ann_file} has {len(counts)} classes, num_classes is {num_classes}.')
        self.num_classes, self.reduction, self.loss_weight = num_classes, reduction, loss_weight
        self.register_buffer('class_counts', counts, persistent=False)
        self.num_images = num_images

    def losses(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """The loss of each proposal, (N,)."""
        raise NotImplementedError

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        ignore_index: int | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """mmdet's interface of a classification loss.

        Args:
            cls_score: (N, channels).
            label: (N,) int64 in [0, K], K for the background.
            weight: (N,), by which each proposal's loss is multiplied.
            avg_factor: what the sum is divided by, in place of N.
            ignore_index: a label whose proposals do not count.
            reduction_override: in place of `reduction`.
        """
        reduction = reduction_override or self.reduction
        if ignore_index is not None:
            kept = label != ignore_index
            weight = kept.float() if weight is None else weight * kept
            label = label.where(kept, self.num_classes)
        losses = self.losses(cls_score.float(), label)
        if weight is not None:
            losses = losses * weight.float()
        if reduction == 'none':
            return self.loss_weight * losses
        if reduction == 'sum':
            return self.loss_weight * losses.sum()
        return self.loss_weight * losses.sum() / (len(losses) if avg_factor is None else avg_factor)

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Share of the objects whose class has the highest score, in percent."""
        objects = labels < self.num_classes
        best = self.get_activation(cls_score)[objects, : self.num_classes].argmax(dim=1)
        return dict(acc_classes=100 * (best == labels[objects]).float().mean() if objects.any() else cls_score.new_zeros(()))


@MODELS.register_module()
class BalancedSoftmaxBoxLoss(BalancedBoxLoss):
    """Softmax over K classes and the background (last): class logits shifted by `log(n_c / mean n)`, the background's by 0."""

    def get_cls_channels(self, num_classes: int) -> int:
        """K + 1."""
        return num_classes + 1

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Scores (N, K + 1) of plain logits."""
        return cls_score.softmax(dim=-1)

    def losses(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """See `BalancedBoxLoss.losses`."""
        counts = self.class_counts.to(cls_score.dtype)
        shift = F.pad((counts / counts.mean()).log(), (0, 1))
        return F.cross_entropy(cls_score + shift, label, reduction='none')


@MODELS.register_module()
class BalancedSigmoidBoxLoss(BalancedBoxLoss):
    """A sigmoid for each of K classes: logits of objects are shifted by `-log((1 - f) / f)`, those of the background are not.

    Begin the classifier's biases at a prior of 0.001: see the config beside this file.
    """

    def get_cls_channels(self, num_classes: int) -> int:
        """K: the background has no output."""
        return num_classes

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Scores (N, K + 1) of plain logits, 0 for the background."""
        return F.pad(cls_score.sigmoid(), (0, 1))

    def losses(self, cls_score: Tensor, label: Tensor) -> Tensor:
        """See `BalancedBoxLoss.losses`."""
        frequency = (self.class_counts / self.num_images).to(cls_score.dtype)
        shift = -torch.logit(frequency.clamp(FREQUENCY_MARGIN, 1 - FREQUENCY_MARGIN))
        objects = (label < self.num_classes).to(cls_score.dtype)[:, None]
        wanted = F.one_hot(label, self.num_classes + 1)[:, :-1].to(cls_score.dtype)
        return F.binary_cross_entropy_with_logits(cls_score - shift * objects, wanted, reduction='none').sum(dim=1)
