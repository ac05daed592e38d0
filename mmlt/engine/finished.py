"""The model of a finished run, rebuilt from its checkpoint, and its place in a run that builds on it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope

from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.console import say
from mmlt.engine.stages import Need
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier
from mmlt.models.weights import load_weights
from mmlt.registry import MODELS


def load_classifier(path: str | Path) -> LongTailedClassifier:
    """Rebuild the classifier that a checkpoint describes, through registered names alone, and load its weights."""
    return classifier_of(load_checkpoint(path), path)


def classifier_of(content: dict, path: str | Path) -> LongTailedClassifier:
    """See `load_classifier`; `content` is that of the checkpoint `path`."""
    model = build_stored(content['meta'].get('model'), path)
    load_weights(model, model.current_names(content['state_dict']), path)
    model.refresh_class_counts()
    return model


def build_stored(cfg: Any, source: str | Path) -> LongTailedClassifier:
    """The model that a checkpoint's config describes: data from a stranger, so registered names only, and no loading.

    Raises:
        UserError: it is no model's config, or names something that is not registered or would fetch or run more.
    """
    why = f'the checkpoint {source} describes a model that cannot be built'
    try:
        # Inside this scope, parts of other packages look up the parts they need in mmlt's registries too.
        with DefaultScope.overwrite_default_scope('mmlt'):
            model = MODELS.build(harmless(cfg))
    except UserError as error:
        raise UserError(f'{why}: {error}') from error
    except Exception as error:  # arguments that no constructor takes, in any way
        raise UserError(f'{why} ({type(error).__name__}: {error}): use another one.') from error
    if not isinstance(model, LongTailedClassifier):
        raise UserError(f'{why}: {type(model).__name__} is no classifier of mmlt; use another one.')
    return model


def harmless(node: Any) -> Any:
    """A stored model config without what would load further files; every type in it must be a registered name.

    Raises:
        UserError: a type with a dot that is no registered name, or one that downloads code.
    """
    if isinstance(node, (list, tuple)):
        return [harmless(item) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get('type')
    if isinstance(name, str):
        if 'HuggingFace' in name:
            raise UserError(f'type {name!r} fetches code from elsewhere and is not taken from a checkpoint.')
        scope = name.rpartition('.')[0]
        if scope not in ('', 'mmlt', 'mmengine', 'mmpretrain') and scope not in sys.modules:
            raise UserError(f'type {name!r} would import {scope}, which a checkpoint may not: import it in your config.')
        if scope:
            MODELS.get(name)
    dropped = ('init_cfg', 'pretrained', 'checkpoint_path', '_scope_')
    return {key: harmless(item) for key, item in node.items() if key not in dropped}


def attach(
    model: LongTailedClassifier,
    role: str,
    needs: list[tuple[Need, Path]],
    trained_on: dict,
    image_size: list[int] | None = None,
) -> None:
    """Give a model its prerequisites of one role (`LongTailedClassifier.attach`).

    Args:
        model: the model.
        role: of the prerequisites.
        needs: each prerequisite and its checkpoint.
        trained_on: `metainfo` of the training set.
        image_size: height and width of the images that the model is trained on, where known.

    Raises:
        UserError: the method knows no such role, or a checkpoint does not fit.
    """
    others, classes = [], []
    for need, path in needs:
        content = load_checkpoint(path)
        others.append(classifier_of(content, path))
        classes.append(places_of_classes(need.classes, content['meta'].get('classes'), trained_on['classes'], path))
        check_input(model, others[-1], role, (image_size, content['meta'].get('image_size')))
    if role == 'init':
        return model.begin_with(others, needs[0][0].parts)
    model.attach(role, others, classes)


def places_of_classes(
    wanted: Sequence[str | int] | None, its: Sequence[str] | None, classes: Sequence[str], source: object
) -> list[int] | None:
    """The place among `classes` of each class that a finished model knows.

    Args:
        wanted: what the config says: names or places, in the order of the model's classes; None where it says nothing.
        its: names of the model's classes; None where it does not tell.
        classes: names of the classes of this run.
        source: the model's checkpoint, for the message.

    Returns:
        A list of places, or None where the classes are the same in the same order, or nothing tells.

    Raises:
        UserError: a class that this run does not have, or twice the same.
    """
    names = [str(name) for name in classes]
    if wanted is None and (its is None or list(map(str, its)) == names or not set(map(str, its)) <= set(names)):
        return None
    places = []
    for name in its if wanted is None else wanted:
        place = name if isinstance(name, int) else (names.index(name) if name in names else -1)
        if not 0 <= place < len(names) or place in places:
            raise UserError(f'this run has no class {name!r}, or has it once, as {source} should know it: correct `classes`.')
        places.append(place)
    return places


def check_input(model: LongTailedClassifier, other: LongTailedClassifier, role: str, sizes: tuple) -> None:
    """A finished run's model sees this run's images: refuse another normalisation, tell of another size.

    Args:
        model: of this run.
        other: of the finished run.
        role: what it is here, `teacher` for instance.
        sizes: height and width of the images of this run, and of the finished one; None where it is not known.

    Raises:
        UserError: the finished run normalised its images otherwise.
    """
    mine, theirs = _normalisation(model), _normalisation(other)
    if mine and theirs and not (mine[0].shape == theirs[0].shape and all(map(torch.allclose, mine, theirs))):
        (mean, std), (its_mean, its_std) = ([part.flatten().tolist() for part in pair] for pair in (mine, theirs))
        raise UserError(
            f'the {role} was trained on images normalised with mean {_short(its_mean)} and std {_short(its_std)}, this run '
            f'has {_short(mean)} and {_short(std)}: set data_preprocessor.mean and std to those of the {role}.'
        )
    here, there = sizes
    if here and there and here != there:
        say(f'  the {role} was trained on images of {there[0]}x{there[1]} pixels and sees {here[0]}x{here[1]} here')


def _normalisation(model: LongTailedClassifier) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Mean and standard deviation of a `BatchPreprocessor`, in [0, 1], on the CPU."""
    mean, scale = (getattr(model.data_preprocessor, name, None) for name in ('mean', 'scale'))
    return None if mean is None or scale is None else (mean.cpu() / 255, 1 / scale.cpu() / 255)


def _short(values: list[float]) -> str:
    return ', '.join(f'{value:.4g}' for value in values)
