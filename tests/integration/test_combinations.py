"""Any loss with any sampler, any mixing and any backbone: each combination trains, in process, on the digits.

Every pair of a loss and a sampler is tried, and the mixing goes round, so that every pair of it with either comes up too.
"""

import inspect

import pytest
import torch

from mmlt.engine.loader import build_loader
from mmlt.models.losses import modules
from mmlt.registry import DATASETS, MODELS

pytestmark = pytest.mark.slow
OPTIONS = {'SeesawLoss': dict(num_classes=10), 'SEQLLoss': dict(threshold=0.1)}
LOSSES = sorted(
    name
    for name, kind in inspect.getmembers(modules, inspect.isclass)
    if kind.__module__ == modules.__name__ and MODELS.get(name) is kind
)
SAMPLERS = {
    'ShuffleSampler': {},
    'ClassBalancedSampler': {},
    'ClassAwareSampler': dict(samples_per_class=2),
    'PowerSampler': dict(power=0.5),
    'ReversedSampler': {},
    'ProgressiveSampler': dict(num_epochs=2),
    'RepeatFactorSampler': dict(threshold=0.1),
}
MIXINGS = [None, 'Mixup', 'CutMix', 'Remix', 'CMO']
SMALL = dict(type='ResNetCIFAR', depth=8)
RESNET18 = dict(type='mmpretrain.ResNet', depth=18)
CROP = dict(type='RandomCrop', padding=1)
PREPROCESSOR = dict(type='BatchPreprocessor', mean=(0.3,) * 3, std=(0.4,) * 3, train_transforms=[CROP])


@pytest.fixture(scope='module')
def digits():
    data = dict(type='Digits', split='train')
    return DATASETS.build(dict(type='LongTailedDataset', dataset=data, profile='exp', imbalance_ratio=50, seed=0))


def two_steps(dataset, loss: str, sampler: str, mixing: str | None, backbone: dict = SMALL, **settings: object) -> None:
    """Train two steps; the losses are finite, and every parameter that can learn has moved."""
    torch.manual_seed(0)
    head = dict(type='CosineHead', scale=1.0) if loss == 'LDAMLoss' else dict(type='LinearHead')
    model = MODELS.build(
        dict(
            type='MixingClassifier' if mixing else 'LongTailedClassifier',
            backbone=backbone,
            head=dict(**head, in_channels=512 if backbone is RESNET18 else 64, num_classes=10),
            loss=dict(type=loss, **OPTIONS.get(loss, {})),
            data_preprocessor=PREPROCESSOR,
            **(dict(mixing=dict(type=mixing)) if mixing else {}),
            **settings,
        )
    )
    model.set_class_counts(dataset.metainfo['class_counts'])
    model.set_epoch(1)
    partners = dict(partner_sampler=dict(type='ReversedSampler' if mixing == 'CMO' else 'ShuffleSampler'))
    cfg = dict(batch_size=8, dataset=dataset, sampler=dict(type=sampler, **SAMPLERS[sampler]), **(partners if mixing else {}))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    batches = iter(build_loader(cfg, training=True))
    for _ in range(2):
        batch = model.data_preprocessor(next(batches), True)
        losses = model(*batch, mode='loss')
        assert all(bool(torch.isfinite(value)) for value in losses.values()), losses
        optimizer.zero_grad()
        sum(losses.values()).backward()
        assert all(value.grad is not None and bool(value.grad.isfinite().all()) for value in model.parameters())
        optimizer.step()
    still = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert not still, still


def test_nothing_is_left_out():
    assert {'CrossEntropyLoss', 'LDAMLoss', 'SEQLLoss', 'SeesawLoss', 'VSLoss'} <= set(LOSSES)


@pytest.mark.parametrize('sampler', SAMPLERS)
@pytest.mark.parametrize('loss', LOSSES)
def test_a_loss_with_a_sampler_and_a_mixing(digits, loss, sampler):
    mixing = MIXINGS[(LOSSES.index(loss) + list(SAMPLERS).index(sampler)) % len(MIXINGS)]
    two_steps(digits, loss, sampler, mixing)


@pytest.mark.parametrize('mixing', [None, 'CMO'])
@pytest.mark.parametrize('loss', LOSSES)
def test_a_loss_with_late_class_weights(digits, loss, mixing):
    two_steps(digits, loss, 'ShuffleSampler', mixing, reweighting=dict(beta=0.999, start_epoch=1))


@pytest.mark.parametrize(('loss', 'mixing'), [('BalancedSoftmaxLoss', 'CutMix'), ('LDAMLoss', None)])
def test_a_backbone_of_mmpretrain(digits, loss, mixing):
    two_steps(digits, loss, 'ClassAwareSampler', mixing, RESNET18)
