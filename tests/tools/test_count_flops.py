"""Parameters and multiply-adds."""

from pathlib import Path

import pytest
from commands import call
from torch import nn

from mmlt.apis.flops import Part, count, count_model
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier
from mmlt.models.momentum import FeatureQueue, MomentumEncoder

ROOT = Path(__file__).resolve().parents[2]


def conv_macs(size, in_channels, channels):
    """3 x 3 convolution giving size x size places."""
    return size * size * 9 * in_channels * channels


def test_resnet32_by_hand():
    whole, *parts = count('configs/ce/resnet32_cifar100lt.py')
    found = {part.name: part for part in parts}
    assert whole.parameters == 470_004
    assert whole.macs == pytest.approx(0.07e9, rel=0.05)
    # 31 convolutions: the stem and three stages of ten, then the classifier.
    layers = [10 * conv_macs(32, 16, 16)]
    layers += [conv_macs(16, 16, 32) + 9 * conv_macs(16, 32, 32), conv_macs(8, 32, 64) + 9 * conv_macs(8, 64, 64)]
    assert [found[f'backbone.layer{n}'].macs for n in (1, 2, 3)] == layers
    assert found['head'].macs == 64 * 100
    assert whole.macs == conv_macs(32, 3, 16) + sum(layers) + 64 * 100
    assert sum(part.parameters for part in parts) == whole.parameters


def test_cost_grows_with_the_area():
    small, large = (count('configs/ce/resnet8_digitslt.py', (3, side, side))[0] for side in (16, 32))
    assert large.macs - 640 == 4 * (small.macs - 640)  # all but the classifier, 64 x 10
    assert large.parameters == small.parameters


def expert_parts(**settings) -> dict[str, Part]:
    parts = count('configs/ride/resnet32_cifar100lt.py', overrides={f'model.backbone.{k}': v for k, v in settings.items()})
    return {part.name: part for part in parts}


def test_trunk_experts_and_heads_of_ride_by_hand():
    found = expert_parts()
    expert = conv_macs(16, 16, 24) + 9 * conv_macs(16, 24, 24) + conv_macs(8, 24, 48) + 9 * conv_macs(8, 48, 48)
    assert found['backbone.trunk'].macs == conv_macs(32, 3, 16) + 10 * conv_macs(32, 16, 16)
    assert found['backbone.experts'].macs == 3 * expert
    assert found['head.heads'].macs == 3 * 48 * 100
    assert found[''].macs == sum(part.macs for name, part in found.items() if name)
    norms = 2 * (10 * 24 + 10 * 48)
    weights = 9 * (16 * 24 + 9 * 24 * 24 + 24 * 48 + 9 * 48 * 48)
    assert found['backbone.experts'].parameters == 3 * (weights + norms)
    assert found['head.heads'].parameters == 3 * 48 * 100


@pytest.mark.parametrize('shared', [0, 1])
def test_experts_together_count_as_one_by_one(shared):
    assert expert_parts(together=True, shared_stages=shared) == expert_parts(together=False, shared_stages=shared)


class Contrastive(LongTailedClassifier):
    """A classifier with a branch that no prediction needs."""

    def __init__(self) -> None:
        head = dict(type='LinearHead', in_channels=64, num_classes=10)
        super().__init__(dict(type='ResNetCIFAR', depth=8), head)
        self.projector = nn.Linear(64, 16)
        self.momentum = MomentumEncoder([self.backbone, self.projector])
        self.queue = FeatureQueue(50, (16,))


def test_what_serves_training_alone_stands_apart():
    whole, *parts = count_model(Contrastive(), (3, 32, 32))
    plain, *plain_parts = count('configs/ce/resnet8_digitslt.py')
    assert (whole.parameters, whole.macs) == (plain.parameters, plain.macs)
    assert [part for part in parts if not part.training_only] == plain_parts
    apart = {part.name: part.parameters for part in parts if part.training_only}
    backbone, projector = plain.parameters - 650, 64 * 16 + 16
    assert apart == {'projector': projector, 'momentum': backbone + projector, 'queue': 50 * 16}


def test_an_impossible_shape_is_one_sentence():
    with pytest.raises(UserError, match='shape'):
        count('configs/ce/resnet8_digitslt.py', (1, 32, 32))


def test_command_line():
    done = call('count_flops', 'configs/ce/resnet32_cifar100lt.py')
    assert done.code == 0, done.err
    assert '470,004' in done.out and 'backbone.layer3' in done.out
