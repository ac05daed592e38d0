"""Data sets of the tests."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlt.datasets.resident import ResidentDataset

SHARED_DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data'


class TinyPictures(ResidentDataset):
    """One-pixel images that spell their official place, under any name and labels."""

    def __init__(self, labels, num_classes, name='tiny', index=None, subset=None):
        self.name, self.classes = name, tuple(f'class {c}' for c in range(num_classes))
        self.labels, self.index, self.subset = np.asarray(labels, dtype=np.int64), index, subset
        places = np.arange(len(self.labels)) if index is None else index
        self._images = np.stack([places >> shift & 255 for shift in (0, 8, 16)], axis=1).astype(np.uint8)[:, None, None]

    @property
    def images(self):
        return self._images


@pytest.fixture
def tiny_pictures():
    return TinyPictures


@pytest.fixture(scope='session')
def unpacked(tmp_path_factory):
    """A function that unpacks one of the shared data sets, once a session, and gives its folder."""
    folders = {}

    def unpack(name):
        script = SHARED_DATA / 'unpack.py'
        if not script.is_file():
            pytest.skip(f'there are no real images in {SHARED_DATA}')
        if name not in folders:
            folder = tmp_path_factory.mktemp(name)
            subprocess.run([sys.executable, script, name, folder], check=True, stdout=subprocess.DEVNULL)
            folders[name] = folder
        return folders[name]

    return unpack


@pytest.fixture(scope='session')
def photos(tmp_path_factory) -> Path:
    """a.png to l.png, 8x8, each of another grey."""
    root = tmp_path_factory.mktemp('photos')
    for number, name in enumerate('abcdefghijkl'):
        Image.new('L', (8, 8), 20 * number).save(root / f'{name}.png')
    return root
