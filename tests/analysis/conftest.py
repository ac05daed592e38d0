"""A finished run's record, to be varied by the tests."""

import copy
from collections.abc import Callable

import pytest
from made_runs import RECORD


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
