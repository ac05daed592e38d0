"""What docs/labels.md shows works as it stands there: each file with its config gives the classes and counts under it."""

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from mmlt.datasets.mmpretrain_dataset import build_dataset

TEXT = (Path(__file__).resolve().parents[2] / 'docs/labels.md').read_text(encoding='utf-8')
BLOCKS = re.findall(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', TEXT, re.MULTILINE | re.DOTALL)
FILES = {title: text for _, title, text in BLOCKS if title}
SHOWN = [
    (config, said.strip())
    for (kind, title, config), (_, named, said) in zip(BLOCKS[:-1], BLOCKS[1:], strict=True)
    if kind == 'python' and not title and not named
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The photos and files of the page."""
    root = tmp_path_factory.mktemp('labels')
    for number, path in enumerate(FILES['photos'].split()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (12, 9), (40 * number, 90, 10)).save(root / path)
    for name, text in FILES.items():
        if name not in ('photos', 'own_photos.py'):
            (root / name).write_text(text, encoding='utf-8')
    return root


def test_every_example_has_its_result():
    configs = [title for kind, title, text in BLOCKS if kind == 'python']
    assert len(SHOWN) == configs.count('') and len(SHOWN) > 10
    assert all(f"'{name}'" in TEXT or name in ('photos', 'own_photos.py') for name in FILES)


@pytest.mark.parametrize('number', range(len(SHOWN)))
def test_an_example_gives_what_stands_under_it(number, folder, monkeypatch):
    config, said = SHOWN[number]
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(config, names)
    data = build_dataset(names['dataset'])
    assert ', '.join(f'{name} {count}' for name, count in zip(data.classes, data.class_counts, strict=True)) == said
    if hasattr(data, 'problems'):
        assert data.problems() == []
        data[0]


@pytest.mark.slow
def test_the_whole_config_is_trained(folder, project):
    (project.folder / 'photos').symlink_to(folder / 'photos')
    project.write('own_photos.py', FILES['own_photos.py'])
    (command,) = [text for kind, _, text in BLOCKS if kind == 'bash']
    words = shlex.split(command)
    assert words.pop(0) == 'python'
    out, _ = project.run(*words)
    (results,) = project.folder.glob('work_dirs/own_photos@*/seed0/results.json')
    record = json.loads(results.read_text())
    assert record['finished'] and record['best']['selected_on'] == 'holdout'
    assert record['data']['holdout'] == dict(part='train', fraction=0.3, seed=0) and record['data']['num_images'] == 4
    assert 'training set: 4 of 6 images: without the part set aside' in out
    assert 'test set: 2 of 6 images: the part set aside' in out
