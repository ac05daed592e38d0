"""Slow loops in float64 that the evaluator is held against, and random and degenerate test sets."""

import math

import torch

COUNTS = [400, 150, 40, 25, 10, 3, 3, 1]


def cases() -> dict:
    """name -> logits (N, K), target (N,), class counts (K,)."""
    random = torch.Generator().manual_seed(7)
    classes = len(COUNTS)

    def drawn(images: int, width: int = classes) -> tuple:
        return torch.randn(images, width, generator=random) * 2, torch.randint(width, (images,), generator=random)

    logits, target = drawn(160)
    uneven = torch.cat([torch.zeros(90), torch.ones(20), torch.arange(2, classes)]).long()
    return {
        'random': (logits, target, COUNTS),
        'absent classes': (logits, target.clamp(max=4), COUNTS),
        'uneven': (drawn(len(uneven))[0], uneven, COUNTS),
        'ties': (logits.round().clamp(-1, 1), target, COUNTS),
        'equal logits': (torch.zeros(20, classes), target[:20], COUNTS),
        'one image': (*drawn(1), COUNTS),
        'one class': (torch.randn(9, 1, generator=random), torch.zeros(9).long(), [12]),
        'three classes': (*drawn(50, 3), [200, 30, 5]),
        'never right': (torch.nn.functional.one_hot((target + 1) % classes, classes).float() * 9, target, COUNTS),
        'certain': (torch.nn.functional.one_hot(target, classes).double() * 800, target, COUNTS),
    }


def softmax(row: list[float]) -> list[float]:
    most = max(row)
    powers = [math.exp(value - most) for value in row]
    return [power / sum(powers) for power in powers]


def place(probability: float, bins: int = 15) -> int:
    """The bin ((b - 1) / B, b / B] from 0."""
    return next(b for b in range(bins) if probability <= (b + 1) / bins or b == bins - 1)


def mean(values) -> float:  # noqa: ANN001
    values = list(values)
    return math.fsum(values) / len(values)
