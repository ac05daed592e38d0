"""Checkpoints that try to run code in whatever loads them, one kind each for the ways known."""

import contextlib
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mmlt.engine.checkpoint import content_sha256


class Mark:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return io.open, (self.path, 'w')


def metas(base: dict, mark: Path) -> dict[str, dict]:
    """What a checkpoint's meta may say beside the truth: plain data with a valid checksum, `base` the true model."""
    run = dict(type='subprocess.getoutput', cmd=f'touch {mark}')
    make = dict(type='mmengine.mkdir_or_exist', dir_name=str(mark))
    python = f'import pathlib; pathlib.Path({str(mark)!r}).touch()'

    def transforms(kind: type, **cfg) -> dict:  # noqa: ANN003
        return part('data_preprocessor', **{**base['data_preprocessor'], 'train_transforms': kind([cfg])})

    def part(name: str, **cfg) -> dict:  # noqa: ANN003
        return dict(model={**base, name: cfg})

    return {
        'dotted type of the model': dict(model=run),
        'dotted type of a part': part('backbone', **run),
        'dotted type inside another package': part('backbone', type='mmpretrain.ResNet', depth=18, norm_cfg=run),
        'dotted activation': part('backbone', type='mmpretrain.MobileNetV2', act_cfg=run),
        'dotted transform': transforms(list, **run),
        'dotted transform in a tuple': transforms(tuple, **run),
        'scope of a transform': transforms(list, type='RandomFlip', _scope_='payload'),
        'scope of a transform in a tuple': transforms(tuple, type='RandomFlip', _scope_='payload'),
        'part of a package that is not loaded': part('backbone', type='mmseg.ResNet'),
        'function of mmengine': part('backbone', **make),
        'function of mmengine inside another package': part('backbone', type='mmpretrain.MobileNetV2', act_cfg=make),
        'module as a type': part('loss', type='antigravity'),
        'code from a hub': part('backbone', type='mmpretrain.HuggingFaceModel', model_name=str(mark)),
        'weights from elsewhere': part('backbone', **base['backbone'],
                                       init_cfg=dict(type='Pretrained', checkpoint=str(mark))),
        'stored Python': dict(model=base, config=python, cfg=python),
        'stored imports': dict(model={**base, 'custom_imports': dict(imports=['antigravity'])}),
        'model that is a text': dict(model=python),
        'no model': dict(model=None),
    }  # fmt: skip


def pickles(content: dict, mark: Path) -> dict[str, Callable[[Path], object]]:
    """Writers of files that are no plain data: unpickled with trust, each leaves `mark`."""
    meta = {**content['meta'], 'class_counts': np.array([1, 2])}
    hub = {**content, 'message_hub': {'log_scalars': Mark(mark)}}

    def script(path: Path) -> None:  # what torch.load takes for TorchScript
        with zipfile.ZipFile(path, 'w') as file:
            for name in ('constants.pkl', 'data.pkl'):
                file.writestr(f'archive/{name}', pickle.dumps(Mark(mark), protocol=2))
            file.writestr('archive/version', '3\n')

    def bare(path: Path) -> None:
        path.write_bytes(pickle.dumps(Mark(mark)))

    return {
        'pickle as the weights': lambda path: torch.save({**content, 'state_dict': Mark(mark)}, path),
        'pickle as the meta': lambda path: torch.save({**content, 'meta': Mark(mark)}, path),
        'pickle as the optimizer': lambda path: torch.save({**content, 'optimizer': Mark(mark)}, path),
        'pickle in the message hub': lambda path: torch.save(hub, path),
        'pickle before version 1.6': lambda path: torch.save(hub, path, _use_new_zipfile_serialization=False),
        'numpy in the meta': lambda path: torch.save({**content, 'meta': meta}, path),
        'bare pickle': bare,
        'TorchScript': script,
    }


META_KINDS = tuple(metas(dict(data_preprocessor={}, backbone={}), Path('x')))
HARMLESS = ('stored Python', 'weights from elsewhere', 'scope of a transform')  # nothing reads these
NOT_PLAIN = tuple(kind for kind in META_KINDS if 'tuple' in kind)
PICKLE_KINDS = tuple(pickles(dict(meta={}), Path('x')))


def write(kind: str, path: Path, content: dict, mark: Path) -> Path:
    """Write a hostile checkpoint, and beside it a module that leaves `mark`; `content` is an honest one's."""
    path.with_name('payload.py').write_text(f'import pathlib; pathlib.Path({str(mark)!r}).touch()')
    if kind in PICKLE_KINDS:
        pickles(content, mark)[kind](path)
    else:
        meta = {**content['meta'], **metas(content['meta']['model'], mark)[kind]}
        # As an attacker writes it: `save_checkpoint` would make lists of tuples.
        whole = {**content, 'meta': meta}
        with contextlib.suppress(TypeError):
            whole['sha256'] = content_sha256(whole)
        torch.save(whole, path)
    return path
