"""What a checkpoint may say that is no checkpoint's, its checksum right all the same: one change each."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmlt.engine.checkpoint import content_sha256

HEAD = 'head.weight'
Change = Callable[[dict], Any]


def at(path: str, value: Any) -> Change:
    """Put a value at a place: `meta/epoch`; a number for a key is one."""

    def change(content: dict) -> None:
        *outer, last = [int(key) if key.isdecimal() else key for key in path.split('/')]
        for key in outer:
            content = content[key]
        content[last] = value

    return change


def shared(levels: int) -> list:
    """A few lists, each holding the next twice: 2^levels leaves to whoever walks them without looking back."""
    made: list = [0]
    for _ in range(levels):
        made = [made, made]
    return made


def nested(levels: int) -> list:
    made: list = []
    for _ in range(levels):
        made = [made]
    return made


def in_itself(content: dict) -> None:
    content['meta']['outcome'] = content['meta']


# name: (the change, words of the message); refused whoever opens the file.
STRUCTURE: dict[str, tuple[Change, list[str]]] = {
    'a number as the name of a weight': (at('state_dict/5', torch.zeros(1)), ['state_dict has the key 5', 'str']),
    'a text as a weight': (at('state_dict/head', 'x'), ['state_dict.head must be Tensor', "'x'"]),
    'weights in a list': (at('state_dict', [torch.zeros(1)]), ['state_dict must be an object']),
    'a format that is a tensor': (at('format', torch.ones(3)), ['no', 'convert_weights.py']),
    'a format that is true': (at('format', True), ['convert_weights.py']),
    'a checksum that is a tensor': (at('sha256', torch.ones(2)), ['checksum']),
    'an outcome in a list': (at('meta/outcome', [1]), ['meta.outcome must be an object']),
    'an outcome without a schedule': (at('meta/outcome/train_cfg', 7), ['meta.outcome.train_cfg']),
    'data that are a text': (at('meta/outcome/data', 'digits'), ['meta.outcome.data', 'digits']),
    'images that are a text': (at('meta/outcome/data/num_images', 'many'), ['meta.outcome.data.num_images must be int']),
    'a seed in words': (at('meta/seed', 'zero'), ['meta.seed must be int or null']),
    'an epoch in words': (at('meta/epoch', 'two'), ['meta.epoch must be int']),
    'an epoch of 70 bits': (at('meta/epoch', 2**70), ['meta.epoch', '64 bits']),
    'a step that is true': (at('meta/step', True), ['meta.step must be int']),
    'a history that is a table': (at('meta/history', {}), ['meta.history must be a list']),
    'a history of numbers': (at('meta/history', [2]), ['meta.history[0] must be an object']),
    'an evaluation without metrics': (at('meta/history', [dict(epoch=1)]), ['meta.history[0].metrics is missing']),
    'a metric in words': (at('meta/history', [dict(epoch=1, metrics={'nll': 'low'})]), ['metrics.nll must be int or float']),
    'an image size in words': (at('meta/image_size', '8x8'), ['meta.image_size must be a list']),
    'classes in tables': (at('meta/classes', [{}]), ['meta.classes[0] must be str']),
    'class counts in words': (at('meta/class_counts', ['one']), ['meta.class_counts[0] must be int or float']),
    'teachers in a list': (at('meta/teachers', ['x']), ['meta.teachers must be an object']),
    'a config that is a list': (at('meta/config', ['x']), ['meta.config must be str']),
    'a hash that is a number': (at('meta/config_hash', 3), ['meta.config_hash must be str']),
    'a tensor in the meta': (at('meta/seed', torch.ones(2)), ['checksum']),
    'a schedule in words': (at('param_schedulers', ['step']), ['param_schedulers[0] must be an object']),
    'a method of a schedule': (at('param_schedulers/0/step', 'x'), ['param_schedulers[0].step must be int or float']),
    'gradients in a list': (at('gradients', []), ['gradients must be an object']),
    'a rank without statistics': (at('ranks', [dict(gradients={})]), ['ranks[0].statistics is missing']),
    'an average that is a number': (at('ema_state_dict', 3), ['ema_state_dict must be an object']),
    "hooks' states in a list": (at('hooks', [1]), ['hooks must be an object']),
    'a stop in words': (at('stop_training', 'no'), ['stop_training must be bool']),
    'forty nested references': (at('meta/note', shared(40)), ['checksum']),
    'references in the optimizer': (at('optimizer/note', shared(40)), ['checksum']),
    'a table in itself': (in_itself, ['checksum']),
    'a hundred lists in each other': (at('meta/note', nested(100)), ['checksum']),
    'a view of 4 TB': (at('state_dict/head.bias', torch.zeros(1).expand(2**40)), ['checksum']),
    'a sparse weight': (at('state_dict/head.bias', torch.zeros(10).to_sparse()), ['checksum']),
    'a weight without memory': (at('state_dict/head.bias', torch.zeros(10, device='meta')), ['checksum']),
}  # fmt: skip
MOMENTUM = 'optimizer/state/0/momentum_buffer'
# The same for what only a run that goes on reads: it goes on from the checkpoint before.
MISFITS: dict[str, tuple[Change, list[str]]] = {
    # The first of these ended the process: a fused step writes as far as its parameter reaches.
    'momentum of another shape': (at(MOMENTUM, torch.zeros(1, 2)), ['momentum_buffer of parameter 0', '(1, 2) there']),
    'momentum of another type': (at(MOMENTUM, torch.zeros(16, 1, 3, 3).double()), ['momentum_buffer', 'torch.float64']),
    'momentum that is NaN': (lambda content: content['optimizer']['state'][0]['momentum_buffer'].fill_(torch.nan),
                             ['momentum_buffer of parameter 0 is NaN']),
    'momentum in words': (at(MOMENTUM, 'x'), ['momentum_buffer of parameter 0 is no tensor']),
    'a state of no parameter': (at('optimizer/state/999', {}), ['parameter 999']),
    'a state of another optimizer': (at('optimizer/state/0/exp_avg', torch.zeros(1)), ['exp_avg of parameter 0']),
    'a state that is a number': (at('optimizer/state', 5), ['optimizer has no state']),
    'an optimizer that is a text': (at('optimizer', 'SGD'), ['optimizer has no state']),
    'no groups': (at('optimizer/param_groups', []), ["groups are not the 1"]),
    'a rate in words': (at('optimizer/param_groups/0/lr', 'fast'), ['group 0', 'lr']),
    'an infinite rate': (at('optimizer/param_groups/0/lr', float('inf')), ['group 0', 'lr']),
    'a rate that is a tensor': (at('optimizer/param_groups/0/lr', torch.ones(3)), ['group 0', 'lr']),
    'parameters in another order': (lambda content: content['optimizer']['param_groups'][0]['params'].reverse(),
                                    ['group 0', 'params']),
    'a setting too few': (lambda content: content['optimizer']['param_groups'][0].pop('momentum'), ['other settings']),
    'a weight of another shape': (at(f'state_dict/{HEAD}', torch.zeros(3, 3)), [HEAD, '(3, 3) there']),
    'a weight of another type': (at('state_dict/head.bias', torch.zeros(10).half()), ['head.bias', 'torch.float16']),
    'a weight that is infinite': (lambda content: content['state_dict'][HEAD].fill_(torch.inf), [HEAD, 'infinite']),
    'a weight too few': (lambda content: content['state_dict'].pop(HEAD), [HEAD, 'missing']),
    'a weight too many': (at('state_dict/more', torch.zeros(1)), ['more is none of this run']),
    'an epoch beyond the last': (at('meta/epoch', 99), ['epoch 99']),
    'an epoch before the first': (at('meta/epoch', -1), ['epoch -1']),
    'a step beyond the last': (at('meta/step', 99), ['step 99']),
    'an evaluation to come': (at('meta/history', [dict(epoch=9, metrics={})]), ['evaluated epochs [9]']),
    'an evaluation twice': (at('meta/history', [dict(epoch=1, metrics={}) for _ in range(2)]), ['evaluated epochs [1, 1]']),
    'no schedule': (at('param_schedulers', []), ['0 schedules']),
    "a schedule's own method": (at('param_schedulers/0/step', 1), ["no 'step'"]),
    'a gradient of another shape': (at('gradients', {HEAD: torch.zeros(2)}), ['gradient head.weight', '(2,) there']),
    'a gradient of nothing': (at('gradients', {'x': torch.zeros(2)}), ['gradient x']),
    'a statistic that is NaN': (
        at('ranks', [dict(gradients={}, statistics={'backbone.bn1.running_mean': torch.full((16,), torch.nan)})]),
        ['statistic', 'running_mean', 'NaN']),
    'no optimizer': (lambda content: content.pop('optimizer'), ['optimizer is missing']),
    'no history': (at('meta/history', None), ['history is missing']),
}  # fmt: skip


def write(change: Change, path: Path, content: dict) -> Path:
    """Write a changed checkpoint as an attacker does, its checksum right where it has one; `content` is an honest one's."""
    change(content)
    try:
        checksum = content_sha256(content, 2**40 - 1)
    except (TypeError, RuntimeError, NotImplementedError):
        checksum = '0' * 64
    if isinstance(content['sha256'], str):  # else it is what has been changed
        content['sha256'] = checksum
    torch.save(content, path)
    return path


def compressed(path: Path, content: dict) -> Path:
    """A small file that unfolds to a large one."""
    torch.save({**content, 'meta': {**content['meta'], 'note': 'x' * 10_000_000}}, path)
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path
