"""What a config is told that runs, but hardly as meant: corrections stacked up, schedules that never act."""

from collections.abc import Mapping

LOSSES = {
    'BalancedSoftmaxLoss': 'balanced softmax',
    'LogitAdjustedLoss': 'the logit-adjusted loss',
    'VSLoss': 'the vector-scaling loss',
}
SAMPLERS = {
    'ClassBalancedSampler': 'class-balanced sampling',
    'ClassBalancedRepeatSampler': 'class-balanced sampling',
    'ClassAwareSampler': 'class-aware sampling',
    'PowerSampler': 'power sampling',
    'ProgressiveSampler': 'progressively balanced sampling',
    'ReversedSampler': 'reversed sampling',
    'RepeatFactorSampler': 'repeat-factor sampling',
}


def corrections_of(cfg: Mapping) -> list[str]:
    """The corrections towards a uniform class prior that act on the training of a config, in words.

    Margins, label smoothing and distillation do not count: they do not move the prior.

    Args:
        cfg: `model` and `train_dataloader`.
    """
    model, sampler = cfg.get('model') or {}, (cfg.get('train_dataloader') or {}).get('sampler') or {}
    loss = model.get('loss') or {}
    found = []
    if loss.get('type') in LOSSES and loss.get('tau', 1.0):
        found.append(f'{LOSSES[loss["type"]]} (model.loss)')
    if model.get('reweighting') is not None and model['reweighting'].get('beta', 0.9999):
        found.append('class weights (model.reweighting)')
    instance_balanced = sampler.get('type') == 'PowerSampler' and sampler.get('power', 0.5) == 1
    if sampler.get('type') in SAMPLERS and not instance_balanced:
        found.append(f'{SAMPLERS[sampler["type"]]} (train_dataloader.sampler)')
    return found


def double_correction(cfg: Mapping) -> str | None:
    """One sentence that names the corrections where there are two or more; None elsewhere."""
    found = corrections_of(cfg)
    if len(found) < 2:
        return None
    return (
        f'warning: {", ".join(found[:-1])} and {found[-1]} both correct the class imbalance, which together overshoot as a '
        'rule: leave one of them out, unless this is what you want to try.'
    )


def late_schedules(cfg: Mapping) -> list[str]:
    """A sentence for each schedule, of learning rates or class weights, of which nothing happens before training ends.

    Args:
        cfg: `param_scheduler`, `model` and `train_cfg`.
    """
    schedules, epochs = cfg.get('param_scheduler') or [], cfg['train_cfg']['max_epochs']
    found = []
    model = cfg.get('model') or {}
    for name, start in (
        ('model.reweighting.start_epoch', (model.get('reweighting') or {}).get('start_epoch')),
        ('model.reweight_start_epoch', model.get('reweight_start_epoch')),
    ):
        if isinstance(start, int) and start >= epochs:
            found.append(
                f'warning: {name} is {start} and training ends after {epochs} epochs: there are no class weights; correct it, '
                'or train_cfg.max_epochs.'
            )
    for place, schedule in enumerate([schedules] if isinstance(schedules, Mapping) else schedules):
        if not schedule.get('by_epoch', True):
            continue
        first = schedule.get('begin', 0) + min(schedule.get('milestones') or [0])
        if first >= epochs:
            found.append(
                f'warning: param_scheduler.{place} ({schedule["type"]}) begins after {first} epochs and training ends after '
                f'{epochs}: it changes nothing; correct begin, milestones or train_cfg.max_epochs.'
            )
    return found
