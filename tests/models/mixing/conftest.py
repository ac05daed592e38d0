"""A batch with partners."""

from types import SimpleNamespace

import pytest
import torch

from mmlt.draw import Draw


def make_pair(size: int = 64, side: int = 8, seed: int = 0) -> SimpleNamespace:
    """`size` images and partners of random pixels, labels in 0 to 3, a draw, and counts of four classes."""
    generator = torch.Generator().manual_seed(seed)
    return SimpleNamespace(
        images=torch.rand(size, 3, side, side, generator=generator),
        target=torch.randint(4, (size,), generator=generator),
        partner_images=torch.rand(size, 3, side, side, generator=generator),
        partner_target=torch.randint(4, (size,), generator=generator),
        draw=Draw(seed, torch.arange(size)),
        class_counts=torch.tensor([100, 40, 10, 1]),
    )


@pytest.fixture
def pair() -> SimpleNamespace:
    """64 images with their partners."""
    return make_pair()


@pytest.fixture
def large_pair() -> SimpleNamespace:
    """4096 tiny images with their partners, for statistics."""
    return make_pair(4096, 2)
