"""A contact sheet of what the model sees."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mmlt.batch import Batch
from mmlt.config.find import config_name, find_config
from mmlt.config.load import load_config
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.detection import DetectionBatch, DetectionDataset
from mmlt.detection.drawing import drawn
from mmlt.errors import UserError
from mmlt.registry import MODELS

GAP = 2  # pixels between two tiles
MARGIN = 12
TITLE = 34
TILE = 64  # least side of a tile, in pixels
DETECTION_TILE = 160  # side of a tile with boxes
PAPER, INK, FAINT = (255, 255, 255), (25, 25, 25), (115, 115, 115)


@dataclass
class Sheet:
    """Tiles and what is written beside them.

    Args:
        tiles: uint8 (R * columns, C, H, W), row by row.
        columns: tiles in a row.
        names: class of each of the R rows; empty for none.
        counts: its images in the set, beside the name.
        title: the line above.
    """

    tiles: Tensor
    columns: int
    names: list[str]
    counts: list[str]
    title: str

    def __post_init__(self) -> None:
        height, width = self.tiles.shape[2:]
        self.scale = max(1, -(-TILE // min(height, width)))
        self.cell = (width * self.scale + GAP, height * self.scale + GAP)
        self.font = ImageFont.load_default(size=14)
        self.small = ImageFont.load_default(size=12)
        written = [self.font.getlength(name) for name in self.names] + [self.small.getlength(n) for n in self.counts]
        self.left = 2 * MARGIN + int(max(written))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        rows = len(self.tiles) // self.columns
        return self.left + self.columns * self.cell[0] + MARGIN, TITLE + rows * self.cell[1] + MARGIN

    def box(self, place: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge of a tile in the picture."""
        row, column = divmod(place, self.columns)
        x, y = self.left + column * self.cell[0], TITLE + row * self.cell[1]
        return x, y, x + self.cell[0] - GAP, y + self.cell[1] - GAP

    def draw(self) -> Image.Image:
        """The picture; tiles are enlarged by a whole factor, pixel for pixel."""
        picture = Image.new('RGB', self.size, PAPER)
        pen = ImageDraw.Draw(picture)
        pen.text((MARGIN, TITLE // 2), self.title, fill=INK, font=self.font, anchor='lm')
        pixels = self.tiles.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
        for place, tile in enumerate(pixels):
            large = tile.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
            picture.paste(Image.fromarray(large), self.box(place)[:2])
        for row, (name, count) in enumerate(zip(self.names, self.counts, strict=True)):
            middle = TITLE + row * self.cell[1] + (self.cell[1] - GAP) // 2
            pen.text((self.left - MARGIN, middle - 1), name, fill=INK, font=self.font, anchor='rs')
            pen.text((self.left - MARGIN, middle + 3), count, fill=FAINT, font=self.small, anchor='rt')
        return picture


def browse(
    config: str | Path,
    rows: int = 8,
    columns: int = 12,
    label: int | None = None,
    mode: str = 'train',
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
) -> tuple[Sheet, Batch | DetectionBatch]:
    """Draw images and augment them as the model's own preprocessor does, short of normalising.

    Rows are classes from the head to the tail, evenly spread over the ranking where there are more classes than rows. A
    class with fewer images than columns shows them again, each time augmented by another draw. Where a method learns from
    several views of an image, each row is followed by the further views of its images. Images with objects are shown with
    their boxes and masks, as the data set augments them.

    Args:
        config: path of a config.
        rows: classes shown at most, or rows of the one class.
        columns: images a row.
        label: show this class alone.
        mode: `train`: the training set, augmented; `test`: the test set as it is evaluated.
        seed: of the choice of images and of their augmentation.
        overrides: config overrides.

    Returns:
        The sheet, and the batch of original images it was made from, in the order of its tiles (of one view).

    Raises:
        UserError: no such class, or no data.
    """
    if rows < 1 or columns < 1:
        raise UserError(f'a sheet of {rows} rows and {columns} columns shows nothing: give at least 1 of each.')
    path = find_config(config)
    cfg = load_config(path, overrides)
    dataset = build_dataset((cfg.train_dataloader if mode == 'train' else cfg.test_dataloader).dataset)
    classes, counts = dataset.metainfo['classes'], np.asarray(dataset.metainfo['class_counts'])
    ranking = np.argsort(-counts, kind='stable')
    ranking = ranking[counts[ranking] > 0]
    if label is None:
        shown = ranking[np.unique(np.linspace(0, len(ranking) - 1, min(rows, len(ranking))).round().astype(int))]
        wanted = dict.fromkeys(shown.tolist(), columns)
    elif 0 <= label < len(classes) and counts[label]:
        wanted = {label: columns * rows}
    else:
        raise UserError(f'--class {label}: there are {len(classes)} classes, 0 to {len(classes) - 1}, or it is empty.')
    generator = np.random.default_rng(seed)
    places = np.concatenate([_members(dataset.labels, one, number, generator) for one, number in wanted.items()])
    keys, indices = torch.arange(len(places)), torch.from_numpy(places)
    if isinstance(dataset, DetectionDataset):
        pairs = [dataset[(place, key) if mode == 'train' else place] for key, place in enumerate(places.tolist())]
        batch = dataset.batch(pairs, indices, keys)
        tiles = torch.stack([drawn(image, target, DETECTION_TILE) for image, target in pairs])
    else:
        batch = _batch(dataset, indices, keys)
        preprocessor = MODELS.build(cfg.model.data_preprocessor)
        preprocessor.seed = seed
        tiles = preprocessor.augment(batch, training=mode == 'train')
    names = [f'{classes[one]}' for one in wanted]
    written = [f'{counts[one]:,} image{"s" if counts[one] != 1 else ""}' for one in wanted]
    what = 'training set as augmented' if mode == 'train' else 'test set'
    title = f'{config_name(path)}: {what}, {len(dataset):,} images, {len(classes)} classes'
    if label is None:
        title += ', head to tail' if mode == 'train' else ''
    else:
        names, written = names + [''] * (rows - 1), written + [''] * (rows - 1)
    views = len(tiles) // len(places)
    tiles = tiles.unflatten(0, (views, -1, columns)).transpose(0, 1).flatten(0, 2)  # the views of a row below it
    names = [text for name in names for text in (name, *[''] * (views - 1))]
    written = [text for count in written for text in (count, *(f'view {view}' for view in range(2, views + 1)))]
    return Sheet(tiles, columns, names, written, title), batch


def _batch(dataset: Any, indices: Tensor, keys: Tensor) -> Batch:
    """Images of a data set, by their draws where it takes these."""
    takes_keys = getattr(dataset, 'resident', False) or getattr(dataset, 'takes_keys', False)
    items = zip(indices.tolist(), keys.tolist(), strict=True) if takes_keys else indices.tolist()
    images = [dataset[item][0] for item in items]
    return Batch(torch.stack(images), torch.from_numpy(np.asarray(dataset.labels)[indices.numpy()]), indices, keys)


def _members(labels: np.ndarray, label: int, number: int, generator: np.random.Generator) -> np.ndarray:
    """`number` places of a class in random order, each once before any is there twice."""
    labels = np.asarray(labels)
    members = np.flatnonzero(labels[:, label] if labels.ndim == 2 else labels == label)
    rounds = -(-number // len(members))
    return np.concatenate([generator.permutation(members) for _ in range(rounds)])[:number]
