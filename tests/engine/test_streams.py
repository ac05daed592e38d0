"""The streaming route: what workers read is what this process reads, epoch after epoch, in one batch of bytes."""

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.datasets import ImageFolder, LongTailedDataset
from mmlt.datasets.class_subset import ClassSubset
from mmlt.datasets.scaling import CROP_AREA
from mmlt.datasets.transforms.base import apply_transforms
from mmlt.draw import Draw
from mmlt.engine.loader import BatchLoader, build_loader
from mmlt.engine.shared_data import scaling_of
from mmlt.errors import UserError
from mmlt.registry import TRANSFORMS

IMAGES = 42


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """42 small JPEGs in two class folders, one of them turned, and a PNG by another name."""
    root, draws = tmp_path_factory.mktemp('pictures'), np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(IMAGES):
        (root / 'ab'[number % 2]).mkdir(exist_ok=True)
        low = draws.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(low).resize((60 + number, 50), Image.Resampling.BICUBIC)
        file = root / 'ab'[number % 2] / f'{number:02}.jpg'
        picture.save(file, 'PNG' if number == 7 else 'JPEG', **(dict(exif=exif) if number == 3 else {}))
    return root


def loader(folder, workers: int, lasting: bool = True, wrap=lambda data: data, crop_area=CROP_AREA, **more) -> BatchLoader:
    data = wrap(ImageFolder(folder, image_size=24, crop='random_resized', crop_area=crop_area))
    cfg = dict(dataset=data, batch_size=8, num_workers=workers, **more)
    return build_loader(cfg, seed=3, training=lasting)


def epochs(made: BatchLoader, places=((0, 0), (1, 0), (5, 2))) -> list:
    found = []
    for epoch, step in places:
        made.set_position(epoch, step)
        found.append([tuple(part.clone() for part in batch[:4]) for batch in made])
    return found


def same(one: list, other: list) -> bool:
    return all(
        torch.equal(a, b)
        for left, right in zip(one, other, strict=True)
        for first, second in zip(left, right, strict=True)
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize('views', [1, 3])
@pytest.mark.parametrize('wrap', ['plain', 'thinned', 'one class'])
def test_any_number_of_workers_gives_the_same_bytes(folder, wrap, views):
    area = [(0.08, 1.0), (0.2, 1.0), (0.08, 0.5)][:views]
    wraps = {
        'plain': lambda data: data,
        'thinned': lambda data: LongTailedDataset(data, imbalance_ratio=2),
        'one class': lambda data: ClassSubset(data, [1]),
    }
    here = loader(folder, 0, wrap=wraps[wrap], crop_area=area)
    alone = epochs(here)
    (images, targets, indices, keys), data = alone[0][0], here.dataset
    assert images.dtype == torch.uint8 and images.shape == ((8, 3, 24, 24) if views == 1 else (8, views, 3, 24, 24))
    above = here.sampler.seed << 64
    for image, target, index, key in zip(images, targets, indices.tolist(), keys.tolist(), strict=True):
        expected = data[index, above + key]
        assert torch.equal(image, expected[0]) and int(target) == expected[1]
    for workers in (1, 2):
        made = loader(folder, workers, wrap=wraps[wrap], crop_area=area)
        assert same(epochs(made), alone)
        made.close()


def test_workers_live_from_epoch_to_epoch(folder):
    made = loader(folder, 2)
    first = epochs(made, [(0, 0)])
    workers = [worker.pid for worker in made._stream.loader._iterator._workers]
    next(iter(made))  # an epoch left at once: what was read ahead is not the next one's
    assert same(epochs(made, [(0, 0)]), first) and same(epochs(made), epochs(loader(folder, 0)))
    assert [worker.pid for worker in made._stream.loader._iterator._workers] == workers
    made.close()
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert same(epochs(made, [(0, 0)]), first)
    made.close()


def test_a_batch_stays_what_it_is_while_others_are_read(folder):
    made = loader(folder, 1)
    kept = list(made)
    before = [batch.images.clone() for batch in kept]
    list(made)
    assert all(torch.equal(batch.images, images) for batch, images in zip(kept, before, strict=True))
    made.close()


@pytest.mark.parametrize('area', [CROP_AREA, [CROP_AREA, CROP_AREA]])
def test_partners_come_with_the_batch(folder, area):
    more = dict(partner_sampler=dict(type='ClassBalancedSampler'), crop_area=area)
    alone, with_workers = (list(loader(folder, workers, **more)) for workers in (0, 2))
    for one, other in zip(alone, with_workers, strict=True):
        assert len(one.partners.images) == len(one.images)
        assert torch.equal(one.partners.images, other.partners.images) and torch.equal(one.images, other.images)
        assert torch.equal(one.partners.targets, other.partners.targets)


@pytest.mark.parametrize('workers', [0, 2])
def test_a_broken_image_is_one_sentence(folder, workers, tmp_path):
    for name in 'ab':
        (tmp_path / name).mkdir()
        for file in sorted((folder / name).iterdir())[:4]:
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    made = loader(tmp_path, workers)
    whole = (tmp_path / 'b/01.jpg').read_bytes()
    (tmp_path / 'b/01.jpg').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=f'^{tmp_path}/b/01.jpg cannot be read as an image .*: replace it.$'):
        list(made)
    (tmp_path / 'b/01.jpg').write_bytes(whole)
    assert len(list(made)) == 1  # and a notebook goes on
    made.close()


