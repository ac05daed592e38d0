"""What every run shares: hooks and evaluation."""

default_scope = 'mmlt'

default_hooks = dict(
    class_counts=dict(type='ClassCountsHook'),
    runtime_info=dict(type='QuietRuntimeInfoHook'),
    logger=dict(type='ProgressHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', seconds=20, keep=2),
)
env_cfg = dict(cudnn_benchmark=True)
visualizer = dict(type='Visualizer', vis_backends=None)

val_cfg = dict(type='EvalLoop')
test_cfg = dict(type='EvalLoop')
val_evaluator = dict(type='ShotGroupMetric', convention='standard')
test_evaluator = val_evaluator
