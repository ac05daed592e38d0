"""The keys of configs that are older than MMEngine."""

# Keys of OpenMMLab's configs before MMEngine, and today's.
OLD_KEYS = {
    'lr_config': 'param_scheduler',
    'momentum_config': 'param_scheduler',
    'runner': 'train_cfg (max_epochs)',
    'total_epochs': 'train_cfg.max_epochs',
    'max_epochs': 'train_cfg.max_epochs',
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'dataset': 'train_dataloader.dataset',
    'optimizer': 'optim_wrapper.optimizer',
    'optimizer_config': 'optim_wrapper (clip_grad, accumulative_counts)',
    'fp16': "precision='bf16', or --amp",
    'evaluation': 'train_cfg.val_interval and val_evaluator',
    'checkpoint_config': 'default_hooks.checkpoint',
    'log_config': 'default_hooks.logger',
    'resume_from': 'the command line: --resume',
    'auto_resume': 'the command line: --resume',
    'workflow': 'train_cfg.val_interval',
    'dist_params': 'env_cfg',
    'cudnn_benchmark': 'env_cfg.cudnn_benchmark',
    'gpu_ids': 'the command line: bash tools/dist_train.sh CONFIG GPUS',
}
