"""Which class prior the probabilities of a finished model count on: that of the logits that its loss asks for."""

import numpy as np
import pytest
import torch

from mmlt.datasets.samplers import base
from mmlt.engine.inference import prior_of_outputs
from mmlt.registry import DATA_SAMPLERS, MODELS

COUNTS = [600, 200, 60, 20]
LABELS = np.repeat(np.arange(4), COUNTS)


def model_of(**cfg):
    backbone, head = dict(type='ResNetCIFAR', depth=8, base_channels=2), dict(type='LinearHead', num_classes=4)
    model = MODELS.build(dict(type='LongTailedClassifier', backbone=backbone, head=head, **cfg))
    model.set_class_counts(COUNTS)
    return model


def best_constant(model, labels) -> np.ndarray:
    """Softmax of the logits of smallest loss where images say nothing: the prior that the loss leaves in them."""
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    target, counts = torch.as_tensor(labels), torch.tensor(COUNTS)
    weights = None if model.reweighting is None else model.reweighting.weights
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, line_search_fn='strong_wolfe')

    def closure():
        optimizer.zero_grad()
        loss = model.terms[0].loss(logits.expand(len(target), 4), target, counts, weights)
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach().softmax(0).numpy()


@pytest.mark.parametrize(
    ('cfg', 'sampler'),
    [
        (dict(), None),
        (dict(loss=dict(type='BalancedSoftmaxLoss')), None),
        (dict(loss=dict(type='LogitAdjustedLoss', tau=0.5)), None),
        (dict(loss=dict(type='VSLoss', gamma=0.0, tau=1.5)), None),
        (dict(reweighting=dict(beta=0.99)), None),
        (dict(reweighting=dict(beta=1.0)), None),
        (dict(), dict(type='PowerSampler', power=0.5)),
        (dict(), dict(type='ReversedSampler')),
        (dict(), dict(type='RepeatFactorSampler', threshold=0.2)),
        (dict(), dict(type='RepeatFactorSampler', threshold=1e-4)),  # which repeats nothing
        (dict(), dict(type='ProgressiveSampler', num_epochs=3)),
        (dict(loss=dict(type='BalancedSoftmaxLoss')), dict(type='ClassAwareSampler')),
        (dict(loss=dict(type='LogitAdjustedLoss', tau=0.5)), dict(type='ClassBalancedRepeatSampler')),
        (dict(reweighting=dict(beta=0.99)), dict(type='ClassBalancedSampler')),
    ],
)
def test_it_is_the_one_that_the_best_logits_have(cfg, sampler):
    model, meta, labels = model_of(**cfg), {}, LABELS
    if sampler:
        meta = dict(outcome=dict(sampler=sampler, train_cfg=dict(max_epochs=3)))
        built = DATA_SAMPLERS.build(dict(sampler, dataset=LABELS, num_samples=200_000))
        labels = LABELS[built.draw(base.Draws(0, 2), 2)]
    found = prior_of_outputs(model, meta, COUNTS)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, best_constant(model, labels), rtol=0.05 if sampler else 1e-3)
    model.keep_inference_parts()
    np.testing.assert_array_equal(prior_of_outputs(model, meta, COUNTS), found)  # of a published model too


def test_a_class_without_an_image_does_no_harm():
    backbone, head = dict(type='ResNetCIFAR', depth=8, base_channels=2), dict(type='LinearHead', num_classes=3)
    model = MODELS.build(dict(type='LongTailedClassifier', backbone=backbone, head=head, loss=dict(type='BalancedSoftmaxLoss')))
    np.testing.assert_allclose(prior_of_outputs(model, {}, [8, 0, 2]), [0.5, 0, 0.5])
