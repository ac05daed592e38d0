"""Corrections that look at images see them as the test does, with and without cached features; LWS's factors count once."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from mmlt.apis.posthoc import _tune, collect
from mmlt.datasets import Digits, ImageFolder, LongTailedDataset
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.engine.feature_cache import FeatureCacheHook, describe
from mmlt.engine.loader import build_loader
from mmlt.evaluation import posthoc
from mmlt.evaluation.posthoc.functional import GRID
from mmlt.evaluation.posthoc.model import NearestMeanHead, replace_head
from mmlt.registry import MODELS

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')


def classifier(kind: str = 'FrozenBackboneClassifier', classes: int = 2) -> torch.nn.Module:
    torch.manual_seed(0)
    return MODELS.build(dict(
        type=kind, backbone=dict(type='ResNetCIFAR', depth=8), head=dict(type='LinearHead', num_classes=classes),
        data_preprocessor=dict(type='BatchPreprocessor', mean=[0.5] * 3, std=[0.25] * 3),
    )).eval()  # fmt: skip


def runner_of(model, test, hooks=()):  # noqa: ANN001, ANN202
    """What `collect` asks a runner for."""
    loader = build_loader(dict(dataset=test, batch_size=3))
    return SimpleNamespace(test_loop=SimpleNamespace(dataloader=loader), bare_model=model, precision='fp32', hooks=hooks)


def sets(kind: str, root):  # noqa: ANN001, ANN201
    """A training set that draws, and a test set of the same images."""
    if kind == 'folder':
        train = ImageFolder(root, image_size=12, resize=14, crop='random_resized')
        return LongTailedDataset(train, profile='natural', protocol='first'), ImageFolder(root, image_size=12, resize=14)
    train, test = (
        build_dataset(dict(type='mmpretrain.CustomDataset', data_root=str(root), pipeline=[LOAD, step, PACK]))
        for step in (dict(type='RandomResizedCrop', scale=12), dict(type='CenterCrop', crop_size=12))
    )
    return train, test


@pytest.mark.parametrize('kind', ['folder', 'mmpretrain'])
@pytest.mark.parametrize('cached', [False, True])
def test_features_are_those_of_the_test_view(kind, cached, photo_folders, tmp_path, monkeypatch):
    monkeypatch.setattr('mmlt.engine.feature_cache.course_of', lambda runner: runner)
    train, test = sets(kind, photo_folders)
    runner = runner_of(classifier(), test, [FeatureCacheHook(str(tmp_path))] if cached else [])
    wanted, _, labels = collect(runner_of(classifier(), test), test)
    found, _, own = collect(runner, train)
    torch.testing.assert_close(found, wanted)
    assert torch.equal(own, labels)


@pytest.mark.parametrize('kind', ['folder', 'mmpretrain'])
def test_a_run_on_cached_features_learns_from_the_test_view(kind, photo_folders, tmp_path, monkeypatch):
    monkeypatch.setattr('mmlt.engine.feature_cache.course_of', lambda runner: runner)
    train, test = sets(kind, photo_folders)
    runner = runner_of(classifier(), test)
    wanted = collect(runner, test)[0]
    runner.val_loop = runner.test_loop
    runner.train_loop = SimpleNamespace(dataloader=build_loader(dict(dataset=train, batch_size=3)))
    FeatureCacheHook(str(tmp_path)).before_train(runner)
    for loop in (runner.train_loop, runner.val_loop):
        torch.testing.assert_close(loop.dataloader.dataset.tensors()[0], wanted)
    assert len(list(tmp_path.iterdir())) == 1, 'both sets hold the same images in the same view'


@pytest.mark.parametrize('kind', ['folder', 'mmpretrain'])
def test_the_cache_notices_a_file_that_was_replaced(kind, photo_folders):
    def key() -> dict:
        return describe(sets(kind, photo_folders)[1], classifier(), 'fp32', False)

    file = photo_folders / 'ant' / '1.png'  # not among the images whose pixels are looked at
    before, content = key(), file.read_bytes()
    assert key() == before
    Image.fromarray(np.full((24, 32, 3), 9, dtype=np.uint8)).save(file)
    try:
        assert key() != before
    finally:
        file.write_bytes(content)
    assert key() == before


def lws() -> torch.nn.Module:
    model = classifier('LWSClassifier', 10)
    with torch.no_grad():
        model.scale.copy_(torch.linspace(0.2, 3, 10))
        model.head.weight.mul_(torch.linspace(3, 0.5, 10)[:, None])
        model.head.bias.zero_()
    return model


def test_factors_learnt_for_a_head_do_not_scale_the_cosines_of_another():
    model, digits = lws(), Digits('test')
    runner = runner_of(model, digits)
    features, _, labels = collect(runner, digits)
    means = posthoc.class_means(features, labels, 10)
    replace_head(model, NearestMeanHead(means))
    _, logits, _ = collect(runner, digits)
    cosines = torch.nn.functional.cosine_similarity(features[:, None].double(), means[None], dim=2)
    torch.testing.assert_close(logits, cosines.float())


def test_the_strength_of_tau_normalisation_is_tuned_as_it_is_evaluated():
    digits, accuracy = Digits('test'), {}
    tuned = _tune('tau_norm', runner_of(lws(), digits), digits, [1] * 10)
    for tau in GRID:
        model = lws()
        with torch.no_grad():
            model.head.weight.copy_(posthoc.normalise_weights(model.head.weight, tau))
        _, logits, labels = collect(runner_of(model, digits), digits)
        right = logits.argmax(1) == labels
        accuracy[tau] = np.mean([right[labels == k].double().mean() for k in range(10)])
    assert accuracy[tuned] == pytest.approx(max(accuracy.values()), abs=1e-3)
    assert max(accuracy.values()) - min(accuracy.values()) > 0.01
