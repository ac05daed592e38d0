"""An optimizer wrapper whose precision works on CPUs too."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.optim import OptimWrapper
from torch import nn
from torch.optim import Optimizer

from mmlt.engine.device import autocast
from mmlt.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class PrecisionOptimWrapper(OptimWrapper):
    """MMEngine's wrapper, computing the forward pass in fp32 or under bfloat16 autocast.

    Args:
        optimizer: the optimizer.
        precision: `fp32` or `bf16`. Weights, gradients and the optimizer's state stay float32 either way, so no loss
            scaling is needed.
        accumulative_counts: steps whose gradients are added up before one update.
        clip_grad: keywords of MMEngine's gradient clipping.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        precision: str = 'fp32',
        accumulative_counts: int = 1,
        clip_grad: dict | None = None,
    ) -> None:
        super().__init__(optimizer, accumulative_counts=accumulative_counts, clip_grad=clip_grad)
        self.precision = precision

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Gradient accumulation as MMEngine does it, inside autocast."""
        with super().optim_context(model), autocast(self.precision):
            yield
