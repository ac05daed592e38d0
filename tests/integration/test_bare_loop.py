"""What the Runner trains is what a loop in plain PyTorch trains, on the same images in the same order."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import functional as picture

from benchmarks.rival_train import rival_network
from mmlt.apis.train import build_runner
from mmlt.draw import Draw
from mmlt.engine.loader import EPOCH_KEYS
from mmlt.engine.stages import Stage
from mmlt.models.preprocessor import BatchPreprocessor

EPOCHS, BATCH, PADDING, LR, DROP, DECAY = 3, 100, 2, 0.01, 2, 1e-2
TOLERANCE = 1e-4  # of the way that a weight goes; pixels are normalised in float32
CONFIG = 'configs/ce/resnet8_digitslt.py'
OVERRIDES = {
    'train_cfg.max_epochs': EPOCHS,
    'train_dataloader.batch_size': BATCH,  # the last step of an epoch is a short one
    'optim_wrapper.optimizer.lr': LR,  # at 0.1 rounding grows a thousandfold in a few steps
    'optim_wrapper.optimizer.weight_decay': DECAY,
    'param_scheduler': [dict(type='MultiStepLR', milestones=[DROP], gamma=0.1)],
    'data_preprocessor.train_transforms': [dict(type='RandomCrop', padding=PADDING), dict(type='RandomFlip')],
}


def test_three_epochs_end_with_the_weights_of_a_bare_loop(tmp_path, monkeypatch):
    normalise = BatchPreprocessor.normalise
    monkeypatch.setattr(BatchPreprocessor, 'normalise', lambda self, images: normalise(self, images).double())
    stage = Stage(CONFIG, seed=3, overrides=OVERRIDES, precision='fp32', work_dir=tmp_path / 'run')
    runner = build_runner(stage)
    model = runner.bare_model
    network = rival_network(model, stage.cfg.model.backbone.depth).double().train()
    start = {name: value.clone() for name, value in network.state_dict().items()}
    model.double()
    runner.train()

    dataset, sampler = stage.loader.dataset, stage.loader.sampler
    images, labels = dataset.dataset.images[dataset.indices], torch.as_tensor(np.asarray(dataset.labels))
    pipeline = stage.cfg.model.data_preprocessor
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=0.9, weight_decay=DECAY)
    assert len(labels) % BATCH, 'a short last step'
    for epoch in range(EPOCHS):
        order = sampler.epoch_indices(epoch)
        draw = Draw(runner.draw_seed, epoch * EPOCH_KEYS + torch.arange(len(order)))
        places = draw.at(0).integers(0, 2 * PADDING + 1, 2, stream=0).tolist()
        mirrored = (draw.at(1).uniform(1, stream=0) < 0.5).squeeze(1).tolist()
        seen = [
            augmented(images[index], *place, mirror, pipeline)
            for index, place, mirror in zip(order, places, mirrored, strict=True)
        ]
        for group in optimizer.param_groups:
            group['lr'] = LR * (0.1 if epoch >= DROP else 1)
        for first in range(0, len(order), BATCH):
            step = slice(first, first + BATCH)
            loss = F.cross_entropy(network(torch.stack(seen[step])), labels[order[step]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    trained = model.state_dict()
    for name, value in network.state_dict().items():
        own = trained[name.replace('linear.', 'head.') if name.startswith('linear.') else f'backbone.{name}']
        moved = (value - start[name]).abs().max()
        assert moved > 0 and (own - value).abs().max() <= TOLERANCE * moved, name


def augmented(image: np.ndarray, top: int, left: int, mirror: bool, pipeline: dict) -> torch.Tensor:
    """An image uint8 (H, W, C) as torchvision crops, mirrors and normalises a PIL picture."""
    height, width = image.shape[:2]
    cut = picture.crop(picture.pad(Image.fromarray(image), PADDING), top, left, height, width)
    cut = picture.to_tensor(picture.hflip(cut) if mirror else cut)
    return picture.normalize(cut, list(pipeline.mean), list(pipeline.std)).double()
