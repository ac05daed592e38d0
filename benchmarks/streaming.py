"""Images a second of the streaming route, from files and from a pack, against mmpretrain's pipeline and torchvision's."""

import json
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.pairs import LegProcess, measure_in_turn
from mmlt.engine.console import console
from mmlt.engine.device import device_name

SIZE, WIDTH, HEIGHT, BATCH = 224, 500, 375, 64
LEGS = {
    'files': 'mmlt, from the files',
    'pack': 'mmlt, from a pack of short side 256',
    'mmpretrain': "mmpretrain's pipeline",
    'torchvision': "torchvision's ImageFolder",
}
PAIRS = (('files', 'mmpretrain'), ('files', 'torchvision'), ('pack', 'mmpretrain'), ('pack', 'torchvision'))
LISTED = 437_513  # lines of the list with which memory is measured
VERSIONS = ('mmengine', 'mmpretrain', 'numpy', 'opencv-python-headless', 'pillow', 'torch', 'torchvision')


def make_images(folder: Path, count: int) -> None:
    """JPEGs of 500 x 375 pixels and about 90 kB in eight class folders, cut from the photographs of scikit-learn.

    Each is a piece of a photograph with a little noise, as a sensor has it: the size of a JPEG is that of its detail.
    """
    import sklearn.datasets
    from PIL import Image

    source = Path(sklearn.datasets.__file__).parent / 'images'
    photos = [np.asarray(Image.open(source / name).convert('RGB')) for name in ('china.jpg', 'flower.jpg')]
    draws = np.random.default_rng(0)
    for number in range(count):
        photo = photos[number % 2]
        top, left = draws.integers(photo.shape[0] - HEIGHT), draws.integers(photo.shape[1] - WIDTH)
        noise = draws.normal(0, 9, (HEIGHT, WIDTH, 1))
        piece = np.clip(photo[top : top + HEIGHT, left : left + WIDTH] + noise, 0, 255).astype(np.uint8)
        file = folder / f'{number % 8}' / f'{number:05}.jpg'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(piece).save(file, quality=92)


