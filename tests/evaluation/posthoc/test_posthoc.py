"""Corrections after training, against NumPy, SciPy and scikit-learn in float64."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize, special
from sklearn.neighbors import NearestCentroid

from mmlt.evaluation import posthoc

COUNTS = [70, 20, 9, 1]


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(200, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3


@pytest.mark.parametrize('tau', [0.0, 0.7, 1.0, 2.0])
def test_logit_adjustment_subtracts_the_scaled_log_prior(logits, tau):
    wanted = logits.numpy() - tau * np.log(np.array(COUNTS) / 100)
    np.testing.assert_allclose(posthoc.adjust_logits(logits, COUNTS, tau).numpy(), wanted, rtol=1e-14)


def test_an_empty_class_counts_as_the_smallest(logits):
    adjusted = posthoc.adjust_logits(logits, [70, 20, 10, 0])
    wanted = logits.numpy() - np.log(np.array([70, 20, 10, 10]) / 110)
    np.testing.assert_allclose(adjusted.numpy(), wanted, rtol=1e-14)


def test_half_precision_logits_are_adjusted_in_float64():
    logits = torch.tensor([[1.0, -2.0]], dtype=torch.bfloat16)
    adjusted = posthoc.adjust_logits(logits, [999999, 1])
    assert adjusted.dtype == torch.float64 and adjusted[0, 1].item() == pytest.approx(-2 + math.log(1e6), abs=1e-12)


def test_the_corrected_posterior_is_bayes_rule(logits):
    prior, other = np.array(COUNTS) / 100, np.array([0.1, 0.2, 0.3, 0.4])
    posterior = special.softmax(logits.numpy(), axis=1) / prior * other
    wanted = posterior / posterior.sum(1, keepdims=True)
    corrected = posthoc.correct_prior(logits, COUNTS, torch.tensor(other * 7))  # of any sum
    np.testing.assert_allclose(torch.softmax(corrected, 1).numpy(), wanted, rtol=1e-12)
    none_of_the_last = posthoc.correct_prior(logits, COUNTS, torch.tensor([1.0, 1, 1, 0]))
    assert not (none_of_the_last.argmax(1) == 3).any()


def test_a_uniform_test_prior_predicts_as_the_logit_adjustment(logits):
    uniform = posthoc.correct_prior(logits, COUNTS, torch.ones(4))
    torch.testing.assert_close(uniform.softmax(1), posthoc.adjust_logits(logits, COUNTS).softmax(1))


def test_the_estimated_prior_maximises_the_likelihood():
    rng = np.random.default_rng(1)
    truth, train = np.array([0.1, 0.3, 0.6]), np.array([0.6, 0.3, 0.1])
    target = rng.choice(3, 4000, p=truth)
    x = rng.normal(target * 2.0, 1.0)
    log_likelihood = -0.5 * (x[:, None] - np.arange(3) * 2.0) ** 2
    logits = torch.from_numpy(log_likelihood + np.log(train))  # of the Bayes classifier
    estimated = posthoc.estimate_prior(logits, [600, 300, 100]).numpy()

    def loss(free: np.ndarray) -> float:
        return -special.logsumexp(log_likelihood + special.log_softmax([*free, 0.0]), axis=1).mean()

    wanted = special.softmax([*optimize.minimize(loss, np.zeros(2), tol=1e-12).x, 0.0])
    np.testing.assert_allclose(estimated, wanted, atol=1e-5)
    np.testing.assert_allclose(estimated, truth, atol=0.04)


@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0, 1.7])
def test_tau_normalisation_divides_each_class_by_its_norm(tau):
    weight = np.random.default_rng(0).normal(size=(5, 7)) * np.arange(1, 6)[:, None]
    wanted = [row / math.sqrt(math.fsum(value * value for value in row)) ** tau for row in weight]
    np.testing.assert_allclose(posthoc.normalise_weights(torch.from_numpy(weight), tau).numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize('truth', [0.3, 1.0, 4.0])
def test_the_temperature_is_the_minimum_of_the_cross_entropy(logits, truth):
    rng = np.random.default_rng(3)
    target = np.array([rng.choice(4, p=row) for row in special.softmax(logits.numpy(), axis=1)])
    scaled = logits.numpy() * truth

    def loss(log_temperature: float) -> float:
        return -special.log_softmax(scaled / math.exp(log_temperature), axis=1)[np.arange(200), target].mean()

    wanted = math.exp(optimize.minimize_scalar(loss, bounds=(-4, 4), method='bounded', options=dict(xatol=1e-10)).x)
    found = posthoc.fit_temperature(torch.from_numpy(scaled), torch.from_numpy(target))
    assert found == pytest.approx(wanted, rel=1e-4) and 0.5 < found / truth < 2


def test_nearest_means_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(3), [50, 10, 2])
    features = rng.normal(size=(62, 5)) + target[:, None]
    means = posthoc.class_means(torch.from_numpy(features), torch.from_numpy(target), 4)
    reference = NearestCentroid().fit(features, target)
    np.testing.assert_allclose(means[:3].numpy(), reference.centroids_, rtol=1e-12)
    assert not means[3].any()
    logits = posthoc.nearest_mean_logits(torch.from_numpy(features), means[:3], 'euclidean')
    np.testing.assert_array_equal(logits.argmax(1).numpy(), reference.predict(features))
    cosine = posthoc.nearest_mean_logits(torch.from_numpy(features), means[:3])
    wanted = [[row @ mean / np.linalg.norm(row) / np.linalg.norm(mean) for mean in reference.centroids_] for row in features]
    np.testing.assert_allclose(cosine.numpy(), wanted, rtol=1e-12)
    with pytest.raises(ValueError, match='euclidean'):
        posthoc.nearest_mean_logits(torch.from_numpy(features), means, 'manhattan')


def test_tau_is_tuned_on_the_classes_that_have_an_image(logits):
    target = posthoc.adjust_logits(logits, COUNTS, 0.7).argmax(1)
    logits, target = logits[target < 3], target[target < 3]
    predict = lambda tau: posthoc.adjust_logits(logits, COUNTS, tau)  # noqa: E731
    means = {}
    for step in range(41):
        wrong = predict(step * 0.05).argmax(1).numpy() != target.numpy()
        means[step * 0.05] = np.mean([1 - wrong[target.numpy() == c].mean() for c in range(3)])
    assert max(means.values()) > means[0.0]
    assert means[min(means, key=lambda tau: abs(tau - posthoc.best_tau(predict, target, 4)))] == max(means.values())
