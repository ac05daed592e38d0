"""What a run writes beside its checkpoints."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmlt.datasets import Digits
from mmlt.engine.hooks import ProgressHook, cut_scalars
from mmlt.engine.loader import build_loader

CE = Path(__file__).resolve().parents[2] / 'configs/ce/resnet8_digitslt.py'

LINES = [
    dict(step=4, epoch=0, lr=0.1, loss=2.0),
    dict(step=6, epoch=0, lr=0.1, loss=1.5),
    {'step': 6, 'epoch': 1, 'accuracy/top1': 50.0},
    dict(step=8, epoch=1, lr=0.1, loss=1.0),
]


@pytest.mark.parametrize(
    ('step', 'evaluated', 'kept'), [(0, False, 0), (5, False, 1), (6, False, 2), (6, True, 3), (7, False, 3), (9, True, 4)]
)
def test_scalars_after_the_step_that_a_run_goes_on_from_are_dropped(step, evaluated, kept, tmp_path):
    path = tmp_path / 'scalars.jsonl'
    cut_scalars(path, step, evaluated)
    assert not path.exists()
    path.write_text(''.join(json.dumps(line) + '\n' for line in LINES) + '{"step": 9, "lo')
    cut_scalars(path, step, evaluated)
    assert [json.loads(line) for line in path.read_text().splitlines()] == LINES[:kept]


def test_a_record_counts_the_images_that_were_drawn(call):
    options = ['train_dataloader.sampler.num_samples=10', 'train_dataloader.batch_size=4', 'train_cfg.max_epochs=3']
    done = call('train', CE, '--work-dir', 'run', '--cfg-options', *options)
    assert done.code == 0, done.out + done.err
    record = json.loads(Path('run/results.json').read_text())
    seconds, rate = record['wall_seconds'], record['images_per_s']
    assert record['data']['num_images'] > 300, 'so many would be counted by the data set'
    assert (rate - 0.05) * (seconds - 0.05) <= 30 <= (rate + 0.05) * (seconds + 0.05)


@pytest.mark.parametrize('world_size', [1, 2])
def test_the_line_of_a_run_counts_the_images_of_all_ranks(monkeypatch, world_size):
    sampler = dict(type='ShuffleSampler', num_samples=100)
    loader = build_loader(dict(dataset=Digits('train'), batch_size=8, sampler=sampler), training=True)
    loader.world_size = world_size
    runner = SimpleNamespace(
        train_loop=SimpleNamespace(dataloader=loader), optim_wrapper=SimpleNamespace(get_lr=lambda: dict(lr=[0.1]))
    )
    course = SimpleNamespace(watch=SimpleNamespace(fetch=lambda steps: dict(loss=1.0)))
    monkeypatch.setattr('mmlt.engine.hooks.course_of', lambda runner: course)
    monkeypatch.setattr('time.perf_counter', lambda: 12.0)
    hook = ProgressHook()
    monkeypatch.setattr(hook, '_write', lambda *what: None)
    hook._since, hook._since_iter = 10.0, 2
    hook._log(runner, 5)
    assert hook._rate == 3 * 8 * world_size / 2
    hook._since, hook._since_iter = 10.0, 0
    hook._log(runner, 2 * len(loader))  # two epochs, whose last steps are short
    assert hook._rate == 2 * 100 / 2
