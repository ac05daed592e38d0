"""What a config states once: where the photos are, how large they are, what the network was pretrained with."""

from pathlib import Path

import pytest

from mmlt.config.load import load_config
from mmlt.errors import UserError

PHOTOS = 'photos/efficientnet_lite0_bkd.py'


def test_one_data_root_and_one_size_reach_all_data_sets():
    cfg = load_config(PHOTOS, {'data_root': '/my/photos', 'image_size': 96})
    sets = [cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset]
    assert [one.data_root for one in sets] == ['/my/photos/train', '/my/photos/test', '/my/photos/test']
    assert [one.image_size for one in sets] == [96, 96, 96]


def test_a_config_of_one_s_own_says_it_in_a_line(tmp_path):
    base = Path('configs/photos/vit_small_ce.py').absolute()
    (tmp_path / 'mine.py').write_text(f"_base_ = ['{base}']\ndata_root = 'signs'\nimage_size = 64\n")
    cfg = load_config(tmp_path / 'mine.py')
    assert cfg.train_dataloader.dataset.dataset.data_root == 'signs/train'
    assert cfg.model.backbone.img_size == 64 == cfg.val_dataloader.dataset.image_size


def test_a_fact_that_is_missing_is_named(tmp_path):
    (tmp_path / 'mine.py').write_text("val_dataloader = dict(dataset=dict(data_root='{data_root}/test'))\n")
    with pytest.raises(UserError, match=r"val_dataloader.dataset.data_root is '\{data_root\}/test'.*set data_root=\.\.\. at"):
        load_config(tmp_path / 'mine.py')


@pytest.mark.parametrize(('backbone', 'mean'), [('resnet50', 0.485), ('efficientnet_lite0', 0.5), ('vit_small', 0.5)])
def test_mean_and_deviation_are_those_of_the_network(backbone, mean):
    preprocessor = load_config(f'photos/{backbone}_ce.py').model.data_preprocessor
    assert preprocessor.mean[0] == mean and len(preprocessor.std) == 3
    told = {'data_preprocessor.mean': [0.1] * 3, 'data_preprocessor.std': [0.2] * 3}
    assert load_config(f'photos/{backbone}_ce.py', told).model.data_preprocessor.mean == [0.1] * 3
