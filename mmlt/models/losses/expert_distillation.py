"""Experts that teach each other: online distillation of logits and features, hard categories."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.models.losses.inputs import batch_mean, class_vector, widen


def mutual_distillation_loss(logits: Tensor, sample_weights: Tensor | None = None) -> Tensor:
    """Every expert learns from every other one: `1 / (E - 1) * sum over i != j of KL(p_j || p_i)`.

    Gradients flow into both sides, as in NCL's code. One expert alone has nobody to learn from: 0.

    Args:
        logits: (B, E, K) of E experts, any floating dtype; NCL adds the log prior to them first.
        sample_weights: (B,), how many times each sample counts in the mean; None for once each.

    Returns:
        Scalar, float32 or wider: sum over the classes and pairs, mean over the batch.

    Source: Li et al., Nested Collaborative Learning for Long-Tailed Visual Recognition, CVPR 2022, eq. 6 and 7.
    """
    experts = logits.shape[1]
    # An impossible class (log 0) takes part with probability 0, not with 0 * inf.
    log_p = log_probabilities(logits)
    p = log_p.exp()
    # The pairs i = j add 0, so that all E * E pairs are the product of two sums.
    pairs = experts * (p * log_p).sum((1, 2)) - (p.sum(1) * log_p.sum(1)).sum(1)  # (B,)
    return batch_mean(pairs, None, None, sample_weights) / max(experts - 1, 1)


def collaborative_distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    sample_weights: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Every expert learns from the mean of the others: `T^2 / E * sum over k of mean over i of w_i KL(g_ki || r_ki)`.

    `g_k = softmax(mean over j != k of t_j / T)` and `r_k = softmax(s_k / T)`. One expert alone: 0.

    Args:
        student_logits: s, (B, E, K), any floating dtype.
        teacher_logits: t, (B, E, K); no gradient flows into them.
        temperature: T, more than 0.
        sample_weights: w, (B,), or None for ones.
        class_weights: (K,), multiplied into each g_k, which is then normalised again (as BKD does); or None.

    Returns:
        Scalar, float32 or wider.

    Source: our reconstruction of ECL's online distillation (arXiv 2305.03378), whose formulas are not public.
    """
    experts = student_logits.shape[1]
    if experts == 1:
        return student_logits.sum() * 0.0
    teacher = widen(teacher_logits.detach())
    others = (teacher.sum(dim=1, keepdim=True) - teacher) / (experts - 1) / temperature
    if class_weights is not None:
        others = others + class_vector(class_weights, others[:, 0], 'class_weights').detach().log()
    log_g, log_r = log_probabilities(others), log_probabilities(widen(student_logits) / temperature)
    divergence = (log_g.exp() * (log_g - log_r)).sum(2).mean(1)  # (B,)
    if sample_weights is not None:
        divergence = divergence * sample_weights.detach()
    return temperature**2 * divergence.mean()


def expert_feature_loss(features: Tensor) -> Tensor:
    """One minus the cosine between an expert's feature and another's, averaged over all ordered pairs and the batch.

    Gradients flow into the first of each pair only. One expert alone: 0. Autocast does not reach the cosines.

    Args:
        features: (B, E, C), any floating dtype.

    Returns:
        Scalar, float32 or wider, in [0, 2].

    Source: our reconstruction of ECL's feature-level distillation (arXiv 2305.03378).
    """
    experts = features.shape[1]
    if experts == 1:
        return features.sum() * 0.0
    unit = F.normalize(widen(features), dim=2)
    with torch.autocast(features.device.type, enabled=False):
        cosines = unit @ unit.detach().transpose(1, 2)  # (B, E, E)
    pairs = experts * (experts - 1)
    return 1 - (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)).mean() / pairs


def hard_categories(logits: Tensor, target: Tensor, number: int) -> Tensor:
    """The `number` classes that a sample is most easily taken for, its own class always among them.

    Args:
        logits: (B, K).
        target: int64 (B,).
        number: of classes, 1 to K.

    Returns:
        bool (B, K), `number` entries of each row true.

    Source: Li et al., CVPR 2022, section 3.3 (hard category mining).
    """
    ranked = logits.detach().scatter(1, target[:, None], torch.inf)
    return torch.zeros_like(ranked, dtype=torch.bool).scatter(1, ranked.topk(number, dim=1).indices, True)


def transfer_weights(
    label_confidence: Tensor, distilled_confidence: Tensor, gamma: float = 1.0, limit: float | None = 5.0
) -> Tensor:
    """How much more each class must be taught: where the classifier taught by experts lags behind the one of the labels.

    `rho_c = ((A_c + eps) / (D_c + eps)) ** gamma`, kept within `[1 / limit, limit]`, divided by its mean.

    Args:
        label_confidence: A, (K,): mean probability that the classifier of the labels gives the true class c.
        distilled_confidence: D, (K,): the same of the classifier that only experts teach.
        gamma: strength, 0 for equal weights.
        limit: bound of rho, at least 1; None for none.

    Returns:
        (K,), of sum K, without gradient; ones where both agree.

    Source: our reconstruction of ECL's re-weighted distillation (arXiv 2305.03378).
    """
    eps = 1e-6
    rho = ((label_confidence.detach() + eps) / (distilled_confidence.detach() + eps)) ** gamma
    if limit is not None:
        rho = rho.clamp(1 / limit, limit)
    return rho / rho.mean()


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax over the last dimension, float32 or wider, -inf raised to the log of the smallest number."""
    log_p = torch.log_softmax(widen(logits), dim=-1)
    return log_p.clamp(min=math.log(torch.finfo(log_p.dtype).tiny))
