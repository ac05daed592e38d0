"""What docs/extend.md shows works as it stands there: its files, in a folder of the user's, and its commands."""

import json
import re
import shlex
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
DOCS = Path(__file__).resolve().parents[2] / 'docs'
TEXT = (DOCS / 'extend.md').read_text(encoding='utf-8')
FILES = dict(re.findall(r'^```python title="(.+?)"\n(.*?)^```$', TEXT, re.MULTILINE | re.DOTALL))
BASH = re.compile(r'^```bash\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SECTIONS = {
    part.splitlines()[0]: ''.join(BASH.findall(part)).splitlines()
    for part in re.split(r'^## ', TEXT, flags=re.MULTILINE)[1:]
}


@pytest.mark.parametrize('section', [name for name, commands in SECTIONS.items() if commands])
def test_commands_run(project, section):
    for name, text in FILES.items():
        project.write(name, text)
    for command in SECTIONS[section]:
        words = shlex.split(command)
        assert words.pop(0) == 'python'
        out, _ = project.run(*words)
        if 'train.py' not in command:
            continue
        config = Path(words[1]).stem
        (results,) = project.folder.glob(f'work_dirs/{config}@*/seed0/results.json')
        record = json.loads(results.read_text())
        assert record['finished'] and record['epochs'] == 1
        assert record['config'] == config
        assert f'{config}: finished' in out


def test_every_config_is_trained():
    trained = {word for commands in SECTIONS.values() for line in commands for word in shlex.split(line)}
    named = {name for name in FILES if any(f"'{name}'" in text for text in FILES.values())}  # bases and teachers
    configs = {name for name, text in FILES.items() if '_base_' in text}
    assert configs <= trained | named
    assert trained & configs


def test_a_loss_takes_one_short_file_and_one_line():
    assert len(FILES['my_loss.py'].splitlines()) < 40
    assert FILES['my_loss_digits.py'].count('custom_imports') == 1


def test_a_term_takes_one_short_file_for_a_teacher_for_experts_and_for_mixing():
    assert len(FILES['my_term.py'].splitlines()) < 40
    for name in ('digits', 'experts', 'mixup'):
        assert "dict(type='RareLogitMatch'" in FILES[f'my_term_{name}.py']
        assert f'my_term_{name}.py' in ''.join(SECTIONS['A term of your own'])


def test_a_term_with_two_teachers_takes_one_short_file():
    assert len(FILES['surest_teacher.py'].splitlines()) < 40
    assert FILES['two_teachers_digits.py'].count('dict(config=') == 2


@pytest.mark.parametrize('page', ['index.md', 'extend.md'])
def test_links_lead_somewhere(page):
    text = (DOCS / page).read_text(encoding='utf-8')
    anchors = {title.lower().replace(' ', '-') for title in re.findall(r'^#+ (.*)$', text, re.MULTILINE)}
    for link in re.findall(r'\]\((.*?)\)', text):
        if link.startswith('#'):
            assert link[1:] in anchors, link
        elif link != '../README.md':  # written last, from the stored results
            assert (DOCS / link).exists(), link