class StreamingLeg:
    """One way to read the images, in batches of 64 of 224 x 224 pixels, cut out at random; workers live on.

    Args:
        way: a key of `LEGS`.
        folder: of the images.
        pack: file of the same images.
        workers: processes that read.
    """

    def __init__(self, way: str, folder: str, pack: str, workers: int) -> None:
        self.epoch = 0
        self._batches = getattr(self, f'_{way}')(folder, pack, workers)

    def _files(self, folder: str, pack: str, workers: int) -> Callable:
        from mmlt.datasets import ImageFolder

        return self._own(ImageFolder(folder, image_size=SIZE, crop='random_resized'), workers)

    def _pack(self, folder: str, pack: str, workers: int) -> Callable:
        from mmlt.datasets import PackedImages

        return self._own(PackedImages(pack, image_size=SIZE, crop='random_resized'), workers)

    def _own(self, dataset, workers: int) -> Callable:  # noqa: ANN001
        from mmlt.engine.loader import build_loader

        loader = build_loader(dict(dataset=dataset, batch_size=BATCH, num_workers=workers), seed=1, training=True)

        def batches():  # noqa: ANN202
            loader.set_position(self.epoch)
            self.epoch += 1
            return (batch.images for batch in loader)

        return batches

    def _mmpretrain(self, folder: str, pack: str, workers: int) -> Callable:
        from mmengine.dataset import default_collate
        from mmengine.registry import DefaultScope
        from mmpretrain.datasets import CustomDataset
        from torch.utils.data import DataLoader

        pipeline = [
            dict(type='LoadImageFromFile'),
            dict(type='RandomResizedCrop', scale=SIZE),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ]
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = CustomDataset(data_root=folder, data_prefix='', with_label=True, pipeline=pipeline)
        loader = DataLoader(
            dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0, collate_fn=default_collate
        )
        return lambda: (batch['inputs'] for batch in loader)

    def _torchvision(self, folder: str, pack: str, workers: int) -> Callable:
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.datasets import ImageFolder

        steps = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        steps.append(transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        dataset = ImageFolder(folder, transforms.Compose(steps))
        loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
        return lambda: (images for images, _ in loader)

    def measure(self, warmup: int, steps: int) -> dict:
        """Images and seconds of `steps` epochs; `warmup` is not used: the first round warms up by one more."""
        images, seconds = 0, 0.0
        for epoch in range(steps + (self.epoch == 0)):
            begun = time.perf_counter()
            count = sum(len(batch) for batch in self._batches())
            if epoch or steps == 1:
                images, seconds = images + count, seconds + time.perf_counter() - begun
        return dict(images=images, seconds=seconds)

    @staticmethod
    def peak_memory_mb() -> float:
        """Of this process."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


class MemoryLeg:
    """Memory of workers that read a list of 437,513 lines (the benchmark's images by turns), over epochs of 64 batches.

    Args:
        folder: of the images.
        pack: unused.
        way: unused.
        workers: processes that read.
    """

    def __init__(self, way: str, folder: str, pack: str, workers: int) -> None:
        from mmlt.datasets import ImageList
        from mmlt.engine.loader import build_loader

        files = sorted(path.relative_to(folder) for path in Path(folder).rglob('*.jpg'))
        self.root = tempfile.TemporaryDirectory()  # the images under as many names as the list has lines
        listed = Path(self.root.name, 'list.txt')
        for round_ in range(-(-LISTED // len(files))):
            Path(self.root.name, str(round_)).symlink_to(Path(folder).resolve())
        listed.write_text(''.join(f'{n // len(files)}/{files[n % len(files)]} {n % 8142}\n' for n in range(LISTED)))
        before = time.perf_counter()
        dataset = ImageList(self.root.name, listed, num_classes=8142, image_size=SIZE, crop='random_resized')
        self.read_seconds = time.perf_counter() - before
        self.loader = build_loader(
            dict(dataset=dataset, batch_size=16, num_workers=workers, sampler=dict(type='ClassAwareSampler', num_samples=1024)),
            seed=1, training=True,
        )  # fmt: skip
        self.epoch = 0
        before = time.perf_counter()
        next(iter(self.loader))
        self.first_batch_seconds = time.perf_counter() - before

    def measure(self, warmup: int, steps: int) -> dict:
        """Memory that belongs to the workers alone, and their share of what is shared (MiB), after some epochs."""
        for _ in range(steps):
            self.loader.set_position(self.epoch)
            self.epoch += 1
            for _ in self.loader:
                pass
        rollups = [Path(f'/proc/{child}/smaps_rollup').read_text() for child in _children()]

        def total(name: str) -> float:
            return sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith(name)) / 2**10

        return dict(
            images=1, seconds=1, workers_own_mb=total('Private_Dirty'), workers_share_mb=total('Pss:'), workers=len(rollups),
            list_read_seconds=self.read_seconds, first_batch_seconds=self.first_batch_seconds,
        )  # fmt: skip

    peak_memory_mb = staticmethod(StreamingLeg.peak_memory_mb)


def _children() -> list[int]:
    return [int(pid) for pid in Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()]


def run_streaming(pairs: int = 5, workers: int = 1, images: int = 512, epochs: int = 1) -> dict:
    """Measure all ways in turn.

    Args:
        pairs: measurements of each.
        workers: processes that read.
        images: in the folder.
        epochs: over the folder, of a measurement.

    Returns:
        A record: images a second a worker and ratios, with the least and the greatest; and the memory of 4 workers.
    """
    from mmlt.apis.packing import splits_of
    from mmlt.datasets.pack_writer import Recipe, write_pack

    with tempfile.TemporaryDirectory(prefix='mmlt_streaming_') as name, ExitStack() as stack:
        folder, pack = Path(name) / 'images', Path(name) / 'images.pack'
        make_images(folder, images)
        write_pack(pack, folder, splits_of(folder, []), Recipe(), os.cpu_count() or 1, False)
        sizes = [path.stat().st_size for path in folder.rglob('*.jpg')]
        options = dict(folder=str(folder), pack=str(pack), workers=workers)
        legs = {}
        for way, words in LEGS.items():
            legs[way] = LegProcess(words, 'streaming', dict(options, way=way), 1)
            stack.callback(legs[way].close)
        found = dict(zip(legs, measure_in_turn(list(legs.values()), pairs, 1, epochs), strict=True))
        for leg in legs.values():
            leg.close()
        memory = LegProcess('memory of the workers', 'memory', dict(options, way='', workers=4), 1)
        stack.callback(memory.close)
        memory.wait()
        first, last = memory.measure(1, 1), memory.measure(1, 4)
        pack_bytes = pack.stat().st_size
    rates = {way: [one['images_per_s'] / workers for one in measured] for way, measured in found.items()}

    def ratio(own: str, rival: str) -> dict:
        ratios = [a / b for a, b in zip(rates[own], rates[rival], strict=True)]
        spread = [round(min(ratios), 2), round(max(ratios), 2)]
        return dict(own=own, rival=rival, ratio=round(statistics.median(ratios), 2), spread=spread)

    return dict(
        case='streaming',
        images_per_s_a_worker={way: round(statistics.median(rate)) for way, rate in rates.items()},
        ratios=[ratio(*pair) for pair in PAIRS],
        memory_of_4_workers=dict(
            list_lines=LISTED,
            own_mb=round(first['workers_own_mb']), own_mb_four_epochs_later=round(last['workers_own_mb']),
            with_share_mb=round(last['workers_share_mb']), list_read_seconds=round(first['list_read_seconds'], 2),
            first_batch_seconds=round(first['first_batch_seconds'], 2),
        ),
        images=images, kilobytes=round(statistics.mean(sizes) / 1000, 1), pack_kilobytes=round(pack_bytes / images / 1000, 1),
        workers=workers, pairs=pairs, epochs=epochs, load=[round(one, 1) for one in os.getloadavg()],
        device=device_name().split(',')[0], processors=os.cpu_count(),
        versions={**{name: version(name) for name in VERSIONS}, 'python': platform.python_version()},
    )  # fmt: skip


def in_words(record: dict) -> str:
    """A record as lines for a terminal."""
    lines = [f'{record["kilobytes"]} kB a JPEG, {record["pack_kilobytes"]} kB packed; {record["workers"]} worker(s), '
             f'{record["pairs"]} turns, load {record["load"][0]} on {record["processors"]} processors']  # fmt: skip
    for way, rate in record['images_per_s_a_worker'].items():
        lines.append(f'  {LEGS[way]:<38} {rate:>6,} images/s a worker')
    for one in record['ratios']:
        low, high = one['spread']
        lines.append(f'  {one["own"]} against {one["rival"]}: {one["ratio"]:.2f} ({low:.2f} to {high:.2f})')
    memory = record['memory_of_4_workers']
    lines.append(
        f'  4 workers on a list of {memory["list_lines"]:,} lines: {memory["own_mb"]} MiB of their own, four epochs later '
        f'{memory["own_mb_four_epochs_later"]}; {memory["with_share_mb"]} with their share of common memory; the list read in '
        f'{memory["list_read_seconds"]} s, first batch after {memory["first_batch_seconds"]} s'
    )
    return '\n'.join(lines)


def main(pairs: int, workers: int, out: str | None) -> None:
    """Measure, say, and write the record."""
    from mmlt.files import atomic_write

    record = run_streaming(pairs, workers)
    console.print(in_words(record), markup=False)
    if out:
        atomic_write(out, json.dumps([record], indent=2) + '\n')
        console.print(f'record: {out}', markup=False)
