"""A part whose constructor refuses what the config gives it is the config's mistake: one sentence, not a stack trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.runner import Runner

from mmlt.errors import UserError


@contextmanager
def building(key: str) -> Iterator[None]:
    """Turn an error of a constructor into a sentence that names the part of the config.

    Args:
        key: of the config.

    Raises:
        UserError: instead of the errors by which a constructor refuses a value; its cause is kept.
    """
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError) as error:
        name = type(error).__name__
        raise UserError(f'{key} in the config cannot be built ({name}: {error}): correct its values.') from error


class ClearRunner(Runner):
    """MMEngine's Runner, whose building methods name the part of the config that they could not build."""

    def build_model(self, model: Any) -> Any:
        """See `Runner.build_model`."""
        with building('model'):
            return super().build_model(model)

    def build_train_loop(self, loop: Any) -> Any:
        """See `Runner.build_train_loop`."""
        with building('train_cfg'):
            return super().build_train_loop(loop)

    def build_val_loop(self, loop: Any) -> Any:
        """See `Runner.build_val_loop`."""
        with building('val_cfg'):
            return super().build_val_loop(loop)

    def build_test_loop(self, loop: Any) -> Any:
        """See `Runner.build_test_loop`."""
        with building('test_cfg'):
            return super().build_test_loop(loop)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """See `Runner.build_optim_wrapper`."""
        with building('optim_wrapper'):
            return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """See `Runner.build_param_scheduler`."""
        with building('param_scheduler'):
            return super().build_param_scheduler(scheduler)

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """See `Runner.register_hooks`."""
        with building('default_hooks or custom_hooks'):
            super().register_hooks(default_hooks, custom_hooks)

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """See `Runner.build_visualizer`."""
        with building('visualizer'):
            return super().build_visualizer(visualizer)
