"""What is tuned after training is tuned on the images that the checkpoint's own training set had set aside."""

import numpy as np
import pytest
from PIL import Image

from mmlt.apis.inputs import say_skipped
from mmlt.apis.posthoc import holdout_set, training_set
from mmlt.datasets import ImageFolder, MultiLabelDataset
from mmlt.engine.loader import build_loader
from mmlt.engine.thresholds import holdout_of
from mmlt.errors import UserError


@pytest.fixture
def root(tmp_path):
    """Eight pictures of each of two classes."""
    for name in ('left', 'right'):
        (tmp_path / 'images' / name).mkdir(parents=True)
        for number in range(8):
            Image.new('L', (8, 8), 20 * number).save(tmp_path / 'images' / name / f'{number}.png')
    return tmp_path


def test_the_part_set_aside_is_found_again(root):
    cfg = dict(type='ImageFolder', data_root=str(root / 'images'), image_size=8, crop='random_resized')
    aside = dict(part='train', fraction=0.25, seed=3)
    trained = ImageFolder(root / 'images', image_size=8, holdout=aside)
    meta = dict(outcome=dict(data=trained.fingerprint()))
    for given in (cfg, dict(cfg, holdout=aside), dict(type='LongTailedDataset', profile='natural', dataset=cfg)):
        own, held = (found(dict(train=given), meta) for found in (training_set, holdout_set))
        assert own.content_sha256() == trained.content_sha256()
        assert held.class_counts == [2, 2] and held.crop == 'center' and held.split == 'holdout'
        assert not {own.path(place) for place in range(12)} & {held.path(place) for place in range(4)}
    with pytest.raises(UserError, match='has none beside the test set'):
        holdout_set(dict(train=cfg), dict(outcome=dict(data=ImageFolder(root / 'images', image_size=8).fingerprint())))


def test_thresholds_are_chosen_on_it_and_the_rule_is_said(root, capsys):
    rows = [f'left/{n}.png,{n % 2},{"" if n == 3 else n // 4}\n' for n in range(8)]
    (root / 'l.csv').write_text('path,up,down\n' + ''.join(rows))
    data = MultiLabelDataset(root / 'images', root / 'l.csv', image_size=8, holdout=dict(fraction=0.25), blank='zeros')
    held = holdout_of(build_loader(dict(batch_size=2, dataset=data)))
    assert len(held) + len(data) == 8 and np.array_equal(held.labels.sum(axis=0) + data.labels.sum(axis=0), [4, 4])
    with pytest.raises(UserError, match=r'it is of another kind.*holdout=dict\(part='):
        holdout_of(build_loader(dict(batch_size=2, dataset=ImageFolder(root / 'images', image_size=8))))
    say_skipped({'training': data})
    said = capsys.readouterr().out
    assert 'training set: l.csv is read as a table (images path, a column a class)' in said
    assert '1 blank cells of 8 x 2 are read as 0 (not shown)' in said and 'without the part set aside (0.25 of each' in said
