"""What a run writes beside its checkpoints."""

import json

import pytest

from mmlt.engine.hooks import cut_scalars

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
