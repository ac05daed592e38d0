"""How a run goes: runner, loops, hooks, precision, safe checkpoints."""

from mmlt.engine.feature_cache import FeatureCacheHook
from mmlt.engine.head_start import HeadStartHook
from mmlt.engine.hooks import CheckpointHook, ClassCountsHook, LoggerHook, ProgressHook, QuietRuntimeInfoHook
from mmlt.engine.loops import EpochTrainLoop, EvalLoop
from mmlt.engine.optim_wrapper import PrecisionOptimWrapper
from mmlt.engine.runner import LongTailedRunner
from mmlt.engine.thresholds import ThresholdHook

__all__ = [
    'CheckpointHook',
    'ClassCountsHook',
    'EpochTrainLoop',
    'EvalLoop',
    'FeatureCacheHook',
    'HeadStartHook',
    'LoggerHook',
    'LongTailedRunner',
    'PrecisionOptimWrapper',
    'ProgressHook',
    'QuietRuntimeInfoHook',
    'ThresholdHook',
]
