"""The files of a first run: the config, the list of its images, the list of those left out."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.text import Text

from mmlt.analysis.diagnosis.card import IN_CONFIG, about, config_text, counted, start_html, title
from mmlt.analysis.diagnosis.findings import Diagnosis
from mmlt.analysis.diagnosis.lists import images_csv, left_out_csv
from mmlt.analysis.diagnosis.machine import Machine
from mmlt.analysis.diagnosis.plan import TRAIN, Plan, make_plan
from mmlt.analysis.diagnosis.recipe import CPU_SIDE, PHOTO, SMALL, Recipe, choose
from mmlt.analysis.diagnosis.scan import processors
from mmlt.analysis.diagnosis.sizes import short_side
from mmlt.analysis.pages import Html
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError
from mmlt.files import atomic_write

TIMED = 30  # training images that reading is timed with
SAMPLE = 1000  # training images that mean and deviation are taken of, where there are more


@dataclass
class Start:
    """What was written for a first run.

    Args:
        config, images: the files; `left_out` and `classes` only where they were needed.
        plan: of the images.
        recipe: what is trained.
        names: of the classes that are trained on.
    """

    config: Path
    images: Path
    left_out: Path | None
    classes: Path | None
    plan: Plan
    recipe: Recipe
    names: list[str]

    def html(self) -> Html:
        """The same for the page."""
        left_out = self.left_out.name if self.left_out else None
        return start_html(self.recipe, self.plan, len(self.names), str(self.config), left_out)


def files_of(config: Path) -> tuple[Path, Path, Path]:
    """The files beside a config: its images, those left out, the names of its classes."""
    return tuple(config.with_name(f'{config.stem}_{what}') for what in ('images.csv', 'left_out.csv', 'classes.txt'))


def check_free(config: Path) -> None:
    """Refuse to write over anything: a config is changed by hand as soon as it is there.

    Raises:
        UserError: a file is there already, or the name is no config's.
    """
    if config.suffix != '.py':
        raise UserError(f'--out {config}: a config is Python, let its name end in .py.')
    for file in (config, *files_of(config)):
        if os.path.lexists(file):
            raise UserError(f'{file} is there already: remove it, or name another config by --out.')


def write_start(diagnosis: Diagnosis, config: Path, command: str) -> Start:
    """Write a config that trains at once.

    Args:
        diagnosis: of the images.
        config: file to write.
        command: that asks for it, as the config quotes it.

    Raises:
        UserError: there is nothing to train on, or a file is there already.
    """
    check_free(config)
    plan = make_plan(diagnosis)
    counts = plan.class_counts(diagnosis)
    trained, evaluated = plan.places(TRAIN), len(plan.places(plan.evaluated))
    reading = seconds_to_read(diagnosis, trained)
    recipe = choose(counts, len(trained), evaluated, short_side(diagnosis), diagnosis.several, reading, Machine.this())
    names = [diagnosis.table.classes[k] for k in plan.classes]
    images, left_out, classes = files_of(config)
    start = Start(config, images, left_out if plan.reasons else None, classes if len(names) > IN_CONFIG else None, plan, recipe,
                  names)  # fmt: skip
    mean, std = pixel_statistics(diagnosis, trained, recipe)
    text = config_text(
        recipe, plan, names, counts, diagnosis.several, diagnosis.table.root.resolve(), images.resolve(), start.left_out,
        classes.resolve() if start.classes else None, mean, std, diagnosis.convention, command,
    )  # fmt: skip
    atomic_write(images, _bytes(images_csv(diagnosis, plan)))
    if start.left_out:
        atomic_write(left_out, _bytes(left_out_csv(diagnosis, plan)))
    if start.classes:
        atomic_write(classes, '\n'.join(names) + '\n')
    atomic_write(config, text)
    return start


def summary(start: Start) -> Iterator[Text]:
    """What was written, for the terminal."""
    recipe, plan = start.recipe, start.plan
    yield Text(f'{title(recipe, len(start.names))}; {about(recipe.seconds)} here', style='bold')
    yield Text(f'  images: {counted(plan)} {" ".join(plan.notes)}')
    yield Text(f'  network: {recipe.fits}')
    yield Text(f'  method: {recipe.why}')
    if start.left_out:
        yield Text(f'  {len(plan.reasons):,} images are left out, see {start.left_out}')
    yield Text.assemble('train it: ', (f'python tools/train.py {start.config}', 'bold'))


def seconds_to_read(diagnosis: Diagnosis, places: np.ndarray) -> float:
    """The processor's own time for reading one of some training images, so that other programs do not count."""
    import cv2

    table, some = diagnosis.table, places[:: max(1, len(places) // TIMED)][:TIMED]
    size = PHOTO if short_side(diagnosis) > SMALL else CPU_SIDE
    images = StreamingDataset('training images', table.root, table.paths[some], np.zeros(len(some), int), ('any',), size)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as a worker reads
    try:
        images[0]  # what is loaded at the first one
        begun = time.thread_time()
        for place in range(len(images)):
            images[place]
        return (time.thread_time() - begun) / len(images)
    finally:
        cv2.setNumThreads(threads)


def pixel_statistics(diagnosis: Diagnosis, places: np.ndarray, recipe: Recipe) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel over the training images as the run reads them, or over 1,000 drawn with seed 0.

    Args:
        diagnosis: of the images.
        places: of the training images.
        recipe: says the size.

    Returns:
        Three numbers in [0, 1] each; a deviation is at least 0.01.
    """
    table = diagnosis.table
    if len(places) > SAMPLE:
        places = np.sort(np.random.Generator(np.random.PCG64(0)).choice(places, SAMPLE, replace=False))
    size = recipe.image_size
    resize = size if recipe.kind == 'scratch' else None
    images = StreamingDataset('training images', table.root, table.paths[places], np.zeros(len(places), int), ('any',), size,
                              resize)  # fmt: skip

    def sums(place: int) -> np.ndarray:
        pixels = images[place][0].numpy().reshape(3, -1).astype(np.float64) / 255
        return np.stack([pixels.mean(axis=1), (pixels**2).mean(axis=1)])

    with ThreadPoolExecutor(processors()) as pool:
        mean, square = np.mean(list(pool.map(sums, range(len(images)))), axis=0)
    return mean.tolist(), np.sqrt(np.maximum(square - mean**2, 1e-4)).tolist()


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogateescape')  # names of files that are not UTF-8
