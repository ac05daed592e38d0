"""What a config is told that runs, but hardly as meant: corrections stacked up, schedules that never act."""

from collections.abc import Mapping, Sequence

SAMPLERS = {
    'ClassBalancedSampler': 'class-balanced sampling',
    'ClassBalancedRepeatSampler': 'class-balanced sampling',
    'ClassAwareSampler': 'class-aware sampling',
    'PowerSampler': 'power sampling',
    'ProgressiveSampler': 'progressively balanced sampling',
    'ReversedSampler': 'reversed sampling',
    'RepeatFactorSampler': 'repeat-factor sampling',
}


def balanced_by_sampling(loader: Mapping) -> list[str]:
    """The sampler of a training loader in words, if it moves the class prior towards a uniform one.

    Args:
        loader: `train_dataloader` of a config.
    """
    sampler = loader.get('sampler') or {}
    instance_balanced = sampler.get('type') == 'PowerSampler' and sampler.get('power', 0.5) == 1
    if sampler.get('type') not in SAMPLERS or instance_balanced:
        return []
    return [f'{SAMPLERS[sampler["type"]]} (train_dataloader.sampler)']


def double_correction(found: Sequence[str]) -> str | None:
    """One sentence that names the corrections of the class prior where there are two or more; None elsewhere."""
    if len(found) < 2:
        return None
    return (
        f'warning: {", ".join(found[:-1])} and {found[-1]} both correct the class imbalance, which together overshoot as a '
        'rule: leave one of them out, unless this is what you want to try.'
    )


def corrected_already(adjust: str, corrections: Sequence[str]) -> str | None:
    """What a user should know of a correction of the class prior, put on a model that training has corrected already.

    Args:
        adjust: the correction.
        corrections: those of training, in words.
    """
    by = ' and '.join(corrections)
    if not corrections or adjust not in ('prior', 'logit_adjustment'):
        return None
    if adjust == 'prior':
        return f'its probabilities do not count on the prior of the training images, by {by}: corrected from their own'
    return f'warning: {by} has corrected the class prior in training; logit adjustment on top of that overshoots as a rule'


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
