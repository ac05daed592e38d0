"""What a checkpoint keeps beside the weights: on the CPU, and for every rank its own."""

import pytest
import torch
from torch import nn

from mmlt.apis.train import build_runner
from mmlt.engine import state
from mmlt.engine.stages import Stage
from mmlt.engine.state import on_cpu, restore_own


class Elsewhere(torch.Tensor):
    """Stands for a tensor on a GPU: it becomes a plain one when it is fetched."""

    def detach(self):
        return self

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def leaves(value) -> list[torch.Tensor]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value] if isinstance(value, torch.Tensor) else []


def test_every_tensor_of_a_checkpoint_is_fetched_from_its_device(tmp_path):
    stage = Stage('configs/ce/resnet8_digitslt.py', overrides={'train_cfg.max_epochs': 1}, work_dir=tmp_path)
    runner = build_runner(stage)
    runner.train()
    optimizer = runner.optim_wrapper.optimizer
    for values in optimizer.state.values():
        values['momentum_buffer'] = values['momentum_buffer'].as_subclass(Elsewhere)
    pending = {'bias': torch.ones(2, dtype=torch.bfloat16).as_subclass(Elsewhere)}
    content = runner.content(0, 1, own=dict(ranks=[dict(gradients=pending)]))
    assert len(leaves(content['optimizer'])) == len(optimizer.state) > 5
    assert {type(leaf) for leaf in leaves(content)} == {torch.Tensor}
    assert content['ranks'][0]['gradients']['bias'].dtype == torch.bfloat16


def test_on_cpu_changes_no_value():
    value = {'state': {0: {'step': torch.tensor(3.0), 'lr': 0.1, 'none': None}}, 'groups': [{'betas': (0.9, 0.99)}]}
    made = on_cpu(value)
    assert made == {**value, 'groups': [{'betas': [0.9, 0.99]}]}
    assert list(made['state']) == [0]


def ranks() -> list[dict]:
    """The second rank has no gradient of the bias: it did not use it yet."""
    first = dict(gradients={'0.weight': torch.full((2, 2), 1.0), '0.bias': torch.ones(2)},
                 statistics={'1.running_mean': torch.tensor([0.0, 2.0])})  # fmt: skip
    second = dict(gradients={'0.weight': torch.full((2, 2), 4.0)}, statistics={'1.running_mean': torch.tensor([1.0, 4.0])})
    return [first, second]


@pytest.mark.parametrize(
    ('rank', 'world_size', 'weight', 'bias', 'mean'),
    [
        (0, 2, 1.0, 1.0, [0.0, 2.0]),
        (1, 2, 4.0, None, [1.0, 4.0]),
        (0, 1, 2.5, 0.5, [0.5, 3.0]),  # an update takes the mean over the ranks, as does the end of an epoch
        (3, 4, 2.5, 0.5, [0.5, 3.0]),
    ],
)
def test_a_rank_gets_its_own_and_another_number_of_ranks_the_mean(monkeypatch, rank, world_size, weight, bias, mean):
    monkeypatch.setattr(state, 'get_rank', lambda: rank)
    monkeypatch.setattr(state, 'get_world_size', lambda: world_size)
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    restore_own(model, dict(ranks=ranks()))
    assert torch.equal(model[0].weight.grad, torch.full((2, 2), weight))
    assert model[0].bias.grad is None if bias is None else torch.equal(model[0].bias.grad, torch.full((2,), bias))
    assert model[1].running_mean.tolist() == mean and model[1].running_var.tolist() == [1, 1]
    assert model[1].weight.grad is None


def test_gradients_that_one_process_wrote_are_taken_as_they_are():
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    own = {'weight': torch.randn(4, 3, 3, 3)}
    restore_own(model, dict(gradients=own))
    assert torch.equal(model.weight.grad, own['weight']) and model.bias.grad is None
    assert model.weight.grad.stride() == model.weight.stride()
