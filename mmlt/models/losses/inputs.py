"""What every loss does first: widen half precision, bring class vectors to the logits, average over the batch."""

import torch
from torch import Tensor


def widen(logits: Tensor) -> Tensor:
    """Half-precision values raised to float32; float32 and float64 as they are (a prior spans more than bf16 holds)."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def class_vector(values: Tensor, logits: Tensor, name: str = 'class_counts') -> Tensor:
    """One number a class, in the dtype and on the device of `logits`.

    Args:
        values: (C,) tensor of any dtype, or a sequence of numbers.
        logits: (B, C).
        name: what `values` is, for the message.

    Raises:
        ValueError: `values` has not one entry for each column of `logits`.
    """
    vector = torch.as_tensor(values, dtype=logits.dtype, device=logits.device)
    if vector.shape != logits.shape[1:]:
        raise ValueError(f'{name} has the shape {tuple(vector.shape)}, but the logits have {logits.shape[1]} classes.')
    return vector


def smallest_count(class_counts: Tensor) -> Tensor:
    """The smallest count among the classes that have an image, a scalar tensor."""
    return torch.where(class_counts > 0, class_counts, torch.inf).min()


def batch_mean(
    losses: Tensor, target: Tensor | None, class_weights: Tensor | None, sample_weights: Tensor | None = None
) -> Tensor:
    """Mean of losses (B,); with class weights (C,) `sum(w_y * loss) / sum(w_y)`, as torch's weighted cross entropy.

    The target (B,) is needed with class weights alone.

    Sample weights (B,) multiply those of the classes: a sample with the weight 2 counts as two samples.
    """
    if class_weights is None and sample_weights is None:
        return losses.mean()
    weights = torch.ones_like(losses) if class_weights is None else class_weights[target]
    if sample_weights is not None:
        weights = weights * sample_weights.to(weights.dtype)
    return (weights * losses).sum() / weights.sum()
