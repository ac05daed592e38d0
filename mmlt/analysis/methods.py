"""What a row of a results table is called, and where it stands among the others."""

import re
from collections.abc import Mapping
from typing import Any

# A prerequisite in one of these roles is the run that a record goes on from: a first stage, or the model it corrects.
GOES_ON_FROM = ('backbone', 'model')
CORRECTIONS = {
    'logit_adjustment': ('logit adjustment', 'tau'),
    'tau_norm': ('tau-normalisation', 'tau'),
    'temperature': ('temperature scaling', 'T'),
    'prior': ('prior correction', 'test prior'),
    'ncm': ('nearest class mean', None),
}


def names_in(readme: str) -> dict[str, str]:
    """Folder below `configs` -> name of the method, in the order of the README's own table of methods."""
    found = re.findall(r'^\| *\[([^\]]+)\]\(configs/(\w+)/README\.md\)', readme, re.MULTILINE)
    return {folder: name for name, folder in found}


def method_of(record: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The method in words: its name, what it goes on from, and the correction put on it.

    Args:
        record: a run, or an evaluation with a correction, with the run it goes on from in `first` if that is stored.
        names: see `names_in`; a method that is not there is called by its folder.
    """
    folder = record['config'].split('/')[0]
    name = names.get(folder, folder)
    first = record.get('first')
    steps = [f'experts weighted on the {record["aggregation"]["found_on"]}'] if record.get('aggregation') else []
    steps += [correction_in_words(record['adjustment'])] if record.get('adjustment') else []
    if steps:
        return ' + '.join([method_of(first, names) if first else name, *steps])
    if first:
        return f'{name}, {epochs_of(record)} epochs on {method_of(first, names)}'
    return name


def correction_in_words(adjustment: Mapping[str, Any]) -> str:
    """`tau-normalisation (post-hoc, tau = 1, not tuned)` from the record of `mmlt.apis.posthoc.adjust_model`."""
    name, setting = CORRECTIONS.get(adjustment['adjust'], (adjustment['adjust'], 'value'))
    if setting is None:
        return f'{name} (post-hoc)'
    found_on = adjustment.get('found_on')
    if setting == 'test prior':
        origin = adjustment.get('test_prior') or 'uniform'
        value = f'estimated from the {found_on}' if found_on else 'uniform' if origin == 'uniform' else 'known'
        return f'{name} (post-hoc, {setting} {value})'
    origin = f'tuned on a {found_on}' if found_on else 'not tuned'
    return f'{name} (post-hoc, {setting} = {adjustment["value"]:.3g}, {origin})'


def correction_in_name(adjustment: Mapping[str, Any] | None) -> str:
    """What a correction adds to a file's name: `_tau_norm`, `_tau_norm_tuned`, `_prior_estimate`; nothing without one."""
    if not adjustment:
        return ''
    prior = adjustment.get('test_prior')
    known = {None: '', 'uniform': '', 'estimate': '_estimate'}.get(prior, '_known')
    return f'_{adjustment["adjust"]}{"_tuned" if adjustment.get("found_on") == "holdout" else ""}{known}'


def epochs_of(record: Mapping[str, Any]) -> int | None:
    """Epochs that this run itself trained for."""
    return record.get('epochs') or record['last']['epoch']


def earlier_epoch(record: Mapping[str, Any]) -> int | None:
    """The epoch of an evaluated checkpoint that is not the last of its run; None of a run, and where it is the last one."""
    epoch, epochs = record['last']['epoch'], record.get('epochs')
    return epoch if not record['evaluated_epochs'] and None not in (epoch, epochs) and epoch != epochs else None


def epoch_in_words(record: Mapping[str, Any]) -> str:
    """After which epoch a record's figures are, as a sentence."""
    if earlier := earlier_epoch(record):
        return f'After epoch {earlier} of {record["epochs"]}; if it was chosen by these images, its figures are optimistic.'
    if not record['evaluated_epochs'] and record['last']['epoch'] is None:
        return 'Of one checkpoint; after which epoch is not known.'
    return 'After the last epoch.'
