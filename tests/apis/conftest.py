"""Finished models of the embedded digits, and the digits as picture files."""

from pathlib import Path

import pytest
from commands import call as call_tool
from PIL import Image

from mmlt.datasets.digits import Digits

SHORT = ['--cfg-options', 'train_cfg.max_epochs=5', 'param_scheduler.0.milestones=[4]']
RUNS = {
    'one': ('configs/ce/resnet8_digitslt.py', '--seed', 0),
    'other': ('configs/ce/resnet8_digitslt.py', '--seed', 1),
    'balanced': ('configs/balanced_softmax/resnet8_digitslt.py', '--seed', 0),
    'many_labels': ('configs/multi_label/resnet8_digitsmulti_thresholds.py', '--seed', 0),
}


@pytest.fixture(scope='session')
def trained(once):
    """`trained(NAME)`: the last checkpoint of a run in `RUNS`, five epochs long."""

    def run(name: str) -> Path:
        def make(folder: Path) -> None:
            config, *options = RUNS[name]
            done = call_tool('train', Path(__file__).parents[2] / config, '--work-dir', folder / 'run', *options, *SHORT,
                             folder=folder)  # fmt: skip
            assert done.code == 0, done.err

        return once(f'digits_{name}', make) / 'run' / 'epoch_5.pth'

    return run


@pytest.fixture(scope='session')
def pictures(once):
    """A folder with the 500 test digits as PNG files of 8x8 pixels, `000_8.png`: place and class."""

    def make(folder: Path) -> None:
        digits = Digits('test')
        for place, (pixels, label) in enumerate(zip(digits.images, digits.labels, strict=True)):
            Image.fromarray(pixels).save(folder / f'{place:03}_{label}.png')

    return once('digit_pictures', make)
