"""Running means of the losses, kept on the device until they are fetched, and a check of what is saved."""

from collections.abc import Mapping

import torch

from mmlt.errors import UserError
from mmlt.tensors import is_finite, not_finite


class LossWatch:
    """Add up the losses of each step without waiting for the device; notice the first that is not finite."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0
        self._bad: torch.Tensor | None = None
        self._allowed: set[str] = set()

    def begin(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Record which tensors of the freshly built model are infinite (an attention mask, for instance): these may stay so."""
        self._allowed = {name for name, value in weights.items() if not is_finite(value)}

    def not_finite(self, content: Mapping) -> str | None:
        """The first tensor of a checkpoint's content that is NaN or infinite: of weights, averages, statistics, optimizer.

        Gradients under way may be: where losses are scaled, the update leaves such a step out.
        """
        weights = {name: value for name, value in content.get('state_dict', {}).items() if name not in self._allowed}
        average = {
            name: value
            for name, value in content.get('ema_state_dict', {}).items()
            if name.removeprefix('module.') not in self._allowed
        }
        statistics = [own['statistics'] for own in content.get('ranks', [])]
        parts = dict(weights=weights, average=average, optimizer=content.get('optimizer', {}), statistics=statistics)
        return not_finite(parts)

    def add(self, losses: dict[str, torch.Tensor], step: int) -> None:
        """Accumulate one step's losses (scalars by name; `loss` is their sum)."""
        for name, value in losses.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.float().clone()
        self._steps += 1
        total = losses['loss'].detach()
        here = torch.where(torch.isfinite(total), torch.inf, float(step))  # float64 is not needed below 2^24 steps
        self._bad = here if self._bad is None else torch.minimum(self._bad, here)

    def fetch(self, steps_per_epoch: int) -> dict[str, float]:
        """Means since the last fetch, in one transfer.

        Raises:
            UserError: a loss was NaN or infinite; the first such step is named.
        """
        if not self._steps:
            return {}
        if torch.distributed.is_initialized():  # one rank's bad step spoils the weights of all
            torch.distributed.all_reduce(self._bad, torch.distributed.ReduceOp.MIN)
        names = list(self._sums)
        *sums, bad = torch.stack([*self._sums.values(), self._bad.to(self._sums[names[0]])]).tolist()
        if bad != float('inf'):
            epoch, step = divmod(int(bad), steps_per_epoch)
            raise UserError(
                f'the loss became NaN or infinite in epoch {epoch + 1}, step {step + 1}: lower the learning rate '
                '(optim_wrapper.optimizer.lr) or train in fp32; no checkpoint was written after it.'
            )
        means = {name: total / self._steps for name, total in zip(names, sums, strict=True)}
        self._sums, self._steps = {}, 0
        return means
