"""Losses that shift or scale the logits by the class prior: balanced softmax, logit adjustment, VS and CDT."""

import torch
from torch import Tensor

from mmlt.models.losses.cross_entropy import cross_entropy_loss
from mmlt.models.losses.inputs import class_vector, smallest_count, widen


def balanced_softmax_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Balanced softmax, the cross entropy of `z + log n`; predictions at test time use the plain `z`.

    A class with no image has the logit -inf: it takes no probability, it gets a zero gradient, and the loss of a
    sample of it (which the training set cannot hold) is infinite.

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        class_weights: (C,), with torch's weighted mean; the prior already corrects the imbalance, so usually None.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020, eq. 3.
    """
    logits = widen(logits)
    adjusted = logits + class_vector(class_counts, logits).log()
    return cross_entropy_loss(adjusted, target, class_weights, sample_weights)


def logit_adjusted_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    tau: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Logit-adjusted cross entropy, the cross entropy of `z + tau * log pi`.

    `tau=1` equals `balanced_softmax_loss`, `tau=0` the plain cross entropy. An empty class is treated as there
    (for `tau` more than 0).

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        tau: strength of the prior; a negative one needs every class to have an image.
        class_weights: (C,), with torch's weighted mean, or None.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Menon et al., Long-tail Learning via Logit Adjustment, ICLR 2021, eq. 10.
    """
    logits = widen(logits)
    adjusted = logits + _scaled_log_prior(class_counts, logits, tau)
    return cross_entropy_loss(adjusted, target, class_weights, sample_weights)


def vs_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    gamma: float,
    tau: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Vector-scaling loss, the cross entropy of `z / D + tau * log pi` with `D_c = (n_max / n_c) ** gamma`.

    `gamma=0` is the logit adjustment, `tau=0` is CDT. An empty class has the D of the smallest class that has an image.

    Args:
        logits: (B, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        gamma: exponent of the multiplicative term, at least 0.
        tau: strength of the additive term.
        class_weights: (C,), with torch's weighted mean, or None.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Kini et al., Label-Imbalanced and Group-Sensitive Classification under Overparameterization, NeurIPS 2021.
    """
    logits = widen(logits)
    counts = class_vector(class_counts, logits)
    divisor = (counts.max() / counts.clamp_min(smallest_count(counts))).pow(gamma)  # (C,)
    adjusted = logits / divisor + _scaled_log_prior(counts, logits, tau)
    return cross_entropy_loss(adjusted, target, class_weights, sample_weights)


def cdt_loss(
    logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    gamma: float,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """Class-dependent temperatures, the cross entropy of `z_c / (n_max / n_c) ** gamma`; see `vs_loss`.

    Source: Ye et al., Identifying and Compensating for Feature Deviation in Imbalanced Deep Learning, 2020.
    """
    return vs_loss(logits, target, class_counts, gamma, 0.0, class_weights, sample_weights)


def _scaled_log_prior(class_counts: Tensor, logits: Tensor, tau: float) -> Tensor:
    """`tau * log pi` as (C,); zeros for `tau=0`, also where a class is empty."""
    counts = class_vector(class_counts, logits)
    return tau * (counts / counts.sum()).log() if tau else torch.zeros_like(counts)
