"""A small annotation file with all that one may hold, and its images."""

import json

import numpy as np
from PIL import Image

from mmlt.detection.annotations import run_lengths


def small(folder, **changes) -> dict:
    """A file of three images and two classes, the second image without an object; written to `folder`."""
    for name in ('a', 'b', 'c'):
        Image.fromarray(np.full((20, 30, 3), 60, dtype=np.uint8)).save(folder / f'{name}.png')
    lists = dict(neg_category_ids=[], not_exhaustive_category_ids=[])
    content = dict(
        images=[dict(id=i, file_name=f'{n}.png', height=20, width=30, **lists) for i, n in ((7, 'a'), (3, 'b'), (5, 'c'))],
        categories=[dict(id=9, name='late'), dict(id=2, name='early')],
        annotations=[
            dict(id=1, image_id=5, category_id=9, bbox=[4, 2, 10, 8], area=80, segmentation=[[4, 2, 14, 2, 14, 10, 4, 10]]),
            dict(id=2, image_id=7, category_id=2, bbox=[0, 0, 5, 5], area=25, segmentation=run_lengths(np.eye(20, 30) > 0)),
            dict(id=3, image_id=7, category_id=9, bbox=[1.5, 1, 5, 5], area=25, segmentation=[[1, 1, 6, 1, 6, 6, 1, 6]]),
            dict(id=4, image_id=7, category_id=9, bbox=[9, 9, 5, 5], area=25, iscrowd=1, segmentation=[[9, 9, 14, 9, 14, 14]]),
            dict(id=5, image_id=3, category_id=9, bbox=[9, 9, 0, 5], area=0, segmentation=[[9, 9, 9, 14, 9, 14]]),
        ],
    )
    content.update(changes)
    (folder / 'small.json').write_text(json.dumps(content))
    return content
