"""Box classification of detectors: P proposals, each of one of K classes or of the background.

A target is an int64 number a proposal: 0 for the background, c + 1 for class c. A softmax has the background as its first
column, a sigmoid has no column for it.
"""

import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.balanced_sigmoid import balanced_sigmoid_loss
from mmlt.models.losses.inputs import class_vector, widen

SMALLEST_SCORE = 1e-2  # of a proposal's own class, by which Seesaw's compensation divides


def multi_hot(target: Tensor, num_classes: int) -> Tensor:
    """(P, K) bool: a proposal's class; a background row is empty.

    Args:
        target: (P,) int64 in [0, K], 0 for the background.
        num_classes: K.
    """
    return F.one_hot(target, num_classes + 1)[:, 1:].bool()


def softmax_box_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy over the background and the classes, mean over the proposals.

    Args:
        logits: (P, 1 + K), any floating dtype, the first column is the background.
        target: (P,) int64 in [0, K], 0 for the background.

    Returns:
        Scalar, float32 or wider.
    """
    return F.cross_entropy(widen(logits), target)


def balanced_softmax_box_loss(logits: Tensor, target: Tensor, class_counts: Tensor) -> Tensor:
    """Balanced softmax with a background: class c's logit is shifted by `log(n_c / mean n)`, the background's by 0.

    With equal counts it is the plain loss. Predictions at test time use the plain logits. A class with no image has the
    logit -inf, as in `balanced_softmax_loss`.

    Args:
        logits: (P, 1 + K), any floating dtype, the first column is the background.
        target: (P,) int64 in [0, K], 0 for the background.
        class_counts: (K,) training images that hold each class.

    Returns:
        Scalar, float32 or wider.

    Source: Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020, eq. 3; how the background
        enters is ours.
    """
    logits = widen(logits)
    counts = class_vector(class_counts, logits[:, 1:])
    shift = F.pad((counts / counts.mean()).log(), (1, 0))  # (1 + K,)
    return F.cross_entropy(logits + shift, target)


def sigmoid_box_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross entropy of each class, sum over the classes, mean over the proposals.

    Args:
        logits: (P, K), any floating dtype.
        target: (P,) int64 in [0, K], 0 for the background.

    Returns:
        Scalar, float32 or wider.
    """
    logits = widen(logits)
    wanted = multi_hot(target, logits.shape[1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction='none').sum(dim=1).mean()


def balanced_sigmoid_box_loss(logits: Tensor, target: Tensor, class_frequency: Tensor) -> Tensor:
    """Balanced sigmoid: `sigmoid_box_loss` of `z - log((1 - f) / f)` for foreground proposals, of `z` for the background.

    Predictions at test time use the plain logits.

    Args:
        logits: (P, K), any floating dtype.
        target: (P,) int64 in [0, K], 0 for the background.
        class_frequency: (K,) share f of the training images that hold the class.

    Returns:
        Scalar, float32 or wider.

    Source: Ren et al., Balanced Activation for Long-tailed Visual Recognition, arXiv 2008.11037.
    """
    return balanced_sigmoid_loss(logits, multi_hot(target, logits.shape[1]), class_frequency, foreground=target > 0)


def equalization_box_loss(logits: Tensor, target: Tensor, class_frequency: Tensor, threshold: float) -> Tensor:
    """Equalization loss (EQL): foreground proposals of other classes do not push rare classes down.

    `L = sum_c w_c BCE(z_c)` with `w_c = 1 - E T_c (1 - y_c)`, where E is 1 for foreground proposals, T_c for rare classes.

    Args:
        logits: (P, K), any floating dtype.
        target: (P,) int64 in [0, K], 0 for the background.
        class_frequency: (K,) share f of the training images that hold the class.
        threshold: a class is rare below this share (1.77e-3 for LVIS v0.5, 1.1e-3 for v1).

    Returns:
        Scalar, float32 or wider: sum over the classes, mean over the proposals.

    Source: Tan et al., Equalization Loss for Long-Tailed Object Recognition, CVPR 2020, eq. 3 and 4.
    """
    logits = widen(logits)
    wanted = multi_hot(target, logits.shape[1])
    rare = class_vector(class_frequency, logits, 'class_frequency') < threshold  # (K,)
    spared = (target > 0)[:, None] & rare & ~wanted  # (P, K)
    losses = F.binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype), reduction='none')
    return losses.masked_fill(spared, 0).sum(dim=1).mean()


def seesaw_box_loss(
    logits: Tensor, target: Tensor, seen: Tensor, p: float = 0.8, q: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Seesaw loss with an objectness branch: background or not, and for foreground proposals the class.

    The class's softmax weighs another class j by `S_ij = min(1, N_j / N_i) ** p * max(1, s_j / s_i) ** q`, N the proposals
    of a class so far, s the softmax.

    Args:
        logits: (P, 2 + K), any floating dtype: background, foreground, then the classes.
        target: (P,) int64 in [0, K], 0 for the background.
        seen: (K,) foreground proposals of each class so far, those of this batch included.
        p: exponent of the mitigation factor.
        q: exponent of the compensation factor.

    Returns:
        Objectness loss and class loss, scalars, float32 or wider, both means over all P proposals.

    Source: Wang et al., Seesaw Loss for Long-Tailed Instance Segmentation, CVPR 2021, eq. 3 to 7 and section 3.3.
    """
    logits = widen(logits)
    objectness, logits = logits[:, :2], logits[:, 2:]
    counts = class_vector(seen, logits, 'seen').clamp_min(1)
    foreground = target > 0
    logits, own = logits[foreground], target[foreground] - 1  # (F, K), (F,)
    mitigation = (counts / counts[own][:, None]).clamp_max(1).log() * p
    scores = logits.detach().softmax(dim=1)
    own_score = scores.gather(1, own[:, None]).clamp_min(SMALLEST_SCORE)
    compensation = (scores / own_score).clamp_min(1).log() * q
    weighed = logits + (mitigation + compensation).scatter(1, own[:, None], 0.0)
    classes = F.cross_entropy(weighed, own, reduction='sum') / max(len(target), 1)
    return F.cross_entropy(objectness, foreground.long()), classes
