"""Corrections of a finished model, without training."""

from mmlt.evaluation.posthoc.functional import (
    adjust_logits,
    best_tau,
    class_means,
    correct_prior,
    estimate_prior,
    fit_temperature,
    log_prior,
    nearest_mean_logits,
    normalise_weights,
)

__all__ = [
    'adjust_logits',
    'best_tau',
    'class_means',
    'correct_prior',
    'estimate_prior',
    'fit_temperature',
    'log_prior',
    'nearest_mean_logits',
    'normalise_weights',
]
