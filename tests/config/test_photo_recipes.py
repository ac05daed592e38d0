"""What recipes for photographs say in their own words, held against the formulas of the authors' code."""

import math

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from mmlt.config.find import config_roots
from mmlt.config.load import load_config
from mmlt.models.backbones import TimmBackbone


def rates(config: str) -> list[float]:
    """The learning rate of each epoch as MMEngine's schedulers make it."""
    cfg = load_config(config_roots()[0] / config)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    epochs = cfg.train_cfg.max_epochs
    schedulers = [
        PARAM_SCHEDULERS.build({'begin': 0, 'end': epochs, **part, 'optimizer': optimizer}) for part in cfg.param_scheduler
    ]
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


@pytest.mark.parametrize(
    ('config', 'rate', 'epochs', 'warmup'),
    [('paco/resnet50_imagenetlt.py', 0.02, 400, 10), ('gpaco/resnext50_imagenetlt.py', 0.06, 400, 10),
     ('paco/resnet152_placeslt.py', 0.02, 30, 5)],
)  # fmt: skip
def test_pacos_rate_is_that_of_its_authors_in_every_epoch(config, rate, epochs, warmup):
    expected = [
        rate * (epoch + 1) / warmup if epoch < warmup
        else rate / 2 * (1 + math.cos(math.pi * (epoch - warmup + 1) / (epochs - warmup + 1)))
        for epoch in range(epochs)
    ]  # fmt: skip
    assert rates(config) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ('config', 'rate'),
    [('ride/resnext50_imagenetlt.py', 0.1), ('ride/resnet50_inat18.py', 0.2), ('sade/resnet50_inat18.py', 0.2)],
)
def test_rides_rate_is_that_of_its_authors_in_every_epoch(config, rate):
    expected = [rate * (0.01 if epoch >= 80 else 0.1 if epoch >= 60 else min(1, (epoch + 1) / 5)) for epoch in range(100)]
    assert rates(config) == pytest.approx(expected)


def test_a_loss_counted_once_for_each_expert_is_a_higher_rate_with_less_decay():
    """RIDE's authors add their loss up E times; at E times the rate and an E-th of the decay the steps are the same."""
    one, many = (load_config(config_roots()[0] / f'ride/resnext50_imagenetlt{name}.py') for name in ('', '_distil'))
    target, ends = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), []
    for cfg, times in ((one, many.model.backbone.num_experts), (many, 1)):
        weight = nn.Parameter(torch.ones(6, dtype=torch.float64))
        settings = {key: value for key, value in cfg.optim_wrapper.optimizer.items() if key not in ('type', 'fused')}
        optimizer = torch.optim.SGD([weight], **settings)
        for step in range(20):
            optimizer.zero_grad()
            (times * ((weight - target) ** 2).sum() * (1 + step % 3) / 9).backward()
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-14)
    assert (ends[0] - 1).abs().min() > 1e-3


def test_of_a_pretrained_network_pacos_last_block_alone_learns():
    cfg = load_config(config_roots()[0] / 'paco/resnet152_placeslt.py')
    model = nn.Module()
    model.backbone, model.head = TimmBackbone('resnet50'), nn.Linear(8, 4)  # the same names, fewer blocks
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    groups = build_optim_wrapper(model, wrapper).optimizer.param_groups
    learns = {id(value) for group in groups for value in group['params'] if group['lr']}
    convolutions = {name for name, part in model.named_modules() if isinstance(part, nn.Conv2d)}
    for name, value in model.named_parameters():
        part = name.rpartition('.')[0]
        assert (id(value) in learns) == (part not in convolutions or part.startswith('backbone.model.layer4.2.')), name
    assert {group['lr'] for group in groups} == {0.0, 0.02}
