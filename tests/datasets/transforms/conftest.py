"""Real images, and the operations of the policies as Pillow has them, one image at a time."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from sklearn.datasets import load_sample_images
from torch import Tensor

PACK = Path(__file__).resolve().parents[4] / 'shared/data/core/cifar100_test.npz'
GREY = (128, 128, 128)

Single = Callable[[np.ndarray, str, float], np.ndarray]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors on a busy machine: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='session')
def photographs() -> Tensor:
    """Two photographs, uint8 (2, 3, 427, 640)."""
    return torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope='session')
def tiles(photographs: Tensor) -> Tensor:
    """Pieces of the photographs, from smooth sky to fine leaves, uint8 (104, 3, 32, 32)."""
    tiles = photographs.unfold(2, 32, 60).unfold(3, 32, 60)[:, :, :, :10]  # (2, 3, 7, 10, 32, 32)
    return tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 32, 32)[:104].contiguous()


@pytest.fixture(scope='session')
def cifar() -> Tensor:
    """Images of the CIFAR-100 test set, uint8 (256, 3, 32, 32)."""
    if not PACK.exists():
        pytest.skip(f'{PACK} is absent: CIFAR images are not at hand')
    with np.load(PACK) as pack:
        start, end = pack['offsets'][:2]
        sheet = np.asarray(Image.open(io.BytesIO(pack['atlas'][start:end].tobytes())).convert('RGB'))
    sheet = torch.from_numpy(sheet[:256].copy()).view(8, 32, 32, 32, 3)  # (row, y, column, x, C)
    return sheet.permute(0, 2, 4, 1, 3).reshape(256, 3, 32, 32).contiguous()


@pytest.fixture(params=['tiles', 'cifar'])
def images(request: pytest.FixtureRequest) -> Tensor:
    """Real images, uint8 (B, 3, 32, 32)."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope='session')
def in_pillow() -> Single:
    """A function of an image (H, W, 3), the name of an operation and its magnitude, that calls Pillow."""

    def affine(image: Image.Image, matrix: tuple[float, ...], resample: Image.Resampling) -> Image.Image:
        return image.transform(image.size, Image.Transform.AFFINE, matrix, resample, fillcolor=GREY)

    def turn(image: Image.Image, part: float) -> Image.Image:
        angle, saturation, value = image.convert('HSV').split()
        angle = Image.fromarray(((np.asarray(angle).astype(int) + int(part * 255)) % 256).astype(np.uint8))
        return Image.merge('HSV', (angle, saturation, value)).convert('RGB')

    nearest, cubic = Image.Resampling.NEAREST, Image.Resampling.BICUBIC
    operations = {
        'identity': lambda image, m: image,
        'shearX': lambda image, m: affine(image, (1, m, 0, 0, 1, 0), cubic),
        'shearY': lambda image, m: affine(image, (1, 0, 0, m, 1, 0), cubic),
        'translateX': lambda image, m: affine(image, (1, 0, m * image.size[0], 0, 1, 0), nearest),
        'translateY': lambda image, m: affine(image, (1, 0, 0, 0, 1, m * image.size[1]), nearest),
        'rotate': lambda image, m: image.rotate(m, nearest, fillcolor=GREY),
        'color': lambda image, m: ImageEnhance.Color(image).enhance(m),
        'contrast': lambda image, m: ImageEnhance.Contrast(image).enhance(m),
        'brightness': lambda image, m: ImageEnhance.Brightness(image).enhance(m),
        'sharpness': lambda image, m: ImageEnhance.Sharpness(image).enhance(m),
        'posterize': lambda image, m: ImageOps.posterize(image, int(np.round(m))),
        'solarize': lambda image, m: ImageOps.solarize(image, m),
        'autocontrast': lambda image, m: ImageOps.autocontrast(image),
        'equalize': lambda image, m: ImageOps.equalize(image),
        'invert': lambda image, m: ImageOps.invert(image),
        'hue': turn,
    }
    return lambda image, name, magnitude: np.asarray(operations[name](Image.fromarray(image), magnitude))
