"""What every run with several experts shares: each expert stands in the results beside the ensemble."""

_base_ = ['./default_runtime.py']

val_evaluator = [dict(type='ShotGroupMetric', convention='standard'), dict(type='ExpertMetric')]
test_evaluator = val_evaluator
