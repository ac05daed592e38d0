"""The one file that touches MMEngine's private attributes: what mmlt needs of them, under names of its own."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mmengine.model import BaseModel
from mmengine.runner import BaseLoop, Runner
from mmengine.visualization import Visualizer
from torch.utils.data import DataLoader


class OpenRunner(Runner):
    """MMEngine's Runner whose inner steps can be replaced by a subclass."""

    def init_model_weights(self) -> None:
        """Initialise the model as its `init_cfg` says, before training."""
        super()._init_model_weights()

    def log_environment(self, env_cfg: dict) -> None:
        """Log the versions and settings of this machine."""
        super()._log_env(env_cfg)

    def compile_step(self, target: str) -> None:
        """Compile the model's method `target`, where the config asks for that."""
        super()._maybe_compile(target)

    def _init_model_weights(self) -> None:
        self.init_model_weights()

    def _log_env(self, env_cfg: dict) -> None:
        self.log_environment(env_cfg)

    def _maybe_compile(self, target: str) -> None:
        self.compile_step(target)


def set_loaders(runner: Runner, train: DataLoader, val: DataLoader, test: DataLoader | None = None) -> None:
    """Give a runner whose loops are not built yet its loaders, in place of the config's; `test` only where there is one."""
    runner._train_dataloader = train
    runner._val_dataloader = val
    if test is not None:
        runner._test_dataloader = test


def has_backends(visualizer: Visualizer) -> bool:
    """Whether anything is done with what a visualizer is given."""
    return bool(visualizer._vis_backends)


def is_val_loop(runner: Runner, loop: BaseLoop) -> bool:
    """Whether `loop` is the runner's validation loop; asking for that one itself would build it."""
    return loop is runner._val_loop


def is_asked_to_resume(runner: Runner) -> bool:
    """Whether the runner is to go on with an unfinished run."""
    return runner._resume


def loading_is_due(runner: Runner) -> bool:
    """Whether the runner has not loaded or resumed anything yet; true once."""
    due, runner._has_loaded = not runner._has_loaded, True
    return due


def log_into_work_dir(runner: Runner) -> None:
    """Undo the folder a run, named by the time, that MMEngine makes for its logs in the run's own folder."""
    with suppress(OSError):  # another rank was quicker
        Path(runner._log_dir).rmdir()
    runner._log_dir = runner.work_dir


def wrap_forward(model: BaseModel, wrap: Callable[[Callable], Callable]) -> None:
    """Put something round the forward pass of `train_step`."""
    model._run_forward = wrap(model._run_forward)
