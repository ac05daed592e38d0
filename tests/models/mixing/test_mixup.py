"""mixup, and what all mixings share, against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy import stats

from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.mixing import Mixup
from mmlt.models.mixing.beta import BetaQuantiles


def test_each_image_is_blended_by_its_own_share(pair):
    mixed = Mixup()(**vars(pair))
    for row, share in enumerate(mixed.weight.double().numpy()):
        wanted = share * pair.images[row].double().numpy() + (1 - share) * pair.partner_images[row].double().numpy()
        np.testing.assert_allclose(mixed.images[row].numpy(), wanted, atol=1e-6)
    assert len(mixed.weight.unique()) > 60
    assert torch.equal(mixed.target, pair.target) and torch.equal(mixed.partner_target, pair.partner_target)


@pytest.mark.parametrize('alpha', [0.2, 1.0, 4.0])
def test_the_share_is_beta_distributed(alpha, large_pair):
    share = Mixup(alpha=alpha)(**vars(large_pair)).weight.double().numpy()
    assert stats.kstest(share, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


@pytest.mark.parametrize('alpha', [0.2, 0.5, 2.0])
def test_the_table_of_quantiles_is_close_to_the_function(alpha):
    uniform = np.linspace(0, 1, 997, endpoint=False)
    drawn = BetaQuantiles(alpha)(torch.from_numpy(uniform).float())
    np.testing.assert_allclose(drawn.numpy(), stats.beta.ppf(uniform, alpha, alpha), atol=2e-3)


def test_a_mix_depends_on_seed_and_key_alone_not_on_the_rest_of_the_batch(pair):
    whole = Mixup(probability=0.5)(**vars(pair))
    places = torch.tensor([40, 3, 17])
    alone = Mixup(probability=0.5)(
        pair.images[places], pair.target[places], pair.partner_images[places], pair.partner_target[places],
        Draw(0, places), pair.class_counts,
    )  # fmt: skip
    assert torch.equal(alone.images, whole.images[places]) and torch.equal(alone.weight, whole.weight[places])
    other_seed = Mixup(probability=0.5)(**{**vars(pair), 'draw': Draw(1, torch.arange(64))})
    assert not torch.equal(other_seed.weight, whole.weight)


def test_the_probability_is_decided_image_by_image(large_pair):
    mixed = Mixup(probability=0.25)(**vars(large_pair))
    left = mixed.weight == 1
    assert torch.equal(mixed.images[left], large_pair.images[left])
    assert stats.binomtest(int((~left).sum()), 4096, 0.25).pvalue > 1e-3


def test_epochs_outside_the_range_are_not_mixed(pair):
    mixing = Mixup(first_epoch=3, end_epoch=5)
    active = []
    for epoch in range(7):
        mixing.set_epoch(epoch)
        active.append(not torch.equal(mixing(**vars(pair)).images, pair.images))
    assert active == [False] * 3 + [True] * 2 + [False] * 2


@pytest.mark.parametrize(
    'settings, word', [(dict(alpha=0), 'alpha'), (dict(probability=1.5), 'probability'), (dict(end_epoch=0), 'epoch')]
)
def test_impossible_settings_are_refused(settings, word):
    with pytest.raises(UserError, match=word):
        Mixup(**settings)
