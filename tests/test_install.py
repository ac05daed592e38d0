"""An installed mmlt, away from the repository: what the wheel holds, and that it works from another folder."""

import email
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_WHEEL_BYTES = 8 * 2**20
ALLOWED_SUFFIXES = {'.py', '.md', '.json', '.npz', '.csv', '.txt'}

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command, fail with its output when it fails, and give its standard output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_source(folder: Path) -> None:
    """The files that a clone would have: setuptools writes build/ beside setup.py."""
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md'):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for package in ('mmlt', 'configs'):
        for path in (ROOT / package).rglob('*'):
            if path.is_file() and '__pycache__' not in path.parts:
                copy = folder / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    # A user's leftovers, which must not travel.
    (folder / 'configs' / 'stray.pth').write_bytes(b'weights')
    (folder / 'mmlt' / 'stray.pth').write_bytes(b'weights')


@pytest.fixture(scope='module')
def source(once) -> Path:
    return once('source', copy_source)


@pytest.fixture(scope='module')
def wheel(source: Path, once) -> Path:
    def build(folder: Path) -> None:
        options = ('--no-deps', '--no-build-isolation', '--no-index', '--wheel-dir', folder)
        run(sys.executable, '-m', 'pip', 'wheel', *options, source, cwd=folder)

    (built,) = once('wheel', build).glob('mmlt-*.whl')
    return built


@pytest.fixture(scope='module')
def site(wheel: Path, once) -> Path:
    """The folder that mmlt is installed into."""

    def install(folder: Path) -> None:
        options = ('--no-deps', '--no-index', '--target', folder)
        run(sys.executable, '-m', 'pip', 'install', *options, wheel, cwd=folder)

    return once('site', install)


@pytest.fixture(scope='module')
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_carries_every_module_and_config(source: Path, names: set[str]) -> None:
    modules = {path.relative_to(source).as_posix() for path in (source / 'mmlt').rglob('*.py')}
    configs = {
        'mmlt/' + path.relative_to(source).as_posix()
        for pattern in ('*.py', 'README.md', 'results/*.json')
        for path in (source / 'configs').rglob(pattern)
    }
    assert 'mmlt/configs/bkd/resnet8_digitslt.py' in configs
    assert modules | configs <= names


def test_wheel_carries_the_data_files_of_the_package(source: Path, names: set[str]) -> None:
    data = {
        path.relative_to(source).as_posix()
        for path in (source / 'mmlt').rglob('*')
        if path.is_file() and path.suffix not in {'.py', '.pyc', '.pth'}
    }
    assert data <= names


def test_wheel_holds_nothing_foreign(wheel: Path, names: set[str]) -> None:
    files = [Path(name) for name in names if '.dist-info/' not in name]
    assert {path.parts[0] for path in files} == {'mmlt'}
    assert {path.suffix for path in files} <= ALLOWED_SUFFIXES
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_wheel_metadata(wheel: Path, names: set[str]) -> None:
    import mmlt

    (folder,) = {name.split('/')[0] for name in names if '.dist-info/' in name}
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f'{folder}/METADATA'))
        scripts = archive.read(f'{folder}/entry_points.txt').decode()
    assert metadata['Version'] == mmlt.__version__
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert any(name.endswith('/LICENSE') for name in names)
    assert 'mmlt-train = mmlt.apis.main:train' in scripts
    assert 'mmlt-test = mmlt.apis.main:test' in scripts


def test_installed_package_is_used_from_another_folder(site: Path, tmp_path: Path) -> None:
    probe = (
        'from pathlib import Path; import mmlt, mmlt.priors; from mmengine.config import Config\n'
        'folder = Path(mmlt.__file__).parent\n'
        "config = Config.fromfile(folder / 'configs' / 'bkd' / 'resnet8_digitslt.py')\n"
        "print(folder); print(config.model['type'])"
    )
    folder, model = run(sys.executable, '-c', probe, cwd=tmp_path, PYTHONPATH=str(site)).splitlines()[-2:]
    assert Path(folder).resolve() == (site / 'mmlt').resolve()
    assert model == 'BKDClassifier'


def test_installed_package_trains_from_another_folder(site: Path, tmp_path: Path) -> None:
    options = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.dataset.imbalance_ratio=100']
    run(sys.executable, '-m', 'mmlt.apis.main', 'train', 'configs/ce/resnet8_digitslt.py', *options,
        cwd=tmp_path, PYTHONPATH=str(site))  # fmt: skip
    (results,) = tmp_path.glob('work_dirs/ce/resnet8_digitslt@*/seed0/results.json')
    assert json.loads(results.read_text())['finished']
