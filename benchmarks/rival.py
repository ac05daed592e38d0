"""The rival: the training loop that long-tailed repositories share, in plain PyTorch.

Images are PIL pictures that torchvision transforms one by one in a DataLoader; the model is float32, eager and in the
default memory format; the loss is read in every step. Nothing of mmlt or MMEngine is imported here, so that the memory
of this process is the rival's own.
"""

import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


class Pictures(Dataset):
    """Images uint8 (N, H, W, 3) as PIL pictures, transformed one by one."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[place])), int(self.labels[place])


class Cutout:
    """One black square in an image (C, H, W), its centre anywhere."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, image: Tensor) -> Tensor:
        height, width = image.shape[1:]
        row, column = np.random.randint(height), np.random.randint(width)
        top, left = max(row - self.size // 2, 0), max(column - self.size // 2, 0)
        image[:, top : row + self.size // 2, left : column + self.size // 2] = 0
        return image


def transform_of(configs: list[dict], size: int, mean: list[float], std: list[float]) -> Callable:
    """The torchvision equivalent of a list of mmlt's transforms, ToTensor and Normalize included.

    Raises:
        ValueError: a transform without an equivalent here.
    """
    pictures, tensors = [], []
    for cfg in configs:
        options = {key: value for key, value in cfg.items() if key != 'type'}
        if cfg['type'] == 'RandomCrop':
            pictures.append(transforms.RandomCrop(size, padding=options.get('padding', 4)))
        elif cfg['type'] == 'RandomFlip':
            pictures.append(transforms.RandomHorizontalFlip(options.get('probability', 0.5)))
        elif cfg['type'] == 'AutoAugment':
            pictures.append(transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10))
        elif cfg['type'] == 'Cutout':
            tensors.append(Cutout(options.get('size', 16)))
        else:
            raise ValueError(f'the rival has no equivalent of {cfg["type"]}.')
    return transforms.Compose([*pictures, transforms.ToTensor(), *tensors, transforms.Normalize(mean, std)])


class Block(nn.Module):
    """Basic block with an option-A shortcut."""

    def __init__(self, in_planes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.widens = stride != 1 or in_planes != planes

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        quarter = self.conv2.out_channels // 4
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter)) if self.widens else x
        return F.relu(out + shortcut)


class ResNet(nn.Module):
    """ResNet for small images, of depth 6n + 2, with a linear classifier."""

    def __init__(self, depth: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        width = 16
        for stage, planes in enumerate((16, 32, 64), start=1):
            strides = [1 if stage == 1 else 2] + [1] * ((depth - 2) // 6 - 1)
            blocks = [Block(width if first == 0 else planes, planes, stride) for first, stride in enumerate(strides)]
            self.add_module(f'layer{stage}', nn.Sequential(*blocks))
            width = planes
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(F.avg_pool2d(x, x.shape[3]).flatten(1))


def bkd_loss(student: Tensor, teacher: Tensor, target: Tensor, class_weights: Tensor, temperature: float) -> Tensor:
    """Cross entropy plus balanced distillation of logits (B, K), as a script writes it; `class_weights` is (K,)."""
    soft = F.softmax(teacher / temperature, dim=1) * class_weights
    soft = soft / soft.sum(1, keepdim=True)
    distilled = F.kl_div(F.log_softmax(student / temperature, dim=1), soft, reduction='batchmean')
    return F.cross_entropy(student, target) + distilled * temperature**2


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    target: Tensor,
    loss_of: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> float:
    """One step as a script writes it, the loss read at its end; `loss_of(images, logits, target)` gives a scalar."""
    images, target = images.to(DEVICE, non_blocking=True), target.to(DEVICE, non_blocking=True)
    loss = loss_of(images, model(images), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class RivalLeg:
    """The loop; made from plain numbers and the file with the training images.

    Args:
        data: .npz with images uint8 (N, H, W, 3) and labels (N,).
        depth, num_classes: of the ResNet.
        transforms: mmlt's configs of the transforms, for their equivalents.
        mean, std: of each channel, in [0, 1].
        batch_size: images a step.
        workers: DataLoader workers.
        temperature: of BKD; None for cross entropy alone.
    """

    def __init__(
        self,
        data: str,
        depth: int,
        num_classes: int,
        transforms: list[dict],
        mean: list[float],
        std: list[float],
        batch_size: int,
        workers: int,
        temperature: float | None,
    ) -> None:
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True  # as their scripts have it
        with np.load(data) as file:
            images, labels = file['images'], file['labels']
        pictures = Pictures(images, labels, transform_of(transforms, images.shape[1], mean, std))
        self.loader = DataLoader(
            pictures, batch_size, shuffle=True, num_workers=workers, pin_memory=DEVICE.type == 'cuda', drop_last=True
        )
        self.batch_size = batch_size
        self.model = ResNet(depth, num_classes).to(DEVICE).train()
        self.temperature = temperature
        self.teacher = ResNet(depth, num_classes).to(DEVICE).eval() if temperature else None
        counts = np.bincount(labels, minlength=num_classes)
        weights = (1 - 0.9999) / (1 - np.power(0.9999, counts))
        self.class_weights = torch.tensor(weights / weights.sum() * num_classes, dtype=torch.float32, device=DEVICE)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader

    def _loss(self, images: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        if self.teacher is None:
            return F.cross_entropy(logits, target)
        with torch.no_grad():
            taught = self.teacher(images)
        return bkd_loss(logits, taught, target, self.class_weights, self.temperature)

    def _step(self, images: Tensor, target: Tensor) -> float:
        return train_step(self.model, self.optimizer, images, target, self._loss)

    def measure(self, warmup: int, steps: int) -> dict:
        """Seconds and images of `steps` steps, after `warmup` untimed ones in which the workers fill their queue."""
        batches = self._batches()
        for _ in range(warmup):
            self._step(*next(batches))
        start = time.perf_counter()
        for _ in range(steps):
            self._step(*next(batches))
        if DEVICE.type == 'cuda':
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        batches.close()
        return dict(seconds=seconds, images=steps * self.batch_size)

    def peak_memory_mb(self) -> float:
        """Peak of this process, without the workers': allocated on the GPU, or resident; in MiB."""
        if DEVICE.type == 'cuda':
            return torch.cuda.max_memory_allocated() / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
