"""Distillation split into what a teacher says between groups of classes and what it says within each (LTKD)."""

import torch
from torch import Tensor

from mmlt.models.losses.expert_distillation import log_probabilities
from mmlt.models.losses.inputs import widen


def group_log_masses(logits: Tensor, groups: Tensor, num_groups: int, temperature: float) -> Tensor:
    """Log of the probability that falls on each group of classes, `P_g = sum of p_c over c in g`, `p = softmax(z / T)`.

    Args:
        logits: (B, K), any floating dtype.
        groups: int64 (K,), the group of each class, from 0.
        num_groups: number G of groups, each with a class at least.
        temperature: T, more than 0.

    Returns:
        (B, G), float32 or wider.
    """
    member = groups == torch.arange(num_groups, device=groups.device)[:, None]  # (G, K)
    log_p = log_probabilities(widen(logits) / temperature)
    return log_p[:, None].masked_fill(~member, -torch.inf).logsumexp(dim=2)


def cross_group_loss(student: Tensor, teacher: Tensor, totals: Tensor | None = None) -> Tensor:
    """What the teacher says between the groups: `KL(P_t || P_s)`, its bias to frequent groups taken out where wanted.

    With the totals S, each `P_t,g` is multiplied by `mean(S) / S_g` and an image's masses are normalised again: over the
    batch the groups then weigh about the same. Equal totals change nothing.

    Args:
        student, teacher: `group_log_masses`, (B, G); no gradient flows into the teacher's.
        totals: S, (G,), the teacher's masses summed over the images of the batch, of all ranks; None for equal ones.

    Returns:
        Scalar, mean over the batch.
    """
    teacher = teacher.detach()
    if totals is not None:
        teacher = teacher - totals.clamp_min(torch.finfo(teacher.dtype).tiny).log()  # mean(S) cancels below
    log_target = torch.log_softmax(teacher, dim=1)
    return (log_target.exp() * (log_target - student)).sum(dim=1).mean()


def within_group_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    groups: Tensor,
    temperature: float,
    masses: tuple[Tensor, Tensor],
    weights: Tensor | None = None,
) -> Tensor:
    """What the teacher says within the groups: `sum over g of v_g KL(p~_t,g || p~_s,g)` with `p~_c = p_c / P_g`.

    Args:
        student_logits, teacher_logits: (B, K), any floating dtype; no gradient flows into the teacher's.
        groups, temperature: as `group_log_masses`.
        masses: `group_log_masses` (B, G) of the student and of the teacher.
        weights: v, (B, G); None for 1, every group alike. The teacher's masses make the sum of this and of
            `cross_group_loss` without totals the whole `KL(p_t || p_s)`.

    Returns:
        Scalar, mean over the batch.
    """
    log_s, log_t = (
        log_probabilities(widen(logits) / temperature) - own[:, groups]
        for logits, own in ((student_logits, masses[0]), (teacher_logits.detach(), masses[1].detach()))
    )
    share = log_t.exp()  # (B, K)
    if weights is not None:
        share = share * weights.detach()[:, groups]
    return (share * (log_t - log_s)).sum(dim=1).mean()


def frequency_groups(class_counts: Tensor, head: float = 0.33, tail: float = 0.33) -> Tensor:
    """The group of each class: head, middle and tail of the classes in the order of their frequency.

    Args:
        class_counts: (K,), training images of each class; of equal ones the first is the more frequent.
        head, tail: share of the classes in the first and in the last group, rounded; the rest is the middle.

    Returns:
        int64 (K,), numbers from 0 in which none is left out: with one or two classes there are as many groups.
    """
    size = len(class_counts)
    first, last = round(head * size), round(tail * size)
    by_rank = torch.ones(size, dtype=torch.int64)
    by_rank[:first] = 0
    by_rank[size - last :] = 2
    order = torch.argsort(class_counts.cpu(), descending=True, stable=True)
    groups = torch.empty(size, dtype=torch.int64).scatter_(0, order, by_rank)
    return torch.unique(groups, return_inverse=True)[1].to(class_counts.device)
