"""ShotGroupMetric: every test image once, whatever the batches, ranks and padding."""

import json
import sys
from pathlib import Path

import pytest
import torch

from mmlt.errors import UserError
from mmlt.evaluation import ShotGroupMetric, classification_metrics
from mmlt.registry import METRICS

CLASS_COUNTS = [400, 150, 40, 25, 10, 3]
NUM_IMAGES = 37


def sample():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(NUM_IMAGES, len(CLASS_COUNTS), generator=generator)
    return logits, torch.randint(len(CLASS_COUNTS), (NUM_IMAGES,), generator=generator)


def make_metric(**meta):
    metric = METRICS.build(dict(type='ShotGroupMetric', convention='standard'))
    metric.dataset_meta = {'class_counts': CLASS_COUNTS, **meta}
    return metric


def feed(metric, indices, batch_size=8):
    logits, target = sample()
    for batch in torch.as_tensor(indices).split(batch_size):
        metric.process(None, [dict(logits=logits[batch], target=target[batch], indices=batch)])


@pytest.mark.parametrize('batch_size', [1, 8, 100])
def test_same_as_the_pure_function_whatever_the_batches(batch_size):
    metric = make_metric()
    feed(metric, torch.randperm(NUM_IMAGES, generator=torch.Generator().manual_seed(0)), batch_size)
    assert metric.evaluate(NUM_IMAGES) == pytest.approx(classification_metrics(*sample(), CLASS_COUNTS), rel=1e-12)


def test_images_drawn_twice_count_once():
    metric = make_metric()
    feed(metric, [*range(NUM_IMAGES), 0, 1, 2, 2])
    assert metric.evaluate(NUM_IMAGES) == pytest.approx(classification_metrics(*sample(), CLASS_COUNTS), rel=1e-12)


def test_details_by_class():
    metric = make_metric(classes=('cat', 'dog', 'eel', 'fox', 'gnu', 'hen'))
    logits, target = sample()
    keep = torch.nonzero(target != 5).squeeze(1)
    metric.process(None, [dict(logits=logits[keep], target=target[keep], indices=torch.arange(len(keep)))])
    metrics = metric.evaluate(len(keep))
    rows = metric.details['per_class']
    assert [row['group'] for row in rows] == ['many', 'many', 'medium', 'medium', 'few', 'few']
    assert [row['train_images'] for row in rows] == CLASS_COUNTS
    assert [row['test_images'] for row in rows] == torch.bincount(target[keep], minlength=6).tolist()
    assert rows[5] == {'class': 5, 'name': 'hen', 'train_images': 3, 'group': 'few', 'test_images': 0, 'accuracy': None}
    assert rows[4]['accuracy'] == pytest.approx(metrics['accuracy/few'])
    assert metric.details['shot_groups'] == {'convention': 'standard', 'many': 2, 'medium': 2, 'few': 2}
    json.dumps(metric.details, allow_nan=False)


def test_starts_afresh_after_each_evaluation():
    metric = make_metric()
    for _ in range(2):
        feed(metric, range(NUM_IMAGES))
        assert metric.evaluate(NUM_IMAGES) == pytest.approx(classification_metrics(*sample(), CLASS_COUNTS))


def test_missing_images_are_an_error():
    metric = make_metric()
    feed(metric, range(NUM_IMAGES - 2))
    with pytest.raises(UserError, match='35 distinct test images were evaluated, but the test set has 37'):
        metric.evaluate(NUM_IMAGES)
    with pytest.raises(UserError, match='0 distinct test images'):
        make_metric().evaluate(NUM_IMAGES)


