"""The benchmark's legs do the same work, and its records hold together."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from commands import call

from benchmarks.accuracy import differences
from benchmarks.cases import CASES, CONFIGS, WITHIN, legs_of, rival_precision
from benchmarks.pairs import LegProcess, compare, measure_in_turn
from benchmarks.rival import Cutout, Pictures, ResNet, bkd_loss, transform_of
from benchmarks.show import markdown
from mmlt.config.load import load_config
from mmlt.errors import UserError
from mmlt.models.backbones import ResNetCIFAR
from mmlt.models.losses import balanced_distillation_loss

ROOT = Path(__file__).resolve().parents[2]


def test_the_rival_trains_the_same_network():
    torch.manual_seed(0)
    rival, own = ResNet(20, 7).eval(), ResNetCIFAR(20).eval()
    own.load_state_dict({k: v for k, v in rival.state_dict().items() if not k.startswith('linear.')})
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = own(images)[0].mean((2, 3))
        assert torch.allclose(rival(images), rival.linear(features), atol=1e-5)


def test_the_rival_minimises_the_same_loss():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 6, 4, dtype=torch.float64)
    target, weights = torch.randint(4, (6,)), torch.rand(4, dtype=torch.float64)
    expected = F.cross_entropy(student, target) + balanced_distillation_loss(student, teacher, weights, 2.0)
    assert torch.allclose(bkd_loss(student, teacher, target, weights, 2.0), expected)


def test_the_rival_normalises_as_the_config_says():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    mean, std = [0.5, 0.4, 0.3], [0.1, 0.2, 0.3]
    pictures = Pictures(images, np.array([3, 4]), transform_of([], 8, mean, std))
    image, label = pictures[1]
    expected = (images[1] / 255 - mean) / std  # (8, 8, 3)
    assert label == 4 and np.allclose(image.permute(1, 2, 0), expected, atol=1e-5)
    with pytest.raises(ValueError, match='Mirror'):
        transform_of([dict(type='Mirror')], 8, [0] * 3, [1] * 3)


def test_the_rivals_cutout_is_one_square():
    np.random.seed(0)
    holes = [int((Cutout(4)(torch.ones(3, 9, 9))[0] == 0).sum()) for _ in range(50)]
    assert max(holes) == 16 and min(holes) >= 4


def test_compare_takes_the_rivals_better_figure_pair_by_pair():
    own = [dict(images_per_s=rate, peak_memory_mb=10, outside=0.1) for rate in (30, 20, 40)]
    slow = [dict(images_per_s=rate, peak_memory_mb=5) for rate in (1, 1, 100)]
    fast = [dict(images_per_s=rate, peak_memory_mb=7) for rate in (10, 10, 10)]
    found = compare(own, dict(slow=slow, fast=fast))
    assert (found['rival'], found['ratio'], found['spread']) == ('fast', 3.0, [2.0, 4.0])
    assert (found['images_per_s'], found['rival_peak_memory_mb']) == (30, 7)


def test_legs_change_places_from_pair_to_pair():
    asked = []

    class Leg:
        def __init__(self, name: str) -> None:
            self.name = name

        def wait(self) -> None:
            pass

        def measure(self, warmup: int, steps: int) -> dict:
            asked.append((self.name, warmup, steps))
            return dict(place=len(asked))

    first, second = measure_in_turn([Leg('a'), Leg('b')], 3, 5, 20)
    assert asked == [('a', 10, 20), ('b', 10, 20), ('b', 5, 20), ('a', 5, 20), ('a', 5, 20), ('b', 5, 20)]
    assert [one['place'] for one in first] == [1, 4, 5] and [one['place'] for one in second] == [2, 3, 6]


def test_a_leg_that_fails_tells_why(tmp_path):
    options = dict(data=str(tmp_path / 'absent.npz'), depth=8, num_classes=10, transforms=[], mean=[0] * 3, std=[1] * 3)
    leg = LegProcess('rival', 'rival', {**options, 'batch_size': 4, 'workers': 0, 'temperature': None}, 1)
    with pytest.raises(UserError, match='absent.npz'):
        leg.wait()
    leg.close()


def test_the_page_and_the_readme_state_the_stored_records():
    stored = ROOT / 'docs' / 'benchmarks'
    pages = [page.read_text() for page in (ROOT / 'docs').glob('*.md')]
    for file in stored.glob('*.json'):
        assert any(markdown(file) in page and f'benchmarks/{file.name}' in page for page in pages), file.name
    ratio = {record['case']: record['ratio'] for record in json.loads((stored / 'cpu_2core.json').read_text())}
    said = f'CE {ratio["rival-ce"]:.1f} times and BKD {ratio["rival-bkd"]:.1f} times as fast'
    assert said in (ROOT / 'README.md').read_text()


def test_a_comparison_of_accuracy_as_markdown(tmp_path):
    def record(seed: int, top1: float) -> dict:
        return dict(seed=seed, precision='fp32', metrics={'accuracy/top1': top1})

    routes = dict(rival=[record(0, 30.0), record(1, 32.0)], mmlt=[record(0, 31.0), record(1, 32.5)])
    about = dict(config='ce/x', epochs=30, device='CPU', versions=dict(torch='2'))
    file = tmp_path / 'found.json'
    file.write_text(json.dumps(dict(about, routes=routes, difference=differences(routes))))
    table = markdown(file).splitlines()
    assert table[2:5] == [
        "| the rival's loop, fp32 | 31.00 ± 1.41 |", '| mmlt, fp32 | 31.75 ± 1.06 |', '| difference | +0.75 |'
    ]  # fmt: skip
    file.write_text('[]')
    with pytest.raises(UserError, match='no finished benchmark'):
        markdown(file)


@pytest.mark.parametrize('case', WITHIN)
def test_the_two_legs_of_a_part_differ_in_that_part_alone(case, tmp_path):
    config = CONFIGS['digits'].format(CASES[case][0])
    (_, _, own), (_, _, rival) = legs_of(case, config, 'bf16', {}, tmp_path)
    ours, theirs = (load_config(leg['config'], leg['overrides']).to_dict() for leg in (own, rival))
    if case == 'bf16':
        assert (own['precision'], rival['precision']) == ('bf16', 'fp32') and ours == theirs
    elif case == 'same':
        assert own['precision'] == rival['precision'] == 'bf16' and ours == theirs
    elif case == 'ecl-ncl':
        assert (ours['model']['type'], theirs['model']['type']) == ('ECLClassifier', 'NCLClassifier')
    else:
        assert own['precision'] == rival['precision'] == 'bf16' and own['config'] == rival['config'] and ours != theirs
    assert rival['precision'] == rival_precision(case, 'bf16')


@pytest.mark.slow
def test_a_short_run_writes_valid_records(tmp_path):
    out, picture = tmp_path / 'records.json', tmp_path / 'bars.png'
    arguments = ['--data', 'digits', '--cases', 'framework', 'rival-bkd', 'bf16', '--pairs', 1, '--steps', 2, '--warmup', 1]
    arguments += ['--threads', 1, '--json', out, '--plot', picture]
    done = call('benchmark', *arguments)
    assert done.code == 0, done.err
    framework, rival, within = json.loads(out.read_text())
    assert (framework['case'], framework['rival']) == ('framework', 'bare PyTorch loop')
    assert set(rival['all_rivals']) == {'torchvision, 0 workers', 'torchvision, 2 workers'}
    assert rival['rival_images_per_s'] == max(rival['all_rivals'].values())
    assert (within['rival'], within['rival_precision']) == ('no autocast', 'fp32')
    for record in (framework, rival, within):
        assert record['ratio'] == pytest.approx(record['images_per_s'] / record['rival_images_per_s'], rel=0.01)
        assert record['peak_memory_mb'] > 50 and record['rival_peak_memory_mb'] > 50
        assert record['data'] == 'digits' and torch.__version__.startswith(record['versions']['torch'])
        if record['outside_share'] is not None:  # a GPU's is not known
            assert 0 < record['outside_share'] < 1
    assert picture.read_bytes().startswith(b'\x89PNG')
