"""Bootstrap confidence intervals over the images of a test set, percentiles of 1,000 resamples.

With one label an image the resamples are stratified: each class keeps its number of test images, which the makers of a
long-tailed benchmark fixed, and no class leaves the mean over classes. So a class with a single test image adds no width.
Images with several labels cannot be stratified and are drawn from the whole test set. The intervals speak of the test
images alone, not of the training run: another seed may lie outside.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.
"""

from collections.abc import Iterator, Mapping

import numpy as np

LEVEL = 0.95
RESAMPLES = 1000
SEED = 0
CELLS = 1_000_000  # of the arrays of one block of resamples


def blocks(resamples: int, num_images: int) -> Iterator[int]:
    """Sizes of the blocks in which the resamples are drawn, so that memory stays small."""
    size = max(1, min(resamples, CELLS // max(num_images, 1)))
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def stratified_draws(class_sizes: np.ndarray, resamples: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """Images drawn with replacement within each class, block by block.

    Args:
        class_sizes: (K,) test images of each class; the images are those of class 0, then of class 1, ...
        resamples: how many.
        seed: of the draws.

    Yields:
        int64 (r, N): at a place of class c stands the place of an image of class c.
    """
    random = np.random.default_rng(seed)
    sizes = np.repeat(class_sizes, class_sizes)
    first = np.repeat(np.cumsum(class_sizes) - class_sizes, class_sizes)
    for count in blocks(resamples, len(sizes)):
        # 32 random bits scaled to the class: the bias is below size / 2 ** 32.
        bits = random.integers(0, 2**32, size=(count, len(sizes)), dtype=np.uint32)
        yield first + ((bits * sizes.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def image_weights(num_images: int, resamples: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """How often each image is drawn from the whole test set, block by block: int64 (r, N), rows that sum to N."""
    random = np.random.default_rng(seed)
    for count in blocks(resamples, num_images):
        drawn = random.integers(0, num_images, size=(count, num_images))
        drawn += np.arange(count)[:, None] * num_images
        yield np.bincount(drawn.ravel(), minlength=count * num_images).reshape(count, num_images)


def intervals(values: Mapping[str, np.ndarray], level: float = LEVEL) -> dict[str, list[float]]:
    """The percentiles (1 - level) / 2 and (1 + level) / 2 of each metric's resamples.

    Args:
        values: name -> (R,), one value a resample; one that holds a NaN is left out.
        level: share of the resamples inside.

    Returns:
        name -> [low, high].
    """
    ends = [50 * (1 - level), 50 * (1 + level)]
    found = {name: np.percentile(each, ends) for name, each in values.items() if not np.isnan(each).any()}
    return {name: [float(low), float(high)] for name, (low, high) in found.items()}
