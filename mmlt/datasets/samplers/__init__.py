"""Which image comes next: samplers that are deterministic in (seed, epoch), rank-aware and resumable."""

from mmlt.datasets.samplers.base import Draws, Sampler
from mmlt.datasets.samplers.class_aware import ClassAwareSampler
from mmlt.datasets.samplers.class_balanced_repeat import ClassBalancedRepeatSampler
from mmlt.datasets.samplers.class_probability import (
    ClassBalancedSampler,
    PowerSampler,
    ProgressiveSampler,
    ReversedSampler,
)
from mmlt.datasets.samplers.plain import DefaultSampler, SequentialSampler, ShuffleSampler
from mmlt.datasets.samplers.repeat_factor import RepeatFactorSampler

__all__ = [
    'ClassAwareSampler',
    'ClassBalancedRepeatSampler',
    'ClassBalancedSampler',
    'DefaultSampler',
    'Draws',
    'PowerSampler',
    'ProgressiveSampler',
    'RepeatFactorSampler',
    'ReversedSampler',
    'Sampler',
    'SequentialSampler',
    'ShuffleSampler',
]
