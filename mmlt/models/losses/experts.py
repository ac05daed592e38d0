"""Losses of several experts on the same images: RIDE's diversity, SADE's three priors, BalPoE's product of experts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmlt.models.losses.cross_entropy import cross_entropy_loss
from mmlt.models.losses.inputs import class_vector, widen
from mmlt.models.losses.prior_adjusted import logit_adjusted_loss

SADE_EXPERTS = ('forward', 'uniform', 'backward')
EPSILON = 1e-9  # added to SADE's priors before the logarithm, as its authors do


def diversity_temperatures(class_counts: Tensor, eta: float) -> Tensor:
    """RIDE's temperature of each class, `C * pi_c * eta + 1 - eta`, divided by the largest of them.

    Args:
        class_counts: (C,) floating.
        eta: how strongly the temperature follows the prior, in [0, 1).

    Returns:
        (C,) in (0, 1], in the dtype of `class_counts`: 1 for the most frequent class.
    """
    temperatures = len(class_counts) * class_counts / class_counts.sum() * eta + 1 - eta
    return temperatures / temperatures.max()


def diversity_loss(expert_logits: Tensor, temperatures: Tensor | None = None) -> Tensor:
    """RIDE's divergence of the experts from their mean, `sum_k tbar ** 2 * KL(softmax(zbar / t) || softmax(z_k / t))`.

    `zbar` is the experts' mean logits, through which no gradient flows, and `tbar` the mean of the temperatures `t`.
    Subtracting it drives the experts apart.

    Args:
        expert_logits: (B, E, C), any floating dtype.
        temperatures: (C,), above 0; None for ones.

    Returns:
        Scalar, float32 or wider: sum over experts and classes, mean over the batch.

    Source: Wang et al., Long-tailed Recognition by Routing Diverse Distribution-Aware Experts, ICLR 2021,
    and its code.
    """
    expert_logits = widen(expert_logits)
    scale = 1.0
    if temperatures is not None:
        temperatures = class_vector(temperatures, expert_logits[:, 0], 'temperatures')
        expert_logits, scale = expert_logits / temperatures, temperatures.mean() ** 2
    log_mean = torch.log_softmax(expert_logits.mean(dim=1, keepdim=True).detach(), dim=2)  # (B, 1, C)
    divergence = (log_mean.exp() * (log_mean - torch.log_softmax(expert_logits, dim=2))).sum(dim=2)  # (B, E)
    return scale * divergence.sum(dim=1).mean()


def reversed_counts(class_counts: Tensor) -> Tensor:
    """Give the class of rank r, by count, the count of the class of rank C - 1 - r; (C,) to (C,).

    Of classes with equal counts the one with the lower index ranks first.
    """
    ordered, order = class_counts.sort(stable=True)
    return torch.empty_like(class_counts).scatter(0, order, ordered.flip(0))


def sade_loss(
    expert_logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    experts: Sequence[str] = SADE_EXPERTS,
    tau: float = 2.0,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """SADE: each expert is trained for another class distribution of the test set; the sum of their losses.

    `forward` is the cross entropy of `z`, `uniform` of `z + log pi` (balanced softmax), and `backward` of
    `z + log pi - tau * log rho`, `rho` being the prior in reversed order. The authors add 1e-9 to both priors.

    Args:
        expert_logits: (B, E, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        experts: what each of the E experts is trained for.
        tau: how far the `backward` expert leans to the tail.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Zhang et al., Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition,
    NeurIPS 2022, and its code.
    """
    expert_logits = widen(expert_logits)
    counts = class_vector(class_counts, expert_logits[:, 0])
    log_prior = (counts / counts.sum() + EPSILON).log()
    log_reversed = (reversed_counts(counts) / counts.sum() + EPSILON).log()
    shifts = dict(forward=torch.zeros_like(counts), uniform=log_prior, backward=log_prior - tau * log_reversed)
    pairs = zip(expert_logits.unbind(1), experts, strict=True)
    losses = [
        cross_entropy_loss(logits + shifts[kind], target, sample_weights=sample_weights) for logits, kind in pairs
    ]
    return torch.stack(losses).sum()


def balpoe_loss(
    expert_logits: Tensor,
    target: Tensor,
    class_counts: Tensor,
    taus: Sequence[float],
    sample_weights: Tensor | None = None,
) -> Tensor:
    """BalPoE: expert k learns by the logit-adjusted loss with `taus[k]`; the mean of their losses.

    The mean of raw logits, a product of experts, is unbiased where the mean of `taus` is 1.

    Args:
        expert_logits: (B, E, C), any floating dtype.
        target: (B,) int64 in [0, C).
        class_counts: (C,) training images of each class.
        taus: E strengths of the prior.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider.

    Source: Sanchez Aimar et al., Balanced Product of Calibrated Experts for Long-Tailed Recognition, CVPR 2023,
    and its code.
    """
    pairs = zip(expert_logits.unbind(1), taus, strict=True)
    losses = [
        logit_adjusted_loss(logits, target, class_counts, tau, sample_weights=sample_weights) for logits, tau in pairs
    ]
    return torch.stack(losses).mean()
