"""What test-time aggregation raises, by hand, and the weights that raise it."""

import math

import pytest
import torch

from mmlt.errors import UserError
from mmlt.evaluation.posthoc.aggregation import Aggregation, learn_weights, view_similarity


def test_similarity_by_hand():
    logits = torch.randn(2, 3, 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = [0.3, 0.7]
    total = 0.0
    for image in range(3):
        views = []
        for view in range(2):
            z = [sum(w * logits[view, image, k, c].item() for k, w in enumerate(weights)) for c in range(4)]
            p = [math.exp(v) for v in z]
            views.append([v / sum(p) for v in p])
        dot = sum(a * b for a, b in zip(*views, strict=True))
        total += dot / math.sqrt(sum(a * a for a in views[0]) * sum(b * b for b in views[1]))
    found = view_similarity(logits, torch.tensor(weights, dtype=torch.float64))
    assert found.item() == pytest.approx(total / 3, rel=1e-12)


def test_weight_goes_to_the_expert_whose_views_agree():
    """One expert says the same of both views, one another thing of each."""
    generator = torch.Generator().manual_seed(0)
    first, second, third = (8 * torch.eye(4)[torch.randint(4, (64,), generator=generator)] for _ in range(3))
    views = torch.stack([torch.stack([first, second], 1), torch.stack([first, third], 1)])  # (2, B, E, K)
    epochs = []

    def epoch_views(epoch):
        epochs.append(epoch)
        return views.split(16, dim=1)

    weights, similarities = learn_weights(epoch_views, 2, torch.device('cpu'), Aggregation(epochs=3))
    assert epochs == [0, 1, 2] and len(similarities) == 3
    assert weights[0] > 0.6 and weights.sum() == pytest.approx(1)
    # The weights change after a step, so the first epoch's mean begins at the similarity of equal weights and rises.
    assert view_similarity(views, torch.tensor([0.5, 0.5])) < similarities[0] < similarities[1] < similarities[2]


@pytest.mark.parametrize('wrong', [dict(lr='x'), dict(lr=0), dict(epochs=0), dict(batch_size=1.5), dict(momentum=0)])
def test_a_number_out_of_its_range_is_refused(wrong):
    with pytest.raises(UserError, match=f'aggregation: {next(iter(wrong))} must be'):
        Aggregation(**wrong)
