"""TensorBoard is given by one line of a config what the evaluator knows: read back from its event file."""

import io
import json

import numpy as np
import pytest
from commands import ROOT
from PIL import Image

from mmlt.analysis.evaluation_files import read_evaluation
from mmlt.engine.evaluation_pictures import confusion_table

pytestmark = pytest.mark.slow
CE = ROOT / 'configs/ce/resnet8_digitslt.py'
BACKEND = "visualizer = dict(vis_backends=[dict(type='TensorboardVisBackend')])\n"


def test_scalars_and_pictures_are_read_back(call, tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / 'own.py').write_text(f"_base_ = ['{CE}']\nholdout = True\n{BACKEND}")
    options = ['train_cfg.max_epochs=3', 'param_scheduler.0.milestones=[2]', 'train_cfg.val_interval=1']
    done = call('train', 'own.py', '--work-dir', 'run', '--cfg-options', *options)
    assert done.code == 0, done
    (file,) = tmp_path.glob('run/vis_data/events.out.tfevents.*')
    events = EventAccumulator(str(file), size_guidance=dict(images=0, scalars=0)).Reload()
    lines = list(map(json.loads, (tmp_path / 'run/scalars.jsonl').read_text().splitlines()))
    names = {name for line in lines for name in line} - {'step', 'epoch'}
    assert {'loss', 'lr', 'accuracy/top1', 'nll'} <= names
    for name in names:
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(line['step'], pytest.approx(line[name], rel=1e-5)) for line in lines if name in line], name
    record = read_evaluation('run')
    tags = set(events.Tags()['scalars'])
    assert set(record['metrics']) <= tags, 'all figures of an evaluation'
    assert len(events.Scalars('prior/backward_50')) == len(events.Scalars('f1/macro')) == 3
    results = json.loads((tmp_path / 'run/results.json').read_text())
    assert events.Scalars('test/accuracy/top1')[0].value == pytest.approx(results['last']['metrics']['accuracy/top1'])
    assert set(events.Tags()['images']) == {'confusion_matrix', 'accuracy_by_frequency'}
    for name in events.Tags()['images']:
        shown = events.Images(name)
        assert [image.step for image in shown] == [event.step for event in events.Scalars('f1/macro')]
        pixels = np.asarray(Image.open(io.BytesIO(shown[-1].encoded_image_string)))
        assert pixels.shape[2] == 3 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize('classes', [3, 200, 450])
def test_a_confusion_matrix_of_many_classes_is_drawn_as_blocks(classes):
    random = np.random.default_rng(0)
    counts = random.permutation(classes) + 1
    true = np.repeat(np.arange(classes), 2)
    predicted = random.integers(0, classes, len(true))
    record = dict(
        class_counts=counts.tolist(),
        confusion=dict(true=true.tolist(), predicted=predicted.tolist(), images=[1] * len(true)),
    )
    table = confusion_table(record)
    rows = min(classes, 200)
    assert table.shape == (rows, rows)
    np.testing.assert_allclose(table.sum(1), 100)
    place = {c: k * rows // classes for k, c in enumerate(np.argsort(-counts, kind='stable'))}
    expected = np.zeros((rows, rows))
    for t, p in zip(true, predicted, strict=True):
        expected[place[t], place[p]] += 1
    np.testing.assert_allclose(table, 100 * expected / expected.sum(1, keepdims=True))
