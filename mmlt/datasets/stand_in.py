"""A small stand-in of a published set, in its layout and with all its classes, made from other images: for a rehearsal."""

import json
from pathlib import Path

import cv2
import numpy as np

from mmlt.datasets.digits import Digits
from mmlt.datasets.published import PublishedSet
from mmlt.errors import UserError
from mmlt.files import atomic_write

HEAD = 12  # training images of the first class; class c has HEAD / (c + 1), at least one


def source_images(path: Path | None) -> np.ndarray:
    """Pictures uint8 (N, H, W, 3): `images` of an .npz file; None for the embedded digits.

    Raises:
        UserError: there is none, or it holds something else.
    """
    if path is None:
        pixels = Digits('train').images
        return np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
    try:
        with np.load(path, allow_pickle=False) as file:
            images = file['images']
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f'{path} cannot be read as an .npz file with the array images ({error}): name another one.') from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not len(images):
        raise UserError(f'images in {path} must be uint8 (N, H, W, 3), not {images.dtype} {images.shape}.')
    return images


def make_stand_in(published: PublishedSet, root: Path, images: np.ndarray) -> dict[str, int]:
    """Write lists (or JSON, where the set has that) and JPEGs of 96 to 160 pixels; one test image a class.

    Args:
        published: the set.
        root: folder to write; it must be new or empty.
        images: pictures uint8 (N, H, W, 3), taken in turn.

    Returns:
        Images of each split.

    Raises:
        UserError: the folder holds something.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f'{root} is not empty: a stand-in is made in a new folder.')
    made: dict[str, int] = {}
    taken = 0
    for split, one in published.lists.items():
        counts = [max(1, HEAD // (c + 1)) if split == 'train' else 1 for c in range(published.classes)]
        named = []
        for label in np.repeat(np.arange(published.classes), counts).tolist():
            path = _path(published.example, split, label, taken)
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            width, height = 96 + 8 * (taken % 9), 96 + 8 * (taken % 5)
            picture = cv2.resize(images[taken % len(images)], (width, height), interpolation=cv2.INTER_CUBIC)
            file.write_bytes(cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
            named.append((path, label))
            taken += 1
        if one.json is None:
            atomic_write(root / one.file, ''.join(f'{path} {label}\n' for path, label in named))
        else:
            atomic_write(root / one.json, json.dumps(_annotations(named, published.classes)))
        made[split] = len(named)
    return made


def _path(example: str, split: str, label: int, number: int) -> str:
    top, *folders, _ = example.split('/')
    if top == 'train':
        top = 'val' if split == 'test' else 'train'
    name = f'n{label:08}' if folders[-1].startswith('n0') else f'{label:04}'
    suffix = example.rpartition('.')[2]
    return '/'.join([top, *folders[:-1], name, f'{number:06}.{suffix}'])


def _annotations(named: list[tuple[str, int]], classes: int) -> dict:
    return dict(
        images=[dict(id=number, file_name=path) for number, (path, _) in enumerate(named)],
        annotations=[dict(id=number, image_id=number, category_id=label) for number, (_, label) in enumerate(named)],
        categories=[dict(id=label, name=f'{label:04}') for label in range(classes)],
    )
