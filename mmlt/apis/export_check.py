"""Whether an exported file computes what the checkpoint does, by the program that will run it."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmlt.datasets.views import View

SHAPES = ((1.0, 1.0), (1.7, 2.3), (3.1, 2.0))  # of the pictures, in sides of the model's images


def test_pictures(view: View, resize: bool) -> list[list[Image.Image]]:
    """Groups of pictures of one size each: one, two and three of them, with smooth parts, edges and noise.

    Args:
        view: of the model.
        resize: whether pictures of other sizes than the model's are taken.
    """
    draws, groups = np.random.default_rng(0), []
    for number, (high, wide) in enumerate(SHAPES, 1):
        factors = (high, wide) if resize else (1.0, 1.0)
        height, width = (max(2, round(side * factor)) for side, factor in zip(view[:2], factors, strict=True))
        rows, columns = np.linspace(0, 3, height)[:, None, None], np.linspace(0, 3, width)[None, :, None]
        group = []
        for _ in range(number):
            phases, noise = draws.uniform(0, 6, 3), draws.normal(0, 25, (height, width, 3))
            smooth = 128 + 90 * np.sin(rows * 2 + phases) * np.cos(columns * 3 - phases)
            edge = np.where((columns > 1.5) & (rows > draws.uniform(0.5, 2.5)), 40, 0)
            group.append(Image.fromarray(np.clip(smooth + noise + edge, 0, 255).astype(np.uint8)))
        groups.append(group)
    return groups


def runner_of(path: Path, kind: str) -> tuple[Callable[[np.ndarray], Sequence[np.ndarray]], str]:
    """What computes the outputs of an exported file, and the program's name and version."""
    if kind == 'onnx':
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        return lambda images: session.run(None, {'images': images}), f'onnxruntime {onnxruntime.__version__}'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of torch about its own files
        module = torch.export.load(str(path)).module()

    def run(images: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            return [output.numpy() for output in module(torch.from_numpy(images))]

    return run, f'torch {torch.__version__}'


def as_images(group: Sequence[Image.Image], layout: str) -> np.ndarray:
    """Pictures of one size as uint8 (B, H, W, 3), or (B, 3, H, W) for the layout `NCHW`."""
    images = np.stack([np.asarray(picture) for picture in group])
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if layout == 'NCHW' else images


def compare(
    path: Path, kind: str, images: list[np.ndarray], same: list[tuple[Tensor, Tensor]], whole: list[Tensor]
) -> dict[str, Any]:
    """The largest differences between a file's outputs and what the checkpoint gives.

    Args:
        path: of the file.
        kind: `onnx` or `torch.export`.
        images: groups of one size each.
        same: logits and probabilities (B, K) of each group, for the pixels that the file sees.
        whole: probabilities (B, K) of each group, for pictures that mmlt cut and scaled.
    """
    run, program = runner_of(path, kind)
    worst = dict(logit=0.0, probability=0.0, scaled=0.0)
    for group, (logits, probabilities), scaled in zip(images, same, whole, strict=True):
        found = [torch.from_numpy(output).double() for output in run(group)[:2]]
        for name, own, wanted in zip(worst, (*found, found[1]), (logits, probabilities, scaled), strict=True):
            difference = float((own - wanted).abs().max())
            worst[name] = max(worst[name], difference if np.isfinite(difference) else np.inf)
    return dict(**worst, pictures=sum(map(len, images)), program=program)
