"""A step never waits for the device: what would make a GPU wait is counted while a step runs on the CPU."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmlt.apis.train import build_runner
from mmlt.datasets.transforms.base import apply_where
from mmlt.engine.stages import Stage
from mmlt.registry import MODELS

SHORT = {'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': 100}
METHODS = ['ce', 'bkd', 'kd', 'focal', 'cb_loss', 'cb_focal', 'ce_drw', 'ldam', 'ldam_drw', 'balanced_softmax', 'vs', 'cdt']
METHODS += ['logit_adjustment', 'label_aware_smoothing', 'seql', 'mixup', 'cutmix', 'remix', 'cmo']
# Operators whose result, or its size, the host must know before it can go on.
WAITING = {'_local_scalar_dense', 'nonzero', 'equal', '_unique2', 'unique_dim', 'masked_select', 'bincount', 'allclose'}
HOST = ('cpu', 'numpy', 'tolist', 'item', '__bool__', '__int__', '__float__', '__array__')


class Waits(TorchDispatchMode):
    """Names of all that would wait while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        masks = [index for index in (args[1] if name.startswith(('index', '_index')) else ()) if index is not None] \
            if name in ('index', 'index_put', 'index_put_', '_index_put_impl_') else []  # fmt: skip
        if name in WAITING or any(mask.dtype in (torch.bool, torch.uint8) for mask in masks):
            self.found.append(name)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def count_waits(monkeypatch):
    """Run a method's training; the names of the waits of each step."""

    def run(folder, method: str, interval: int = 50) -> list[list[str]]:
        overrides = {**SHORT, 'default_hooks.logger.interval': interval}
        stage = Stage(f'configs/{method}/resnet8_digitslt.py', overrides=overrides, work_dir=folder)
        runner = build_runner(stage)
        for role, needs in stage.prerequisites.items():
            runner.bare_model.attach(role, [MODELS.build(need.source.cfg.model) for need in needs])
        steps: list[list[str]] = []
        run_iter = runner.train_loop.run_iter

        def counted(batch) -> None:
            with Waits() as waits, monkeypatch.context() as patch:
                for name in HOST:
                    plain = getattr(torch.Tensor, name)

                    def noting(self, *args, _plain=plain, _name=name, **kwargs):
                        waits.found.append(_name)
                        return _plain(self, *args, **kwargs)

                    patch.setattr(torch.Tensor, name, noting)
                run_iter(batch)
            steps.append(waits.found)

        runner.train_loop.run_iter = counted
        runner.train()
        return steps

    return run


@pytest.mark.parametrize('method', METHODS)
def test_no_step_waits_between_two_logs(tmp_path, method, count_waits):
    assert count_waits(tmp_path, method) == [[], [], [], []]


def test_a_log_fetches_all_losses_at_once(tmp_path, count_waits):
    steps = count_waits(tmp_path, 'bkd', interval=2)
    assert steps == [[], ['tolist'], [], ['tolist']]


def test_waits_are_seen():
    with Waits() as waits:
        values = torch.arange(3.0)
        values[values > 1], values.nonzero(), values.sum().item(), bool(values[0])
    assert waits.found == ['index', 'nonzero', '_local_scalar_dense', '_local_scalar_dense']


def test_the_form_for_a_gpu_gives_the_same_images():
    class Elsewhere(torch.Tensor):
        """Says that it is on a GPU."""

        @property
        def device(self):
            return torch.device('cuda')

    images = torch.randint(256, (6, 3, 4, 4), dtype=torch.uint8)
    chosen, shift = torch.tensor([1, 0, 1, 1, 0, 0]).bool(), torch.arange(6, dtype=torch.uint8)

    def op(some, values):
        return some ^ values[:, None, None, None]

    expected = apply_where(images, chosen, op, shift)
    assert not torch.equal(expected, images)
    with Waits() as waits:
        found = apply_where(images.as_subclass(Elsewhere), chosen, op, shift)
    assert waits.found == [] and torch.equal(found.as_subclass(torch.Tensor), expected)
