"""The embedded digits."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mmlt.datasets import Digits
from mmlt.errors import UserError


def test_splits_are_balanced_disjoint_and_in_file_order():
    source = load_digits()
    train, test = Digits('train'), Digits('test')
    assert train.metainfo['class_counts'] == [124] * 10 and test.metainfo['class_counts'] == [50] * 10
    for dataset, first, stop in ((train, 0, 124), (test, -50, None)):
        kept = sorted(i for c in range(10) for i in np.flatnonzero(source.target == c)[first:stop])
        assert dataset.labels.tolist() == source.target[kept].tolist()
        images, labels = dataset.tensors()
        assert images.shape == (len(kept), 3, 8, 8) and images.dtype == torch.uint8
        for channel in range(3):  # 0..16 becomes 0..255, to the nearest (half to even)
            expected = [[round(value * 255 / 16) for value in row] for row in source.images[kept].reshape(-1, 64)]
            assert images[:, channel].reshape(-1, 64).tolist() == expected
        assert labels.tolist() == dataset.labels.tolist()
    assert train.fingerprint()['content_sha256'] != test.fingerprint()['content_sha256']
    assert train.metainfo['classes'] == tuple('0123456789') and train.resident


def test_another_split_is_refused():
    with pytest.raises(UserError, match="'train' or 'test'"):
        Digits('val')
