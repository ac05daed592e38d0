"""What docs/from_mmpretrain.md shows works, or is refused, as it stands there: each file, command and line of its tables."""

import contextlib
import glob
import json
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
from commands import call, isolated

from mmlt.apis.train import train
from mmlt.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'docs' / 'from_mmpretrain.md').read_text(encoding='utf-8')
FILES = dict(re.findall(r'^```python title="(.+?)"\n(.*?)^```$', TEXT, re.MULTILINE | re.DOTALL))
SECTIONS = {part.splitlines()[0]: part for part in re.split(r'^## ', TEXT, flags=re.MULTILINE)[1:]}
COMMANDS = {
    name: ''.join(re.findall(r'^```bash\n(.*?)^```$', part, re.MULTILINE | re.DOTALL)).splitlines()
    for name, part in SECTIONS.items()
}
ROW = re.compile(r'^\| `(\w+ = .*?)` \| ?(.*) ?\|$', re.MULTILINE)
WORKING = ROW.findall(SECTIONS['What works as it stands'])
REFUSED = ROW.findall(SECTIONS['What is refused, and what to write'])
BASE = f"_base_ = ['{ROOT}/configs/ce/resnet8_digitslt.py']\n"


@pytest.fixture
def folder(tmp_path, monkeypatch, one_thread) -> Path:
    """The user's folder beside the clone, with the files of the page."""
    (tmp_path / 'mmlt').symlink_to(ROOT)
    own = tmp_path / 'my_project'
    own.mkdir()
    for name, text in FILES.items():
        (own / name).write_text(text, encoding='utf-8')
    monkeypatch.chdir(own)
    return own


def run(command: str) -> str:
    """What a command prints; it must succeed."""
    words = [found for word in shlex.split(command) for found in (sorted(glob.glob(word)) or [word])]
    if words[0] == 'cp':
        shutil.copy(*words[1:])
        return ''
    assert words.pop(0) == 'python'
    if words[0].startswith('../mmlt/tools/'):
        done = call(Path(words[0]).name, *words[1:])
        assert done.code == 0, done
        return done.out
    with isolated(), contextlib.redirect_stdout(sys.stderr):
        runpy.run_path(words[0], run_name='__main__')
    return ''


@pytest.mark.slow
@pytest.mark.parametrize('section', [name for name, commands in COMMANDS.items() if commands])
def test_commands_run(folder, section):
    for command in COMMANDS[section]:
        out = run(command)
        if 'train.py' in command:
            config = Path(shlex.split(command)[2]).stem
            (results,) = folder.glob(f'work_dirs/{config}@*/seed0/results.json')
            record = json.loads(results.read_text())
            assert record['finished'] and record['config'] == config and f'{config}: finished' in out
    if section == 'The runner':
        meta = torch.load('plain/best.pth')['meta']
        done = call('test.py', '../mmlt/configs/ce/resnet8_digitslt.py', 'plain/best.pth', '--out', 'out.json')
        assert done.code == 0, done
        measured = json.loads(Path('out.json').read_text())['metrics']
        assert measured['accuracy/top1'] == pytest.approx(meta['history'][-1]['metrics']['accuracy/top1'])
    if section.startswith('Hooks'):
        record = json.loads(next(folder.glob('work_dirs/hooks@*/seed0/results.json')).read_text())
        assert record['best']['selected_by'] == 'accuracy/mean_class'
        log = next(folder.glob('work_dirs/hooks@*/seed0/mmengine.log')).read_text()
        assert re.search(r'Epoch\(train\) +\[1\]\[5/6\].* loss: \d', log) and 'eta' in log
        assert re.search(r'load_from begin.pth: \d+ tensors taken, 0 not', out)


def test_every_file_is_used():
    commands = [word for lines in COMMANDS.values() for line in lines for word in shlex.split(line)]
    assert set(FILES) - set(commands) == {'pure.py'}
    assert len(WORKING) >= 10 and len(REFUSED) >= 25


def together(lines: list[str]) -> list[list[str]]:
    """The lines sorted into as few configs as can hold them: each key once in a config."""
    configs: list[dict[str, str]] = []
    for line in lines:
        key = line.partition(' ')[0]
        free = next((config for config in configs if key not in config), None)
        if free is None:
            configs.append(free := {})
        free[key] = line
    return [list(config.values()) for config in configs]


@pytest.mark.slow
@pytest.mark.parametrize('lines', together([line for line, _ in WORKING]))
def test_lines_that_work(folder, lines):
    (folder / 'own.py').write_text(BASE + '\n'.join(lines))
    with isolated():
        record = train('own.py', overrides={'train_cfg.max_epochs': 1})
    assert record['finished']


@pytest.mark.parametrize(('line', 'instead'), REFUSED, ids=[line.split('=')[0] + str(i) for i, (line, _) in enumerate(REFUSED)])
def test_lines_that_are_refused(folder, line, instead):
    (folder / 'own.py').write_text(BASE + line)
    with isolated(), pytest.raises(UserError) as refusal:
        train('own.py', overrides={'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1} if 'save_best' in line else {})
    assert instead.strip(' `') in str(refusal.value)


def test_pure_python_style_is_refused(folder):
    with pytest.raises(UserError, match=r"read_base.*write _base_ = \['...'\]"):
        train('pure.py')


def test_links_lead_somewhere():
    for link in re.findall(r'\]\((.*?)\)', TEXT):
        assert (ROOT / 'docs' / link).is_file(), link
