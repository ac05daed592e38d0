"""What hooks have counted, in a checkpoint and back.

A hook with `state_dict()` and `load_state_dict(state)` is asked for its state at every checkpoint and given it back by
`--resume`, after `before_run` and before `before_train`. The state is plain data: numbers, texts, tensors, lists and dicts of
them (a tuple comes back as a list, an array as a list). MMEngine's own stateful hooks are known here. A hook that writes into
the checkpoint in `before_save_checkpoint` and reads it in `after_load_checkpoint` keeps its state itself. Any other hook has
none; where one changes its attributes while training all the same, `--resume` is refused.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.utils import is_method_overridden

from mmlt.engine.checkpoint import content_sha256
from mmlt.engine.console import say
from mmlt.engine.state import on_cpu
from mmlt.errors import UserError, quoted, reason
from mmlt.plain import plain

# MMEngine's hooks that count, and in what; all else that MMEngine and mmlt bring counts nothing that decides a result.
COUNTED: dict[type[Hook], tuple[str, ...]] = {EarlyStoppingHook: ('wait_count', 'best_score')}
STATELESS = (
    'CheckpointHook', 'DistSamplerSeedHook', 'EMAHook', 'EmptyCacheHook', 'IterTimerHook', 'LoggerHook',
    'NPUProfilerHook', 'NaiveVisualizationHook', 'ParamSchedulerHook', 'PrepareTTAHook', 'ProfilerHook', 'RuntimeInfoHook',
    'SyncBuffersHook',
)  # fmt: skip
HOW = 'give it state_dict() and load_state_dict(state), see docs/extend.md'
MOST_NODES = 100_000  # of a hook's attributes that are looked at


class HookStates:
    """The states of a run's hooks.

    Args:
        hooks: in the order in which they are called.
        model: the model, without a distributed wrapper; a hook that holds a part of it does not count that as its own.

    Raises:
        UserError: a hook has one of the two methods alone.
    """

    def __init__(self, hooks: list[Hook], model: torch.nn.Module) -> None:
        seen: Counter = Counter()
        self._hooks: dict[str, Hook] = {}
        for hook in hooks:
            kind = type(hook).__name__
            self._hooks[f'{kind}.{seen[kind]}' if seen[kind] else kind] = hook
            seen[kind] += 1
            halves = [hasattr(hook, name) for name in ('state_dict', 'load_state_dict')]
            if halves[0] != halves[1]:
                raise UserError(f'the hook {kind} has one of state_dict() and load_state_dict(state) alone: give it both.')
        self._model = {id(part) for part in model.modules()}
        self._before: dict[str, dict[str, str]] = {}
        self._told: set[str] = set()

    def begin(self) -> None:
        """Training begins: from here on, what a hook changes is its state.

        Raises:
            UserError: a hook's state is no plain data.
        """
        self.state()
        self._before = {name: self._marks(hook) for name, hook in self._hooks.items() if _is_watched(hook)}

    def state(self) -> dict[str, Any]:
        """The states of the hooks that have one, by name: plain data in CPU memory.

        Raises:
            UserError: a state is no plain data.
        """
        states = {}
        for name, hook in self._hooks.items():
            if hasattr(hook, 'state_dict'):
                try:
                    given = hook.state_dict()
                except Exception as error:
                    raise UserError(f'state_dict() of the hook {name} failed ({reason(error)}): correct it.') from error
                if wrong := _not_plain(given, name):
                    raise UserError(f'the state of the hook {name} cannot stand in a checkpoint ({wrong}): make it plain.')
                states[name] = plain(on_cpu(given))
            elif attributes := _counted(hook):
                states[name] = {key: plain(getattr(hook, key)) for key in attributes}
        return states

    def unsaved(self) -> dict[str, list[str]]:
        """Hooks whose attributes have changed and stand in no checkpoint; each is named on the console once."""
        found = {}
        for name, before in self._before.items():
            now = self._marks(self._hooks[name])
            if changed := sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key)):
                found[name] = changed
                if name not in self._told:
                    self._told.add(name)
                    say(f'the hook {name} counts ({", ".join(changed[:3])}) and no checkpoint keeps that: --resume will '
                        f'refuse this run; {HOW}.')  # fmt: skip
        return found

    def content(self, ranks: int = 1) -> dict[str, Any]:
        """What a checkpoint keeps of the hooks; every rank takes part.

        Args:
            ranks: number of processes; where their states differ, each keeps its own.
        """
        states, unsaved = self.state(), self.unsaved()
        content: dict[str, Any] = dict(hooks=states) if states else {}
        if ranks > 1 and states:
            every: list[Any] = [None] * ranks
            torch.distributed.all_gather_object(every, states)
            if len({content_sha256(dict(hooks=own)) for own in every}) > 1:
                content = dict(hooks_of_ranks=every)
        return {**content, **(dict(hooks_unsaved=unsaved) if unsaved else {})}

    def refusal(self, content: dict) -> str | None:
        """Why a run cannot go on from a checkpoint, for what it lacks of the hooks; None if it can."""
        for name, attributes in (content.get('hooks_unsaved') or {}).items():
            return f'the hook {name} counts ({", ".join(attributes[:3])}) and no checkpoint keeps that: {HOW}'
        own = {name for name, hook in self._hooks.items() if hasattr(hook, 'state_dict') or _counted(hook)}
        every = content.get('hooks_of_ranks') or [content.get('hooks') or {}]
        for stored in every:
            if missing := sorted(own - stored.keys()):
                return f'it does not hold what the hook {missing[0]} has counted'
        ranks = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
        if len(every) not in (1, ranks):
            return f'its hooks have counted apart on {len(every)} processes, and here are {ranks}'
        return None

    def load(self, content: dict) -> None:
        """Give the hooks their states back.

        Raises:
            UserError: a hook does not take its state.
        """
        every = content.get('hooks_of_ranks') or [content.get('hooks') or {}]
        stored = every[torch.distributed.get_rank() if len(every) > 1 else 0]
        for name, state in stored.items():
            hook = self._hooks.get(name)
            if hook is None:
                continue
            try:
                if hasattr(hook, 'load_state_dict'):
                    hook.load_state_dict(state)
                else:
                    for key in _counted(hook):
                        if type(state[key]) not in (int, float):
                            raise ValueError(f'{key} is {quoted(state[key])}')
                        setattr(hook, key, state[key])
            except Exception as error:  # whatever a hook of the user's own finds wrong
                raise UserError(f'the hook {name} does not take its state back ({reason(error)})') from error

    def _marks(self, hook: Hook) -> dict[str, str]:
        package = type(hook).__module__.split('.')[0]
        skipped = _counted(hook)
        return {
            key: _mark(value, package, set(self._model), [MOST_NODES])
            for key, value in vars(hook).items() if key not in skipped
        }  # fmt: skip


def _counted(hook: Hook) -> tuple[str, ...]:
    return next((names for kind, names in COUNTED.items() if isinstance(hook, kind)), ())


def _is_watched(hook: Hook) -> bool:
    """Whether nobody has said what the hook keeps, so that it is seen from its attributes."""
    if hasattr(hook, 'state_dict') or type(hook) in COUNTED:
        return False
    module, name = type(hook).__module__, type(hook).__name__
    if module.startswith('mmlt.') or (module.startswith('mmengine.') and name in STATELESS):
        return False
    return not all(is_method_overridden(when, Hook, hook) for when in ('before_save_checkpoint', 'after_load_checkpoint'))


def _not_plain(value: Any, path: str) -> str | None:
    if isinstance(value, Mapping):
        if wrong := next((key for key in value if type(key) not in (int, str)), None):
            return f'the key {quoted(wrong)} of {path} is neither a text nor a whole number'
        return next(filter(None, (_not_plain(item, f'{path}.{key}') for key, item in value.items())), None)
    if isinstance(value, (list, tuple)):
        return next(filter(None, (_not_plain(item, f'{path}.{place}') for place, item in enumerate(value))), None)
    if value is None or isinstance(value, (bool, int, float, str, torch.Tensor, np.ndarray, np.generic)):
        return None
    return f'{path} is {quoted(value)}'


def _mark(value: Any, package: str, met: set[int], left: list[int]) -> str:
    """A text that changes with the value: of plain data, arrays, modules, and objects of the hook's own package."""
    left[0] -= 1
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        return repr(value)
    if left[0] < 0 or id(value) in met:
        return '...'
    met.add(id(value))
    if isinstance(value, torch.Tensor):
        return hashlib.sha256(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()).hexdigest()
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value)).hexdigest() if value.dtype != object else repr(value)
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    elif isinstance(value, random.Random):
        value = value.getstate()
    elif isinstance(value, np.random.Generator):
        value = value.bit_generator.state
    elif isinstance(value, torch.Generator):
        value = value.get_state()
    elif isinstance(value, (set, frozenset)):
        value = sorted(map(repr, value))
    elif type(value).__module__.split('.')[0] == package and hasattr(value, '__dict__'):
        value = vars(value)
    if isinstance(value, Mapping):
        return '{' + ', '.join(f'{key!r}: {_mark(item, package, met, left)}' for key, item in value.items()) + '}'
    if isinstance(value, (list, tuple)) or type(value).__name__ == 'deque':
        return '[' + ', '.join(_mark(item, package, met, left) for item in value) + ']'
    return _mark(value, package, met, left) if isinstance(value, torch.Tensor) else type(value).__name__
