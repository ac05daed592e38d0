"""Parameters and multiply-adds."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmlt.apis.flops import count
from mmlt.errors import UserError

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


def test_an_impossible_shape_is_one_sentence():
    with pytest.raises(UserError, match='shape'):
        count('configs/ce/resnet8_digitslt.py', (1, 32, 32))


def test_command_line():
    command = [sys.executable, ROOT / 'tools' / 'count_flops.py', 'configs/ce/resnet32_cifar100lt.py']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '470,004' in done.stdout and 'backbone.layer3' in done.stdout
