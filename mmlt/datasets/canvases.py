"""Generated pictures with several objects each: small real images (sprites) pasted on canvases, long-tailed if wanted.

One generator for detection (boxes and masks in LVIS's format) and for images with several labels (`Canvases.multi_hot`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mmlt.errors import UserError

COVERED = 0.1  # share of an object's box that others may cover
TRIES = 60  # places tried for an object
INK = 0.3  # opacity from which a pixel belongs to an object


@dataclass(frozen=True)
class Sprites:
    """Small pictures to paste.

    Attributes:
        pixels: (S, h, w, 3) uint8.
        opacity: (S, h, w) uint8, 0 where the canvas shows through.
        labels: (S,) int64 in [0, K).
        classes: names of the K classes.
    """

    pixels: np.ndarray
    opacity: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Canvases:
    """Pictures and the objects in them.

    Attributes:
        images: (N, side, side, 3) uint8.
        places: (M,) int64, the picture of each object, rising.
        labels: (M,) int64 in [0, K).
        masks: (M, side, side) bool, the visible part of each object.
        classes: names of the K classes.
    """

    images: np.ndarray
    places: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    classes: tuple[str, ...]

    @property
    def multi_hot(self) -> np.ndarray:
        """(N, K) bool: the classes in each picture."""
        hot = np.zeros((len(self.images), len(self.classes)), dtype=bool)
        hot[self.places, self.labels] = True
        return hot

    @property
    def boxes(self) -> np.ndarray:
        """(M, 4) int64: left, upper, right and lower edge of each object in pixels, right and lower exclusive."""
        rows, columns = self.masks.any(axis=2), self.masks.any(axis=1)  # (M, side) each
        first = np.stack([columns.argmax(axis=1), rows.argmax(axis=1)], axis=1)
        side = self.masks.shape[1]
        last = np.stack([side - columns[:, ::-1].argmax(axis=1), side - rows[:, ::-1].argmax(axis=1)], axis=1)
        return np.concatenate([first, last], axis=1)


def draw_canvases(
    sprites: Sprites,
    image_counts: Sequence[int],
    num_images: int,
    side: int = 64,
    objects: tuple[int, int] = (2, 4),
    scale: tuple[float, float] = (1.5, 3.0),
    seed: int = 0,
) -> Canvases:
    """Paste sprites on canvases, each class on just as many as asked for, no class twice on one.

    Args:
        sprites: what is pasted; those of a class come in turn.
        image_counts: (K,) pictures that hold each class.
        num_images: N.
        side: of the pictures, in pixels.
        objects: fewest and most objects of a picture.
        scale: smallest and largest enlargement of a sprite.
        seed: of everything drawn; the stream is NumPy's frozen `RandomState`, the same in all versions.

    Raises:
        UserError: the counts cannot be shared out: a class needs more pictures than there are, or all together more or
            fewer objects than the pictures hold.
    """
    random = np.random.RandomState(seed)
    contents = share_out(image_counts, num_images, objects, random)
    turns = [random.permutation(np.flatnonzero(sprites.labels == c)) for c in range(len(image_counts))]
    taken = np.zeros(len(image_counts), dtype=np.int64)
    images, places, labels, masks = [], [], [], []
    for place, content in enumerate(contents):
        chosen = []
        for c in content:
            chosen.append(turns[c][taken[c] % len(turns[c])])
            taken[c] += 1
        picture, visible = _paste(sprites, chosen, side, scale, random)
        images.append(picture)
        places += [place] * len(content)
        labels += content
        masks += visible
    return Canvases(np.stack(images), np.array(places), np.array(labels), np.stack(masks), sprites.classes)


def share_out(
    image_counts: Sequence[int], num_images: int, objects: tuple[int, int], random: np.random.RandomState
) -> list[list[int]]:
    """The classes of each picture: each class in as many as it counts, the pictures filled evenly.

    Raises:
        UserError: see `draw_canvases`.
    """
    total, (fewest, most) = sum(image_counts), objects
    if max(image_counts) > num_images or not fewest * num_images <= total <= most * num_images:
        raise UserError(
            f'{total} objects (at most {max(image_counts)} of a class) cannot be shared out over {num_images} pictures of '
            f'{fewest} to {most} objects, each class once in a picture: change the counts or the number of pictures.'
        )
    contents: list[list[int]] = [[] for _ in range(num_images)]
    loads = np.zeros(num_images, dtype=np.int64)
    for c in np.argsort(-np.asarray(image_counts), kind='stable'):
        # The emptiest first, so that none is left with too few; a random order among equals.
        emptiest = np.lexsort((random.permutation(num_images), loads))[: image_counts[c]]
        loads[emptiest] += 1
        for place in emptiest:
            contents[place].append(int(c))
    return [[content[i] for i in random.permutation(len(content))] for content in contents]


def _paste(
    sprites: Sprites, chosen: list[int], side: int, scale: tuple[float, float], random: np.random.RandomState
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One picture (side, side, 3) uint8 and the visible part of each object, bool (side, side)."""
    canvas = _background(side, random)
    boxes: list[tuple[int, int, int, int]] = []
    masks: list[np.ndarray] = []
    for sprite in chosen:
        factor = random.uniform(*scale)
        height, width = (min(side, round(length * factor)) for length in sprites.opacity.shape[1:])
        pixels, opacity = (
            np.asarray(Image.fromarray(part[sprite]).resize((width, height), Image.Resampling.BILINEAR), dtype=np.float64)
            for part in (sprites.pixels, sprites.opacity)
        )
        top, left = _place(height, width, side, boxes, random)
        boxes.append((top, left, height, width))
        here = (slice(top, top + height), slice(left, left + width))
        cover = opacity[..., None] / 255
        canvas[here] = canvas[here] * (1 - cover) + pixels * cover
        mask = np.zeros((side, side), dtype=bool)
        mask[here] = cover[..., 0] > INK
        masks = [below & ~mask for below in masks] + [mask]
    return canvas.clip(0, 255).round().astype(np.uint8), masks


def _background(side: int, random: np.random.RandomState) -> np.ndarray:
    """A dim slope of grey with noise, (side, side, 3) float64."""
    down, right = np.mgrid[:side, :side] / side
    slope = random.uniform(10, 70) + random.uniform(-30, 30) * down + random.uniform(-30, 30) * right
    return slope[..., None] + random.normal(0, 8, (side, side, 3))


def _place(
    height: int, width: int, side: int, boxes: list[tuple[int, int, int, int]], random: np.random.RandomState
) -> tuple[int, int]:
    """Top and left edge of a box that covers little of the boxes before it; the best of some tries."""
    best, least = (0, 0), np.inf
    for _ in range(TRIES):
        top, left = random.randint(0, side - height + 1), random.randint(0, side - width + 1)
        covered = 0.0
        for y, x, h, w in boxes:
            rows, columns = min(top + height, y + h) - max(top, y), min(left + width, x + w) - max(left, x)
            covered = max(covered, max(rows, 0) * max(columns, 0) / min(height * width, h * w))
        if covered < least:
            best, least = (top, left), covered
        if least <= COVERED:
            break
    return best
