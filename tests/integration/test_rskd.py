"""RSKD from end to end on the digits: teachers of subsets, trained and evaluated on their classes, one student."""

import json

import pytest
import torch

from mmlt.apis.test import test as evaluate
from mmlt.apis.train import train
from mmlt.config.find import config_roots

pytestmark = pytest.mark.slow
ROOT = config_roots()[0]
SHORT = 'train_cfg = dict(max_epochs=2)\n'


@pytest.mark.parametrize('data', ['digitslt', 'digitsmulti'])
def test_teachers_of_subsets_and_a_student(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = []
    for group in ('many', 'medium', 'few'):
        base = f'{ROOT}/rskd/resnet8_{data}_{group}.py'
        (tmp_path / f'{group}.py').write_text(f'_base_ = [{base!r}]\n{SHORT}')
        listed.append(f"dict(config='{group}.py')")
    student = f'_base_ = [{f"{ROOT}/rskd/resnet8_{data}.py"!r}]\nprerequisites = dict(teacher=[{", ".join(listed)}])\n'
    (tmp_path / 'student.py').write_text(student + SHORT)
    record = train('student.py')
    assert len(record['prerequisites']) == 3
    names = []
    for group in ('many', 'medium', 'few'):
        results = json.loads((tmp_path / f'work_dirs/{group}/seed0/results.json').read_text())
        checkpoint = tmp_path / f'work_dirs/{group}/seed0/epoch_2.pth'
        meta = torch.load(checkpoint)['meta']
        names += meta['classes']
        assert results['data']['kept_classes'] == meta['classes']
        again = evaluate(f'{group}.py', checkpoint)  # on its own classes alone
        assert again['metrics'] == pytest.approx(results['last']['metrics'])
        assert again['test_data']['kept_classes'] == meta['classes']
    whole = torch.load(tmp_path / 'work_dirs/student/seed0/epoch_2.pth')['meta']['classes']
    assert sorted(names) == sorted(whole)
    assert ('mAP' in record['last']['metrics']) == (data == 'digitsmulti')
    said = json.loads((tmp_path / 'work_dirs/student/seed0/scalars.jsonl').read_text().splitlines()[0])
    assert said['loss_rskd'] > 0


def test_overlapping_subsets_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'groups.json').write_text(json.dumps({'round': ['0', '6', '8', '9'], 'all': list(range(10))}))
    for group in ('round', 'all'):
        (tmp_path / f'{group}.py').write_text(
            f"_base_ = ['{ROOT}/ce/resnet8_digitslt.py']\n{SHORT}"
            f"train_dataloader = dict(classes=dict(group='{group}', file='groups.json'))\n"
        )
    (tmp_path / 'student.py').write_text(
        f"_base_ = ['{ROOT}/ce/resnet8_digitslt.py']\n{SHORT}"
        "prerequisites = dict(teacher=[dict(config='round.py'), dict(config='all.py')])\n"
        "model = dict(type='RSKDClassifier', teacher_weights=[0.5, 1.0])\n"
    )
    assert train('student.py')['finished']
