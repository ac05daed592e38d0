"""What docs/python.md and the README show works as it stands there."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmlt.datasets import Digits, samplers
from mmlt.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def blocks_of(page):
    return re.findall(r'^```python\n(.*?)^```$', (ROOT / page).read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL)


BLOCKS = blocks_of('docs/python.md')


def execute(block, folder, monkeypatch):
    monkeypatch.chdir(folder)
    out, names = io.StringIO(), {}
    with contextlib.redirect_stdout(out):
        exec(compile(block, 'docs/python.md', 'exec'), names)
    return out.getvalue(), names


def test_a_run_a_test_and_a_prediction(tmp_path, monkeypatch):
    (tmp_path / 'photos').mkdir()
    Image.fromarray(Digits('test').images[0]).save(tmp_path / 'photos' / 'eight.png')
    out, names = execute(BLOCKS[0], tmp_path, monkeypatch)
    assert f'few {names["run"].metrics["accuracy/few"]:.2f}' in out and 'photos/eight.png' in out
    assert names['result'].metrics['accuracy/few'] == names['run'].metrics['accuracy/few']
    assert names['run'].checkpoint.is_file() and (names['run'].folder / 'report.html').is_file()


def test_a_plain_loop(tmp_path, monkeypatch):
    out, names = execute(BLOCKS[1], tmp_path, monkeypatch)
    assert names['metrics']['accuracy/mean_class'] > 60 and len(out.split()) == 3


def test_the_readme_shows_the_same():
    assert blocks_of('README.md') == BLOCKS and len(BLOCKS) == 2


@pytest.mark.parametrize('name', ['ClassBalancedSampler', 'ClassAwareSampler', 'PowerSampler', 'ProgressiveSampler',
                                  'ReversedSampler', 'RepeatFactorSampler', 'ShuffleSampler'])  # fmt: skip
def test_a_sampler_of_labels_is_that_of_the_data_set(name):
    data = Digits('train')
    more = {'ProgressiveSampler': dict(num_epochs=3), 'RepeatFactorSampler': dict(threshold=0.2)}.get(name, {})
    made = [getattr(samplers, name)(given, seed=1, **more) for given in (data, data.labels, data.labels.tolist())]
    orders = [list(sampler) for sampler in made]
    assert orders[0] == orders[1] == orders[2]
    made[1].set_epoch(2)
    assert list(made[1]) != orders[1]


@pytest.mark.parametrize('labels', [[], [0.5, 1.0], [-1, 2], np.zeros((2, 2, 2), dtype=int), ['a', 'b']])
def test_other_labels_are_refused(labels):
    with pytest.raises(UserError, match='whole numbers from 0'):
        samplers.ShuffleSampler(labels)
