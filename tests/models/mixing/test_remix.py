"""Remix against its case distinction, image by image."""

import pytest
import torch

from mmlt.models.mixing import Remix


def slow_weight(keep: float, count: int, partner_count: int, kappa: float, tau: float) -> float:
    """The three cases of eq. 7."""
    if count / partner_count >= kappa and keep < tau:
        return 0.0
    if count / partner_count <= 1 / kappa and 1 - keep < tau:
        return 1.0
    return keep


@pytest.mark.parametrize('kappa, tau', [(3.0, 0.5), (2.0, 0.9), (50.0, 0.5)])
def test_labels_follow_the_three_cases(large_pair, kappa, tau):
    keep = large_pair.draw.uniform(1, stream=0).squeeze(1)
    mixed = Remix(kappa, tau)(**vars(large_pair))
    counts = large_pair.class_counts.tolist()
    wanted = [
        slow_weight(share, counts[own], counts[other], kappa, tau)
        for share, own, other in zip(
            keep.tolist(), large_pair.target.tolist(), large_pair.partner_target.tolist(), strict=True
        )
    ]
    torch.testing.assert_close(mixed.weight, torch.tensor(wanted))
    assert {0.0, 1.0} <= set(wanted) and len(set(wanted)) > 1000


def test_the_pixels_are_those_of_mixup_whatever_the_labels(pair):
    keep = pair.draw.uniform(1, stream=0).view(-1, 1, 1, 1)
    torch.testing.assert_close(Remix()(**vars(pair)).images, keep * pair.images + (1 - keep) * pair.partner_images)


def test_equal_counts_are_mixup(pair):
    counts = torch.full((4,), 7)
    mixed = Remix()(**{**vars(pair), 'class_counts': counts})
    torch.testing.assert_close(mixed.weight, pair.draw.uniform(1, stream=0).squeeze(1))
