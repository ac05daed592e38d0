"""A finished model for others: one small file for inference, its card, and what the file says as plain JSON."""

import argparse
import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmlt.analysis.evaluation_files import read_evaluation
from mmlt.analysis.model_card import model_card
from mmlt.analysis.results import json_text, read_results
from mmlt.apis.cli import run_tool
from mmlt.engine.checkpoint import load_checkpoint, published_texts
from mmlt.engine.finished import harmless
from mmlt.engine.inference import Predictor
from mmlt.errors import UserError
from mmlt.files import atomic_write, sha256_of
from mmlt.priors import CONVENTIONS, GROUPS, shot_groups

KEPT = ('epoch', 'step', 'seed', 'classes', 'class_folders', 'class_counts', 'thresholds', 'precision', 'image_size', 'config',
        'config_hash', 'teachers', 'converted')  # fmt: skip
TRAINING_PARTS = ('terms.', 'reweighting.', 'mixing.', 'distill_heads.')  # what `keep_inference_parts` drops
CARD, FACTS = 'README.md', 'model.json'


def publish(checkpoint: str | Path, out_dir: str | Path, convention: str | None = None) -> dict[str, Any]:
    """Write a model for inference alone into a folder: `NAME-HASH.safetensors`, its card `README.md` and `model.json`.

    The file holds the weights that a prediction needs, no optimizer, no momentum encoder, no head of training alone; and as
    plain JSON the model's config, the class names, counts and thresholds, and how pictures are cut. `tools/predict.py`,
    `test.py`, `export.py`, prerequisites and `load_from` take it as they take a checkpoint. HASH is the beginning of the
    file's SHA-256.

    Args:
        checkpoint: of a classifier.
        out_dir: the folder; what a former call wrote there is written over.
        convention: of the shot groups; None for the run's own. The figures of a run whose groups are others are without theirs.

    Returns:
        The facts in `model.json`, and `path`, the file.

    Raises:
        UserError: the checkpoint cannot be used, or the folder holds a `README.md` that is none of a model of mmlt.
    """
    folder = Path(out_dir)
    if folder.is_file():
        raise UserError(f'{folder} is a file: name a folder.')
    _refuse_foreign(folder)
    predictor = Predictor(checkpoint)
    predictor.model.cpu()
    content = load_checkpoint(checkpoint)
    meta = content['meta']
    kept = {key: meta[key] for key in KEPT if meta.get(key) is not None}
    kept.update(model=harmless(meta['model']), task='multi_label' if predictor.several else 'single_label', inference_only=True,
                test_view=predictor.view._asdict(), outcome=_outcome(meta))  # fmt: skip
    current = predictor.model.current_names(content['state_dict'])
    tensors = {
        name: value.detach().clone().contiguous() for name, value in current.items() if not name.startswith(TRAINING_PARTS)
    }
    stored, texts = published_texts(kept, tensors)
    from safetensors.torch import save

    written = save(tensors, texts)
    sha256 = hashlib.sha256(written).hexdigest()
    name = re.sub(r'[^\w.-]+', '_', predictor.config or Path(checkpoint).stem)
    path = folder / f'{name}-{sha256[:8]}.safetensors'
    own = _own_convention(meta)
    facts = _facts(predictor, stored['meta'], convention or own)
    figures = _figures(Path(checkpoint), meta)
    if convention not in (None, own):
        figures.update({key: _without_groups(figures[key]) for key in ('metrics', 'intervals') if key in figures})
    facts.update(file=path.name, bytes=len(written), sha256=sha256, **figures)
    atomic_write(path, written)
    atomic_write(folder / FACTS, json_text(facts))
    atomic_write(folder / CARD, model_card(facts))
    return {**facts, 'path': path}


def _refuse_foreign(folder: Path) -> None:
    card = folder / CARD
    if card.is_file() and b'library_name: mmlt' not in card.read_bytes()[:4096]:
        raise UserError(f'{card} is there and was not made by this tool: name another folder.')


def _outcome(meta: dict) -> dict:
    """Of what decided the run: what predictions and cards ask for."""
    outcome = meta.get('outcome') or {}
    kept = {key: outcome[key] for key in ('data', 'sampler', 'holdout') if outcome.get(key) is not None}
    epochs = (outcome.get('train_cfg') or {}).get('max_epochs')
    return {**kept, **({} if epochs is None else dict(train_cfg=dict(max_epochs=epochs)))}


