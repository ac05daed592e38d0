"""A part whose constructor refuses what the config gives it is the config's mistake: one sentence, not a stack trace."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mmlt.config.check import refuse_others
from mmlt.engine.mmengine_compat import OpenRunner
from mmlt.errors import UserError, brief, reason
from mmlt.models.weights import read_weights

# What MMEngine's default constructor reads.
PARAMWISE = {'custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult', 'dwconv_decay_mult'}
PARAMWISE |= {'dcn_offset_lr_mult', 'bypass_duplicate'}
CUSTOM = {'lr_mult', 'decay_mult'}


@contextmanager
def building(key: str) -> Iterator[None]:
    """Turn an error of a constructor into a sentence that names the part of the config.

    Args:
        key: of the config.

    Raises:
        UserError: instead of the errors by which a constructor refuses a value; its cause is kept.
    """
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError) as error:
        raise UserError(f'{key} in the config cannot be built ({brief(reason(error))}): correct its values.') from error


def initial_weights(node: Any) -> list[str]:
    """The files that a model's config takes weights from (`init_cfg=dict(type='Pretrained', checkpoint=...)`)."""
    if isinstance(node, (list, tuple)):
        return [name for item in node for name in initial_weights(item)]
    if not isinstance(node, dict):
        return []
    own = [str(node['checkpoint'])] if node.get('type') == 'Pretrained' and 'checkpoint' in node else []
    return own + [name for item in node.values() for name in initial_weights(item)]


def check_initial(part: nn.Module, where: str) -> None:
    """Refuse a file of weights of which a part takes none.

    Args:
        part: of a model, with its `init_cfg`.
        where: its place in the config.

    Raises:
        UserError: with the prefix that would fit, where there is one.
    """
    wanted = getattr(part, 'init_cfg', None)
    if not isinstance(wanted, dict) or wanted.get('type') != 'Pretrained' or not Path(str(wanted.get('checkpoint'))).is_file():
        return  # what is not there is said when it is read
    try:
        content = read_weights(Path(wanted['checkpoint']))
    except UserError:  # of a kind that MMEngine reads or refuses itself
        return
    own, prefix = part.state_dict(), (wanted.get('prefix') or '').rstrip('.')
    prefix = f'{prefix}.' if prefix else ''
    if any(name.startswith(prefix) and fits(own.get(name[len(prefix) :]), value) for name, value in content.items()):
        return
    found = next((name[: -len(key)] for name, value in content.items() for key in own if name.endswith(f'.{key}')
                  and fits(own[key], value)), None)  # fmt: skip
    advice = f'set prefix={found!r}' if found else 'name another file'
    raise UserError(f'{wanted["checkpoint"]} (init_cfg of {where}) has no weight of this {type(part).__name__}: {advice}.')


def fits(own: Tensor | None, value: Any) -> bool:
    """Whether a tensor of a file can be that of a part; a count, such as batch normalisation's of batches, tells nothing."""
    return own is not None and isinstance(value, Tensor) and own.dim() > 0 and own.shape == value.shape


def check_paramwise(optim_wrapper: dict, parameters: list[str]) -> None:
    """Refuse settings for parts of a model that reach no parameter; MMEngine passes over them.

    Args:
        optim_wrapper: its config.
        parameters: names of the model's parameters.

    Raises:
        UserError: with the key, and the names that are nearest to it.
    """
    settings = optim_wrapper.get('paramwise_cfg') or {}
    if optim_wrapper.get('constructor', 'DefaultOptimWrapperConstructor') != 'DefaultOptimWrapperConstructor':
        return
    refuse_others('optim_wrapper.paramwise_cfg', settings, PARAMWISE)
    parts = sorted({name.rpartition('.')[0] for name in parameters} | set(parameters))
    for key, own in (settings.get('custom_keys') or {}).items():
        if not isinstance(own, dict):
            raise UserError(f'optim_wrapper.paramwise_cfg.custom_keys.{key} must be dict(lr_mult=...), not {brief(repr(own))}.')
        refuse_others(f'optim_wrapper.paramwise_cfg.custom_keys.{key}', own, CUSTOM)
        if not any(key in name for name in parameters):
            near = difflib.get_close_matches(key, parts, n=3, cutoff=0.4) or parts[:3]
            raise UserError(
                f'optim_wrapper.paramwise_cfg.custom_keys: no parameter of the model has {key!r} in its name; there are '
                f'{", ".join(near)}, for instance.'
            )


class ClearRunner(OpenRunner):
    """MMEngine's Runner, whose building methods name the part of the config that they could not build."""

    def init_model_weights(self) -> None:
        """See `OpenRunner`; MMEngine reads the files, tensors and plain data alone, and passes over what does not fit."""
        for name in ('backbone', 'neck', 'head'):
            if (part := getattr(self.model, name, None)) is not None:
                check_initial(part, f'model.{name}')
        try:
            super().init_model_weights()
        except UserError:
            raise
        except Exception as error:  # a file that is not there, damaged, or holds more than plain data
            if files := initial_weights(self.cfg.model):
                raise UserError(
                    f'the weights {", ".join(files)} (init_cfg in the config) cannot be loaded ({reason(error)}): '
                    'name another file.'
                ) from error
            raise

    def build_model(self, model: Any) -> Any:
        """See `Runner.build_model`."""
        with building('model'):
            return super().build_model(model)

    def build_train_loop(self, loop: Any) -> Any:
        """See `Runner.build_train_loop`."""
        with building('train_cfg'):
            return super().build_train_loop(loop)

    def build_val_loop(self, loop: Any) -> Any:
        """See `Runner.build_val_loop`."""
        with building('val_cfg'):
            return super().build_val_loop(loop)

    def build_test_loop(self, loop: Any) -> Any:
        """See `Runner.build_test_loop`."""
        with building('test_cfg'):
            return super().build_test_loop(loop)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """See `Runner.build_optim_wrapper`."""
        if isinstance(optim_wrapper, dict):
            check_paramwise(optim_wrapper, [name for name, _ in self.model.named_parameters()])
        with building('optim_wrapper'):
            return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """See `Runner.build_param_scheduler`."""
        with building('param_scheduler'):
            return super().build_param_scheduler(scheduler)

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """See `Runner.register_hooks`."""
        with building('default_hooks or custom_hooks'):
            super().register_hooks(default_hooks, custom_hooks)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """See `Runner.call_hook`; what a hook of others refuses before the first step is the config's mistake."""
        if fn_name not in ('before_run', 'before_train'):
            return super().call_hook(fn_name, **kwargs)
        for hook in self.hooks:
            known = type(hook).__module__.startswith('mmlt.')
            with nullcontext() if known else building(f'{type(hook).__name__} (custom_hooks or default_hooks)'):
                getattr(hook, fn_name)(self, **kwargs)
        return None

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """See `Runner.build_visualizer`."""
        with building('visualizer'):
            return super().build_visualizer(visualizer)
