"""A finished run's record, to be varied by the tests."""

import copy
from collections.abc import Callable

import pytest

RECORD = {
    'schema': 1,
    'config': 'ce/resnet8_digitslt',
    'config_hash': 'ab' * 32,
    'overrides': {},
    'seed': 0,
    'precision': 'fp32',
    'finished': True,
    'wall_seconds': 61.5,
    'images_per_s': 5000.0,
    'device': 'CPU <2 cores> | test',
    'versions': {'torch': '2.12.1', 'mmlt': '0.1.0'},
    'data': {
        'dataset': 'digits',
        'profile': 'exp',
        'imbalance_ratio': 100,
        'protocol': 'cao',
        'num_images': 1234,
        'indices_sha256': '0123456789abcdef' * 4,
        'content_sha256': 'fedcba9876543210' * 4,
    },
    'shot_groups': {'convention': 'standard', 'many': 2, 'medium': 2, 'few': 0},
    'last': {
        'epoch': 30,
        'selected_on': None,
        'metrics': {
            'accuracy/top1': 60.0,
            'accuracy/mean_class': 61.0,
            'accuracy/many': 80.0,
            'accuracy/medium': 42.0,
            'calibration/ece': 0.1234,
            'nll': 1.5,
        },
    },
    'best': {'epoch': 28, 'selected_on': 'test', 'metrics': {'accuracy/top1': 62.5, 'nll': 1.4}},
    'evaluated_epochs': [10, 20, 28, 29, 30],
    'prerequisites': {},
}


@pytest.fixture
def make_record() -> Callable[..., dict]:
    """A function that gives a valid record; keyword `last__metrics__nll=1.0` sets a key inside."""

    def make(**changes: object) -> dict:
        record = copy.deepcopy(RECORD)
        for path, value in changes.items():
            *outer, key = path.split('__')
            node = record
            for part in outer:
                node = node[part]
            node[key] = value
        return record

    return make


@pytest.fixture
def per_class_rows() -> list[dict]:
    """Four classes, one of them without a test image, one with a name that HTML and CSV must not take literally."""
    return [
        {'class': 0, 'name': 'a,"b"', 'train_images': 700, 'group': 'many', 'test_images': 9, 'accuracy': 100 / 3},
        {'class': 1, 'name': '<b>&', 'train_images': 30, 'group': 'medium', 'test_images': 0, 'accuracy': None},
        {'class': 2, 'name': 'c', 'train_images': 404, 'group': 'many', 'test_images': 5, 'accuracy': 80.0},
        {'class': 3, 'name': '', 'train_images': 100, 'group': 'medium', 'test_images': 4, 'accuracy': 0.0},
    ]
