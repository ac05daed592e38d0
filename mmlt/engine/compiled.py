"""The training step's forward pass and losses through `torch.compile`, and eagerly where that does not work."""

from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from mmlt.batch import Batch
from mmlt.engine.console import say
from mmlt.errors import UserError

# Compiling takes a minute or so, whatever the run: below this number of steps `auto` does not begin.
WORTH_STEPS = 2000


# What remains of a mode that replays captured steps (CUDA graphs) without them.
UNCAPTURED = {'reduce-overhead': 'default', 'max-autotune': 'max-autotune-no-cudagraphs'}


def compile_options(wanted: Any, steps: int, accumulative_counts: int = 1) -> dict | None:
    """Keywords for `torch.compile`, or None for eager training.

    Args:
        wanted: the config's `compile`: False, True, keywords such as `dict(mode='reduce-overhead')`, or `auto`: on a GPU
            if the run is long enough, not on a CPU.
        steps: of the whole run.
        accumulative_counts: steps whose gradients are added up before one update. With more than one no steps are
            captured: their gradients lie in memory that the next replay overwrites.

    Raises:
        UserError: it is none of these.
    """
    if wanted == 'auto':
        return {} if torch.cuda.is_available() and steps >= WORTH_STEPS else None
    if isinstance(wanted, bool):
        return {} if wanted else None
    if isinstance(wanted, dict):
        return dict(wanted) if accumulative_counts == 1 else uncaptured(wanted)
    raise UserError(f"compile is True, False, 'auto' or a dict for torch.compile, not {wanted!r}.")


def uncaptured(wanted: dict) -> dict:
    """Keywords for `torch.compile` without captured steps; one line says so where that changes them."""
    options = dict(wanted)
    if options.get('mode') in UNCAPTURED:
        options['mode'] = UNCAPTURED[options['mode']]
    if (options.get('options') or {}).get('triton.cudagraphs'):
        options['options'] = {**options['options'], 'triton.cudagraphs': False}
    if options != wanted:
        say('gradients are added up over several steps: compiling without captured steps, which would overwrite them.')
    return options


@cache
def strict_settings() -> list[AbstractContextManager]:
    """Settings of torch that make every compilation error surface in the call of the compiled function.

    By default torch compiles the backward pass lazily, where no fallback can catch an error, and silently runs a step
    eagerly once it has been recompiled too often. Settings that this version of torch lacks are left out.
    """
    import torch._dynamo.config  # here, for it takes seconds
    import torch._functorch.config

    wanted = (
        (torch._functorch.config, 'force_non_lazy_backward_lowering'),
        (torch._dynamo.config, 'fail_on_recompile_limit_hit'),
    )
    return [config.patch({name: True}) for config, name in wanted if hasattr(config, name)]


class CompiledForward:
    """Stands in for a model's `forward`: whole training batches go through `torch.compile`, all else does not.

    The model itself stays what it is: its state dict, its modules and its predictions know nothing of this. The last,
    short step of an epoch runs eagerly, so that there is one shape to compile for. What changes from epoch to epoch must
    lie in tensors (learning rates do not come into the forward pass at all); a changed Python number compiles again, and
    where that happens too often for torch, compiling has failed.

    Args:
        model: the bare model, without a distributed wrapper.
        options: keywords of `torch.compile`.
        batch_size: images in a whole batch.

    Attributes:
        options: as given.
        works: False after compiling has failed; everything is eager from then on.

    Raises:
        UserError: `torch.compile` does not take these options.
    """

    def __init__(self, model: nn.Module, options: dict, batch_size: int) -> None:
        self.model = model
        self.options = options
        self.batch_size = batch_size
        self.works = True
        self._eager = type(model).forward
        try:
            # A function of the model, so that a copy of the model compiles and trains itself.
            self._compiled = torch.compile(self._eager, **{'dynamic': False, **options})
        except Exception as error:
            raise UserError(f'torch.compile does not take compile={options!r}: {error}') from error

    def install(self) -> None:
        """Take the place of the model's `forward`."""
        self.model.forward = self.forward

    def forward(
        self,
        images: Tensor,
        targets: Tensor | None = None,
        indices: Tensor | None = None,
        keys: Tensor | None = None,
        partners: Batch | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """As the model's own."""
        batch = (self.model, images, targets, indices, keys, partners, mode)
        if mode != 'loss' or not self.works or len(targets) != self.batch_size:
            return self._eager(*batch)
        try:
            with ExitStack() as stack:
                for setting in strict_settings():
                    stack.enter_context(setting)
                return self._compiled(*batch)
        except (UserError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # no compiler, an unknown GPU, an operation that cannot be compiled: many types
            losses = self._eager(*batch)  # an error of the model's own comes again, and out, here
            self.works = False
            say(f'torch.compile does not work here ({first_line(error)}): training eagerly instead.')
            return losses


def first_line(error: Exception) -> str:
    """The type of an error, or of the one inside it, and the first line it says."""
    if type(error).__name__ == 'FailOnRecompileLimitHit':
        return 'the step reads Python numbers that keep changing, and was compiled again for each'
    error = getattr(error, 'inner_exception', None) or error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0]}' if lines else type(error).__name__
