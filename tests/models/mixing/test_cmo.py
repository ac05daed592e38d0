"""CMO: rare foregrounds, ordinary backgrounds, keyed by place."""

import numpy as np
import torch
from scipy import stats

from mmlt.config.load import load_config
from mmlt.engine.loader import PARTNER_KEY, BatchLoader, build_loader
from mmlt.models.mixing import CMO

PARTNER = load_config('configs/cmo/resnet8_digitslt.py').train_dataloader.partner_sampler.type


class Numbered:
    """A long-tailed set whose images hold their own place."""

    resident = True

    def __init__(self) -> None:
        self.labels = np.repeat(np.arange(4), [300, 60, 30, 10])
        self.metainfo = dict(class_counts=[300, 60, 30, 10], classes=tuple('abcd'))

    def __len__(self) -> int:
        return len(self.labels)

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.arange(len(self)).view(-1, 1, 1, 1) % 256
        return images.to(torch.uint8), torch.from_numpy(self.labels)


def loader(batch_size: int = 50, partner: str = PARTNER, seed: int = 3) -> BatchLoader:
    cfg = dict(batch_size=batch_size, dataset=Numbered(), partner_sampler=dict(type=partner))
    return build_loader(cfg, seed, training=True)


def test_foregrounds_are_drawn_with_each_image_weighed_by_its_class_and_backgrounds_as_they_are():
    labels, foregrounds = [], []
    batches = loader()
    for epoch in range(10):
        batches.set_position(epoch)
        for batch in batches:
            labels.append(batch.targets)
            foregrounds.append(batch.partners.targets)
    counts = torch.bincount(torch.cat(labels)).numpy()
    assert counts.tolist() == [3000, 600, 300, 100]
    sizes, own = np.array([300, 60, 30, 10]), Numbered().labels
    weights = 1 / sizes[own]  # of each image, as the authors' sampler has them
    expected = np.bincount(own, weights / weights.sum())
    drawn = torch.bincount(torch.cat(foregrounds), minlength=4).numpy()
    assert stats.chisquare(drawn, expected * drawn.sum()).pvalue > 1e-3


def test_partners_depend_on_the_place_not_on_the_batch_size_or_the_rank():
    def pairs(batches: BatchLoader) -> dict[int, tuple[int, int]]:
        found = {}
        for batch in batches:
            indices, partners = batch.indices, batch.partners.indices
            keys, partner_keys = batch.keys, batch.partners.keys
            assert torch.equal(keys + PARTNER_KEY, partner_keys)
            found.update(zip(keys.tolist(), zip(indices.tolist(), partners.tolist(), strict=True), strict=True))
        return found

    whole, ranks = loader(), [loader(20), loader(20)]
    for rank, share in enumerate(ranks):
        share.rank, share.world_size = rank, 2
    whole.set_position(2)
    for share in ranks:
        share.set_position(2)
    alone = pairs(whole)
    assert len(alone) == 400 and alone == {**pairs(ranks[0]), **pairs(ranks[1])}
    whole.set_position(2, first_step=5)
    resumed = pairs(whole)
    assert len(resumed) == 150 and all(alone[key] == pair for key, pair in resumed.items())


def test_partners_of_the_same_sampler_are_another_order():
    batches = loader(400, 'ShuffleSampler')
    (batch,) = list(batches)
    indices, partners = batch.indices, batch.partners.indices
    assert sorted(indices.tolist()) == sorted(partners.tolist())
    assert (indices == partners).sum() < 10


def test_half_the_images_get_a_foreground_after_four_epochs(large_pair):
    mixing = CMO(end_epoch=197)
    for epoch, active in ((0, False), (3, False), (4, True), (196, True), (197, False)):
        mixing.set_epoch(epoch)
        assert mixing.active is active
    mixing.set_epoch(100)
    large = {**vars(large_pair), 'images': torch.zeros(4096, 1, 16, 16), 'partner_images': torch.ones(4096, 1, 16, 16)}
    mixed = mixing(**large)
    touched = int((mixed.weight < 1).sum())
    # A box of less than one pixel shows nothing: sqrt(1 - keep) < 1 / 16 for one chosen image in 256.
    assert stats.binomtest(touched, 4096, 0.5 * (1 - 1 / 256)).pvalue > 1e-3
    torch.testing.assert_close(mixed.images.mean((1, 2, 3)), 1 - mixed.weight)
