"""Put a correction on a finished model before it is evaluated (`tools/test.py --adjust`)."""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from mmlt.apis.adjustment import ESTIMATE, HOLDOUT, TUNE, Adjustment
from mmlt.apis.target_prior import target_prior
from mmlt.config.holdout import unwrapped
from mmlt.config.warnings import corrected_already
from mmlt.datasets.mmpretrain_dataset import build_dataset
from mmlt.datasets.tested import as_tested
from mmlt.engine.console import say
from mmlt.engine.device import autocast
from mmlt.engine.feature_cache import through_cache
from mmlt.engine.inference import corrections_of, prior_of_outputs
from mmlt.engine.loader import build_loader
from mmlt.engine.runner import LongTailedRunner
from mmlt.errors import UserError
from mmlt.evaluation import posthoc
from mmlt.evaluation.posthoc.model import NearestMeanHead, adjust_output, replace_head
from mmlt.models.heads import LinearHead
from mmlt.plain import plain


def adjust_model(adjustment: Adjustment, runner: LongTailedRunner, data: dict[str, dict], meta: dict, config: str) -> dict:
    """Put a correction on the runner's model, tuned or estimated first where that is asked for.

    Args:
        adjustment: what to do.
        runner: holds the model, its weights loaded, and the test set.
        data: the config's sets, `train`, `val` and `test`.
        meta: of the checkpoint.
        config: name of the config, for which a value from a file must have been tuned.

    Returns:
        The correction for the record: `adjust`, the value used, and what it was found on (`holdout`, `test images`,
        None).

    Raises:
        UserError: it does not fit the model, or a value is to be tuned for a model trained on all images.
    """
    model, counts, setting = runner.bare_model, meta['class_counts'], adjustment.setting
    found_on = None
    labels = getattr(runner.test_loop.dataloader.dataset, 'labels', None)
    if getattr(labels, 'ndim', 1) == 2:
        raise UserError(f'--adjust {adjustment.adjust} is for one label an image, and these have several: leave it out.')
    corrections = corrections_of(model, meta)
    if said := corrected_already(adjustment.adjust, corrections):
        say(f'  {said}')
    if adjustment.adjust == 'prior':
        counts = prior_of_outputs(model, meta, counts)
        value = _test_prior(setting, runner, counts, meta['classes'])
        found_on = 'unlabelled test images' if setting == ESTIMATE else None
        prior = torch.tensor(value, dtype=torch.float64)
        adjust_output(model, lambda logits: posthoc.correct_prior(logits, counts, prior))
    elif adjustment.adjust == 'ncm':
        value = None
        features, _, target = collect(runner, training_set(data, meta))
        replace_head(model, NearestMeanHead(posthoc.class_means(features, target, model.num_classes)))
    else:
        if setting == TUNE:
            found_on = HOLDOUT
            value = _tune(adjustment.adjust, runner, holdout_set(data, meta), counts)
        else:
            value, found_on = adjustment.fixed_value(config)
        if adjustment.adjust == 'logit_adjustment':
            adjust_output(model, lambda logits: posthoc.adjust_logits(logits, counts, value))
        elif adjustment.adjust == 'temperature':
            adjust_output(model, lambda logits: logits.double() / value)
        else:
            head = linear_head(model)
            with torch.no_grad():
                head.weight.copy_(posthoc.normalise_weights(head.weight, value))
                if head.bias is not None:
                    head.bias.zero_()
    return {**{k: v for k, v in asdict(adjustment).items() if v is not None}, 'value': value, 'found_on': found_on}


def linear_head(model: nn.Module) -> LinearHead:
    """The model's linear head.

    Raises:
        UserError: it has none.
    """
    head = getattr(model, 'head', None)
    if not isinstance(head, LinearHead):
        raise UserError(f'--adjust tau_norm scales a linear head, and this model has {type(head).__name__}.')
    return head