def _own_convention(meta: dict) -> str:
    """How the run's evaluation cut the shot groups."""
    evaluators = (meta.get('outcome') or {}).get('evaluator') or []
    for one in [evaluators] if isinstance(evaluators, dict) else evaluators:
        if one.get('convention') in CONVENTIONS:
            return one['convention']
    return 'standard'


def _without_groups(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name.rpartition('/')[2] not in GROUPS}


def _figures(checkpoint: Path, meta: dict) -> dict[str, Any]:
    """How well it does, as the results beside it have it, if they are this checkpoint's; else by its own history.

    Returns:
        `metrics`, and where they are known `intervals`, `split` and the number of test `images`.
    """
    with suppress(UserError, OSError, ValueError, KeyError):
        record = read_results(checkpoint.parent)
        if record['checkpoint']['sha256'] == sha256_of(checkpoint):
            found = dict(metrics=dict(record['last']['metrics']))
            with suppress(UserError, OSError):
                full = read_evaluation(checkpoint.parent)
                found['metrics'].update(full['metrics'])
                found.update(split=full['split'], images=full['images'], intervals=full['intervals']['metrics'])
            return found
    history = (one['metrics'] for one in reversed(meta.get('history') or []) if one['epoch'] == meta.get('epoch'))
    return dict(metrics=next(history, {}))


def _facts(predictor: Predictor, meta: dict, convention: str) -> dict[str, Any]:
    preprocessor, model = predictor.model.data_preprocessor, meta['model']
    groups = shot_groups(predictor.class_counts, convention)
    mean, scale = (getattr(preprocessor, name, None) for name in ('mean', 'scale'))
    return dict(
        schema=1,
        config=predictor.config,
        config_hash=meta.get('config_hash') or '',
        method=model['type'],
        loss=(model.get('loss') or {}).get('type'),
        backbone=model['backbone'].get('backbone', model['backbone']).get('type'),
        experts=predictor.model.num_experts,
        parameters=sum(weight.numel() for name, weight in predictor.model.named_parameters()
                       if not name.startswith(TRAINING_PARTS)),
        task=meta['task'],
        epoch=meta.get('epoch'),
        epochs=((meta['outcome'].get('train_cfg') or {}).get('max_epochs')),
        seed=meta.get('seed'),
        data=meta['outcome'].get('data') or {},
        classes=list(predictor.classes),
        class_counts=list(predictor.class_counts),
        shot_groups=dict(convention=convention, rule=CONVENTIONS[convention],
                         **{name: groups[name].tolist() for name in GROUPS}),
        thresholds=meta.get('thresholds'),
        input=dict(meta['test_view'], channels='RGB',
                   mean=None if mean is None else [round(v / 255, 6) for v in mean.flatten().tolist()],
                   std=None if scale is None else [round(1 / v / 255, 6) for v in scale.flatten().tolist()]),
        corrections=predictor.corrections,
    )  # fmt: skip


def arguments() -> argparse.Namespace:
    """The command line of `publish`."""
    parser = argparse.ArgumentParser(description='Write a model for inference alone, with its card, into a folder.')
    parser.add_argument('checkpoint', metavar='CKPT', help='checkpoint of a classifier')
    parser.add_argument('out_dir', metavar='OUT_DIR', help='folder for the file, README.md and model.json')
    parser.add_argument('--groups', metavar='NAME', choices=tuple(CONVENTIONS),
                        help="convention of the shot groups (default the run's)")  # fmt: skip
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def publish_from_arguments() -> None:
    """Publish, and say what was written."""
    args = arguments()
    from mmlt.engine.console import console

    facts = publish(args.checkpoint, args.out_dir, args.groups)
    before = Path(args.checkpoint).stat().st_size
    console.print(f'{facts["path"]}: {facts["bytes"]:,} bytes of {before:,}, SHA-256 {facts["sha256"]}', markup=False)
    console.print(f'{Path(args.out_dir) / CARD}: the card; name a licence in it', markup=False)
    console.print(f'predict with it: python tools/predict.py {facts["path"]} PATHS', markup=False)


def main() -> None:
    """Entry point of `tools/publish_model.py`."""
    run_tool(publish_from_arguments)
