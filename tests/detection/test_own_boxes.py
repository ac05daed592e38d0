"""The config of configs/detection/README.md for boxes of one's own, trained on files as labelling tools write them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('faster_coco_eval', reason='the extra `detection` (faster-coco-eval) is not installed')
ROOT = Path(__file__).resolve().parents[2]
SMALL = """
_base_ = ['my_boxes.py']
model = dict(
    backbone=dict(_delete_=True, type='SmallConvNet', channels=32),
    anchor_sizes=[[16, 24]],
    box_channels=16,
    settings=dict(rpn_post_nms_top_n_train=20, rpn_post_nms_top_n_test=20),
)
data_preprocessor = dict(short_sides=[64])
train_dataloader = dict(batch_size=2, num_workers=0)
val_dataloader = dict(num_workers=0)
train_cfg = dict(max_epochs=1)
"""


def write_boxes(folder: Path) -> None:
    """Training images of three classes and a parent category; validation images and objects of two of them."""
    random = np.random.default_rng(0)
    ids = dict(helmet=5, gloves=2, goggles=90)
    for split, names in (('train', tuple(ids)), ('val', ('helmet', 'gloves'))):
        (folder / split).mkdir(parents=True)
        images, annotations = [], []
        for place in range(4):
            Image.fromarray(random.integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(folder / split / f'{place}.png')
            images.append(dict(id=3 + 7 * place, file_name=f'{place}.png', coco_url='', height=64, width=80))
            for name in names[: 3 - place]:  # the last image has no object
                category = ids[name]
                annotations.append(dict(id=0, image_id=3 + 7 * place, category_id=category, bbox=[5, 6, 20, 20 + place],
                                        area=400, segmentation=[]))  # fmt: skip
        categories = [dict(id=0, name='equipment'), *(dict(id=ids[name], name=name) for name in names)]
        (folder / f'{split}.json').write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def test_the_config_of_the_page_trains_on_boxes_without_masks(call, tmp_path):
    text = (ROOT / 'configs/detection/README.md').read_text(encoding='utf-8')
    (config,) = re.findall(r'^```python title="my_boxes.py"\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    (tmp_path / 'my_boxes.py').write_text(config.replace("'../_base_", f"'{ROOT}/configs/_base_"))
    (tmp_path / 'small.py').write_text(SMALL)
    write_boxes(tmp_path / 'data/boxes')
    code, out, err = call('train', 'small.py', '--work-dir', 'run')
    assert code == 0, out + err
    assert 'leaves out of data/boxes/train.json: equipment (objects: 0)' in out
    assert 'mask' not in out, 'boxes alone are nothing to speak of'
    assert 'data/boxes/val.json has no category goggles' in out
    record = json.loads(Path('run/results.json').read_text())
    assert record['data']['num_images'] == 3 and record['last']['metrics'].keys() >= {'bbox/AP', 'bbox/AP50'}
    lines = Path('run/per_class.csv').read_text().splitlines()
    assert [line.split(',')[1:3] for line in lines[1:]] == [['helmet', '3'], ['gloves', '2'], ['goggles', '1']]
    masked = SMALL.replace('model = dict(', "model = dict(type='MaskRCNN', mask_channels=8, mask_layers=1,", 1)
    (tmp_path / 'small.py').write_text(masked)
    code, out, err = call('train', 'small.py', '--work-dir', 'masks')
    assert code == 1 and 'Mask R-CNN learns from masks: set masks=True of the training set' in err
    options = ['train_dataloader.dataset.masks=True']
    code, out, err = call('train', 'small.py', '--work-dir', 'masks', '--cfg-options', *options)
    assert code == 1 and 'have no mask (in 0.png, for one): add them, or set masks=False' in err
