"""The rival's loop to the end of a config's recipe, so that its accuracy can stand beside mmlt's."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.rival import DEVICE, Pictures, ResNet, train_step, transform_of
from mmlt.engine.checkpoint import checkpoints_of, load_checkpoint, prune, save_checkpoint
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.evaluation.functional import classification_metrics
from mmlt.registry import MODELS, PARAM_SCHEDULERS

WORKERS = 2
EVAL_BATCH = 500


class RivalRun:
    """Train plain cross entropy as long-tailed repositories do: PIL and torchvision in DataLoader workers, float32,
    eager, contiguous, the loss read in every step.

    Images and recipe (epochs, SGD, learning rates, batch size) are the config's, and the first weights are drawn as mmlt
    draws them. What an epoch draws is a function of seed and epoch, so an interrupted run goes on as if it had not been.

    Args:
        stage: the prepared config.
        folder: folder of its checkpoints.
        save_every: epochs between two of them.

    Raises:
        UserError: the config trains something else than a CIFAR ResNet with a linear head by cross entropy.
    """

    def __init__(self, stage: Stage, folder: Path, save_every: int = 3) -> None:
        cfg = stage.cfg
        types = (cfg.model.type, cfg.model.backbone.type, cfg.model.head.type, cfg.model.loss.type)
        expected = ('LongTailedClassifier', 'ResNetCIFAR', 'LinearHead', 'CrossEntropyLoss')
        plain = cfg.train_dataloader.get('sampler', {}).get('type', 'ShuffleSampler') == 'ShuffleSampler'
        if types != expected or not plain or 'reweighting' in cfg.model or stage.prerequisites:
            raise UserError(
                f'{stage.name} is more than plain cross entropy on a CIFAR ResNet, and the rival has no loop for it: '
                'name one of configs/ce.'
            )
        self.stage, self.folder, self.save_every = stage, folder, save_every
        self.max_epochs: int = cfg.train_cfg.max_epochs
        self.epoch, self.seconds, self.images = 0, 0.0, 0
        torch.manual_seed(stage.draw_seed)
        torch.backends.cudnn.benchmark = True  # as their scripts have it
        self.model = rival_network(MODELS.build(cfg.model), cfg.model.backbone.depth).to(DEVICE)
        options = {key: value for key, value in cfg.optim_wrapper.optimizer.items() if key not in ('type', 'fused')}
        self.optimizer = torch.optim.SGD(self.model.parameters(), **options)
        common = dict(optimizer=self.optimizer, epoch_length=len(stage.loader))
        self.schedulers = [PARAM_SCHEDULERS.build(dict(item), default_args=common) for item in cfg.param_scheduler]
        self._identity = dict(config=stage.name, config_hash=stage.config_hash, seed=stage.seed)
        self._resume()

    def run(self, say: Callable[[str], None] = print) -> dict:
        """Train what is left, evaluate after the last epoch.

        Returns:
            epoch, metrics (as `classification_metrics`), wall_seconds and images_per_s of the training steps.
        """
        batches = self._loader(self.stage.loader.dataset, self.stage.cfg.model.data_preprocessor.train_transforms)
        while self.epoch < self.max_epochs:
            loss = self._train_epoch(batches)
            if self.epoch % self.save_every == 0 or self.epoch == self.max_epochs:
                self._save()
            say(f'rival, seed {self.stage.seed}: epoch {self.epoch}/{self.max_epochs}  loss {loss:.3f}')
        return dict(
            epoch=self.epoch,
            metrics=self.evaluate(),
            wall_seconds=round(self.seconds, 1),
            images_per_s=round(self.images / self.seconds, 1),
        )

    def evaluate(self) -> dict[str, float]:
        """Metrics on the config's evaluation set, by mmlt's own functions."""
        self.model.eval()
        loader = self._loader(self.stage.val_loader.dataset, None)
        with torch.no_grad():
            logits, target = zip(*((self.model(images.to(DEVICE)), labels) for images, labels in loader), strict=True)
        counts = self.stage.loader.dataset.class_counts
        return classification_metrics(torch.cat(logits), torch.cat(target), counts, self._convention)

    @property
    def _convention(self) -> str:
        return self.stage.cfg.val_evaluator.get('convention', 'standard')

    def _loader(self, dataset: Any, transforms: list[dict] | None) -> DataLoader:
        pipeline, loader = self.stage.cfg.model.data_preprocessor, self.stage.cfg.train_dataloader
        whole = getattr(dataset, 'dataset', dataset)
        images = whole.images[dataset.indices] if whole is not dataset else dataset.images
        transform = transform_of(transforms or [], images.shape[1], list(pipeline.mean), list(pipeline.std))
        training = transforms is not None
        return DataLoader(
            Pictures(images, np.asarray(dataset.labels), transform),
            loader.batch_size if training else EVAL_BATCH,
            shuffle=training,
            num_workers=WORKERS,
            pin_memory=DEVICE.type == 'cuda',
            drop_last=training and loader.get('drop_last', False),
        )

    def _train_epoch(self, batches: DataLoader) -> float:
        torch.manual_seed(int(np.random.SeedSequence((self.stage.draw_seed, self.epoch)).generate_state(1)[0]))
        self.model.train()
        losses, start = [], time.perf_counter()
        for images, target in batches:
            losses.append(train_step(self.model, self.optimizer, images, target, cross_entropy))
            self.images += len(target)
            self._step_schedulers(by_epoch=False)
        self.seconds += time.perf_counter() - start
        self._step_schedulers(by_epoch=True)
        self.epoch += 1
        if not np.isfinite(losses).all():
            raise UserError(f"the rival's loss became NaN or infinite in epoch {self.epoch}.")
        return float(np.mean(losses))

    def _step_schedulers(self, by_epoch: bool) -> None:
        for scheduler in self.schedulers:
            if scheduler.by_epoch == by_epoch:
                scheduler.step()

    def _save(self) -> None:
        schedulers = [
            {key: value for key, value in scheduler.state_dict().items() if type(value) in (int, float)}
            for scheduler in self.schedulers
        ]
        meta = dict(self._identity, epoch=self.epoch, seconds=self.seconds, images=self.images)
        content = dict(state_dict=self.model.state_dict(), meta=meta, optimizer=self.optimizer.state_dict())
        save_checkpoint(self.folder / f'epoch_{self.epoch}.pth', {**content, 'schedulers': schedulers})
        prune(self.folder, 2)

    def _resume(self) -> None:
        for path in checkpoints_of(self.folder):
            try:
                content = load_checkpoint(path)
            except UserError:  # damaged: the one before it
                continue
            meta = content['meta']
            if any(meta.get(key) != value for key, value in self._identity.items()):
                raise UserError(f'{path} is of another run: delete its folder, or restore the config.')
            self.model.load_state_dict(content['state_dict'])
            self.optimizer.load_state_dict(content['optimizer'])
            for scheduler, state in zip(self.schedulers, content['schedulers'], strict=True):
                scheduler.load_state_dict(state)
            self.epoch, self.seconds, self.images = meta['epoch'], meta['seconds'], meta['images']
            return


def cross_entropy(images: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy of logits (B, K); `images` is what every loss of the loop is given."""
    return F.cross_entropy(logits, target)


def rival_network(model: torch.nn.Module, depth: int) -> ResNet:
    """The rival's network with the weights of a `LongTailedClassifier` of the same architecture."""

    def names() -> Iterator[tuple[str, Tensor]]:
        for name, value in model.state_dict().items():
            if name.startswith('backbone.'):
                yield name.removeprefix('backbone.'), value
            elif name.startswith('head.'):
                yield name.replace('head.', 'linear.'), value

    network = ResNet(depth, model.num_classes)
    network.load_state_dict(dict(names()))
    return network
