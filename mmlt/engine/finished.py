"""The model of a finished run, rebuilt from its checkpoint, and its place in a run that builds on it."""

import sys
from pathlib import Path
from typing import Any

from mmengine.registry import DefaultScope

from mmlt.detection import FasterRCNN
from mmlt.engine.agreement import check_classes, check_input, class_folders, places_of_classes
from mmlt.engine.checkpoint import load_checkpoint
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
    put_weights(model, content, path)
    return model


def put_weights(model: LongTailedClassifier, content: dict, path: str | Path) -> None:
    """Put the weights and the thresholds of a checkpoint into a model; of a published one, without what serves training alone.

    Raises:
        UserError: the checkpoint is another architecture's.
    """
    meta = content['meta']
    if meta.get('inference_only'):
        model.keep_inference_parts()
    load_weights(model, model.current_names(content['state_dict']), path)
    model.refresh_class_counts()
    if meta.get('thresholds'):
        model.set_thresholds(meta['thresholds'])


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
    if not isinstance(model, (LongTailedClassifier, FasterRCNN)):
        raise UserError(f'{why}: {type(model).__name__} is no classifier or detector of mmlt; use another one.')
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
    dropped = ('init_cfg', 'pretrained', 'checkpoint', 'checkpoint_path', '_scope_')
    return {key: harmless(item) for key, item in node.items() if key not in dropped}


def takes_head(model: LongTailedClassifier, role: str, need: Need) -> bool:
    """Whether a first stage hands over its head, whose rows must then mean the same classes."""
    if role == 'init':
        return isinstance(model, LongTailedClassifier) and (not need.parts or 'head' in need.parts)
    return role == 'backbone' and getattr(model, 'reuse_head', False)  # a method without one refuses the role


def attach(
    model: LongTailedClassifier,
    role: str,
    needs: list[tuple[Need, Path]],
    dataset: Any,
    image_size: list[int] | None = None,
) -> None:
    """Give a model its prerequisites of one role (`LongTailedClassifier.attach`).

    Args:
        model: the model.
        role: of the prerequisites.
        needs: each prerequisite and its checkpoint.
        dataset: that the model is trained on: a teacher's outputs must mean its classes.
        image_size: height and width of the images that the model is trained on, where known.

    Raises:
        UserError: the method knows no such role, or a checkpoint does not fit.
    """
    others, places = [], []
    names = dataset.metainfo['classes']
    for need, path in needs:
        content = load_checkpoint(path)
        meta = content['meta']
        others.append(classifier_of(content, path))
        places.append(places_of_classes(need.classes, meta.get('classes'), names, path))
        head = role.startswith('teacher') or takes_head(model, role, need)
        if head and places[-1] is None and meta.get('classes'):
            check_classes(
                meta['classes'], names, f'the {role} {path}', meta.get('class_folders'), class_folders(dataset),
                'the training set',
            )  # fmt: skip
        if head and places[-1] is not None and not role.startswith('teacher'):
            raise UserError(
                f'{path} knows other classes, or in another order, and this run begins with its head: train it on this data.'
            )
        check_input(model, others[-1], role, (image_size, meta.get('image_size')))
    if role == 'init':
        return model.begin_with(others, needs[0][0].parts)
    model.set_class_counts(dataset.metainfo['class_counts'])  # a teacher must have been trained on the same
    model.attach(role, others, places)
