"""What every run of a detector shares: hooks and evaluation by LVIS's rules. Its steps are not compiled."""

_base_ = ['default_runtime.py']

val_evaluator = dict(_delete_=True, type='LVISMetric', iou_types=['bbox'])
test_evaluator = dict(_delete_=True, type='LVISMetric', iou_types=['bbox'])
compile = False