def test_a_signal_to_all_leaves_the_workers_at_work(folder):
    made = loader(folder, 2)
    batches = iter(made)
    first = [next(batches)]
    for worker in made._stream.loader._iterator._workers:
        os.kill(worker.pid, signal.SIGINT)
    assert len(first + list(batches)) == len(made)
    made.close()


def test_without_fork_a_batch_is_sent(folder, monkeypatch):
    import multiprocessing

    expected = epochs(loader(folder, 0), [(0, 0)])
    monkeypatch.setattr(multiprocessing, 'get_start_method', lambda: 'spawn')
    made = loader(folder, 1)
    assert same(epochs(made, [(0, 0)]), expected) and made._stream.arrays.places is None
    made.close()


@pytest.mark.slow
def test_memory_is_flat_over_epochs(folder):
    made = loader(folder, 2)

    def private(pid: int) -> int:
        """KiB that belong to a process alone."""
        lines = open(f'/proc/{pid}/smaps_rollup').read().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith('Private'))

    def held() -> int:
        for epoch in range(12):
            made.set_position(epoch)
            list(made)
        return sum(private(worker.pid) for worker in made._stream.loader._iterator._workers)

    first = held()
    assert abs(held() - first) < 1500 and abs(held() - first) < 1500
    made.close()


EACH = [
    dict(type='RandomFlip'), dict(type='RandomCrop', size=24, padding=4), dict(type='ColorJitter', brightness=0.4),
    dict(type='RandAugment'), dict(type='AutoAugment'), dict(type='GaussianBlur'), dict(type='RandomGrayscale'),
    dict(type='RandomRotation', degrees=15), dict(type='RandomResizedCrop', size=20), dict(type='Resize', size=20),
    dict(type='Cutout', size=8), dict(type='TimmRandAugment'),
]  # fmt: skip


@pytest.mark.parametrize('cfg', EACH, ids=lambda cfg: cfg['type'])
def test_transforms_see_no_difference_in_how_a_batch_lies_in_memory(cfg):
    pixels = torch.randint(0, 256, (6, 24, 24, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    try:
        transform = TRANSFORMS.build(dict(cfg))
    except TypeError:
        transform = TRANSFORMS.build(dict(type=cfg['type']))
    lasts, firsts = pixels.permute(0, 3, 1, 2), pixels.permute(0, 3, 1, 2).contiguous()
    draw = Draw(5, torch.arange(6))
    assert torch.equal(apply_transforms(lasts, [transform], draw), apply_transforms(firsts, [transform], draw))


def test_what_scales_the_images_is_known(folder):
    data = ImageFolder(folder, image_size=24, backend='pillow')
    assert scaling_of(LongTailedDataset(data, profile='natural')) == 'pillow'
    assert scaling_of(ClassSubset(ImageFolder(folder, image_size=24), [0])) == 'opencv'