def test_class_counts_must_be_there_and_fit():
    metric = make_metric()
    metric.dataset_meta = {'classes': ('a', 'b')}
    feed(metric, range(NUM_IMAGES))
    with pytest.raises(UserError, match='training class counts'):
        metric.evaluate(NUM_IMAGES)
    metric.dataset_meta = {'class_counts': [0] * 6}
    feed(metric, range(NUM_IMAGES))
    with pytest.raises(UserError, match='training class counts'):
        metric.evaluate(NUM_IMAGES)
    metric.dataset_meta = {'class_counts': [10, 5]}
    feed(metric, range(NUM_IMAGES))
    with pytest.raises(UserError, match='predicts 6 classes, but the training class counts name 2'):
        metric.evaluate(NUM_IMAGES)


def test_convention_must_be_known_and_fit():
    with pytest.raises(UserError, match="no shot-group convention is called 'usual'"):
        ShotGroupMetric(convention='usual')
    metric = ShotGroupMetric(convention='mislas')
    metric.dataset_meta = {'class_counts': CLASS_COUNTS}
    feed(metric, range(NUM_IMAGES))
    with pytest.raises(UserError, match='100 classes only'):
        metric.evaluate(NUM_IMAGES)


@pytest.mark.parametrize(
    'shares',
    [
        [[*range(0, 37, 2)], [*range(1, 37, 2), 0]],  # equal lengths by padding
        [[*range(30)], [*range(30, 37)]],  # unequal lengths
        [[], [*range(37)]],  # one rank without an image
    ],
    ids=['padded', 'unequal', 'empty'],
)
def test_two_processes_agree_with_one(run, tmp_path, shares):
    ranks = [run.start(Path(__file__), tmp_path, rank, json.dumps(share)) for rank, share in enumerate(shares)]
    assert [rank.wait() for rank in ranks] == [0, 0], [rank.read() for rank in ranks]
    expected = classification_metrics(*sample(), CLASS_COUNTS)
    found = [json.loads((tmp_path / f'rank{rank}.json').read_text()) for rank in range(2)]
    assert found[0]['metrics'] == found[1]['metrics'] == pytest.approx(expected, rel=1e-12)
    alone = make_metric()
    feed(alone, range(NUM_IMAGES))
    alone.evaluate(NUM_IMAGES)
    full = json.loads(json.dumps(alone.evaluation().record(resamples=20)))
    assert 'calibration/classwise_ece' in full['metrics']
    assert found[0]['full'] == found[1]['full'] == full  # to the last bit


def test_an_image_drawn_twice_before_the_last_batch_leaves_the_error_by_class_unknown():
    metric = make_metric()
    feed(metric, [0, 0, 0, *range(NUM_IMAGES)])
    metric.evaluate(NUM_IMAGES)
    alone = make_metric()
    feed(alone, range(NUM_IMAGES))
    alone.evaluate(NUM_IMAGES)
    expected = alone.evaluation().metrics()
    expected.pop('calibration/classwise_ece')
    assert metric.evaluation().metrics() == expected


def test_an_evaluation_broken_off_leaves_nothing_behind():
    metric = make_metric()
    feed(metric, range(5))
    metric.results.clear()  # as a hook's error in the middle leaves it, seen from the next evaluation
    feed(metric, range(NUM_IMAGES))
    metric.evaluate(NUM_IMAGES)
    whole = metric.evaluation().metrics()
    feed(metric, range(NUM_IMAGES - 1))
    with pytest.raises(UserError):
        metric.evaluate(NUM_IMAGES)
    feed(metric, range(NUM_IMAGES))
    metric.evaluate(NUM_IMAGES)
    assert metric.evaluation().metrics() == whole


def _as_one_rank(folder, rank, share):
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=int(rank), world_size=2)
    metric = ShotGroupMetric()
    metric.dataset_meta = {'class_counts': CLASS_COUNTS}
    if json.loads(share):
        feed(metric, json.loads(share))
    found = dict(metrics=metric.evaluate(NUM_IMAGES))
    found['full'] = metric.evaluation().record(resamples=20)
    Path(folder, f'rank{rank}.json').write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    _as_one_rank(*sys.argv[1:])