@torch.inference_mode()
def collect(runner: LongTailedRunner, dataset) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN001
    """Features (N, C), logits (N, K), both float32, and labels (N,) of a data set that is looked at as the test set is; on
    every rank."""
    test = runner.test_loop.dataloader
    seen = dataset if dataset is test.dataset else as_tested(dataset, test.dataset)
    loader = build_loader(dict(batch_size=test.batch_size, dataset=seen))
    loader.rank, loader.world_size = 0, 1
    loader.dataset = through_cache(runner, loader, 'test' if dataset is test.dataset else 'training')
    model = runner.bare_model.eval()
    parts = []
    for data in loader:
        batch = model.data_preprocessor(data, False)
        with autocast(runner.precision):
            features, logits = model.outputs(batch.images)[:2]
        parts.append((features.float(), logits.float(), batch.targets))
    features, logits, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return features, logits, labels


def training_set(data: dict[str, dict], meta: dict):  # noqa: ANN201
    """The set that a checkpoint was trained on, each image looked at as the config looks at training images.

    Args:
        data: the config's sets.
        meta: of the checkpoint.

    Raises:
        UserError: the config's set is another one.
    """
    trained_on = (meta.get('outcome') or {}).get('data') or {}
    own = build_dataset(_as_trained(data['train'], trained_on))
    found = own.fingerprint()
    if any(found[key] != trained_on.get(key) for key in ('indices_sha256', 'content_sha256')):
        raise UserError(
            'the training set of this config is not the one the checkpoint was trained on: give the same overrides '
            '(train_dataloader.dataset...) as in training.'
        )
    return own


def holdout_set(data: dict[str, dict], meta: dict):  # noqa: ANN201
    """The images that a checkpoint was not trained on, to tune on: those set aside, or one's own validation set.

    Args:
        data: the config's sets.
        meta: of the checkpoint.

    Raises:
        UserError: it was trained on all images, or the config's sets are others.
    """
    outcome = meta.get('outcome') or {}
    trained_on = outcome.get('data') or {}
    if trained_on.get('protocol') == 'cao-holdout' or trained_on.get('holdout'):
        return training_set(data, meta).set_aside()
    if not outcome.get('holdout'):
        raise UserError(
            f'a value is tuned on images that were never trained on, and this checkpoint (protocol '
            f'{trained_on.get("protocol")}) has none beside the test set: train with --holdout (or with '
            'train_dataloader.dataset.protocol=cao-holdout), or give the value.'
        )
    own = build_dataset(data['val'])
    if outcome.get('test_fingerprint') not in (None, plain(own.fingerprint())):
        raise UserError('the validation set of this config is not the one the checkpoint was chosen on: restore it.')
    return own


def _as_trained(train: dict, trained_on: dict) -> dict:
    """The config of a training set, under the protocol that the checkpoint was trained by."""
    if trained_on.get('holdout'):
        return {**unwrapped(train), 'holdout': trained_on['holdout']}
    return {**train, 'protocol': trained_on['protocol']} if trained_on.get('protocol') else dict(train)


def _tune(kind: str, runner: LongTailedRunner, holdout, counts: list[int]) -> float:  # noqa: ANN001
    features, logits, target = collect(runner, holdout)
    if kind == 'temperature':
        return posthoc.fit_temperature(logits, target)
    if kind == 'tau_norm':
        weight = linear_head(runner.bare_model).weight.detach()
        scale = getattr(runner.bare_model, 'scale', torch.ones(())).detach()  # LWS's factors, which the evaluation keeps

        def predict(tau: float) -> Tensor:
            return scale * (features.double() @ posthoc.normalise_weights(weight, tau).T)
    else:

        def predict(tau: float) -> Tensor:
            return posthoc.adjust_logits(logits, counts, tau)

    return posthoc.best_tau(predict, target, len(counts))


def _test_prior(setting: str, runner: LongTailedRunner, counts: list[int], names: list[str]) -> list[float]:
    if setting == ESTIMATE:
        _, logits, _ = collect(runner, runner.test_loop.dataloader.dataset)
        return posthoc.estimate_prior(logits, counts).tolist()
    return target_prior(setting, names, '--test-prior').tolist()
