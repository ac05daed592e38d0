"""Where pretrained weights of timm's models come from: a file, a package, or the hub, which must never keep a run waiting."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_world_size, is_main_process

from mmlt.errors import UserError, reason
from mmlt.files import sha256_of
from mmlt.models.packaged import PACKAGES, Package

CONTACT = 15.0  # seconds for the first answer of a hub; a download that then stalls ends by the hub's own limits
TIMM = ('TimmBackbone', 'TunedViT')  # the backbones that are timm's
SAFE_FILES = {'pytorch_model.bin': 'model.safetensors', 'open_clip_pytorch_model.bin': 'open_clip_model.safetensors'}


@dataclass(frozen=True)
class Weights:
    """Where pretrained weights were found.

    Attributes:
        file: on this disk; None where they cannot be had.
        said: one sentence for the user: where from, or why not.
        package: that the file comes with; None for timm's own names.
    """

    file: Path | None
    said: str
    package: Package | None = None


def find_weights(model_name: str, checkpoint: str | None = None) -> Weights:
    """Find a timm model's pretrained weights, once a process; of several ranks one looks, and all agree.

    Args:
        model_name: name in timm, `resnet50` or with a tag `resnet50.a1_in1k`.
        checkpoint: a file to take, whatever timm publishes.

    Returns:
        The file, or a sentence that says why there is none: no network within `CONTACT` seconds, nothing published.

    Raises:
        UserError: there is no file `checkpoint`, or the package's file is not the published one.
    """
    if checkpoint:
        if not Path(checkpoint).is_file():
            raise UserError(f'there is no file {checkpoint} (backbone.checkpoint): correct the path.')
        return Weights(Path(checkpoint), f'pretrained weights of {model_name}: the file {checkpoint}')
    return _agreed(model_name)


@cache
def _agreed(model_name: str) -> Weights:
    if get_world_size() == 1:
        return _look(model_name)
    found: list[Any] = [None]
    if is_main_process():
        try:
            found = [_look(model_name)]
        except UserError as error:
            found = [error]
    broadcast_object_list(found)
    if isinstance(found[0], UserError):
        raise found[0]
    if found[0].file and not found[0].file.is_file():
        raise UserError(f'the pretrained weights {found[0].file} are on the first node alone: put HF_HOME on a shared disk.')
    return found[0]


def _look(model_name: str) -> Weights:
    if found := _in_package(model_name):
        return found
    try:
        file, place = _from_hub(model_name)
    except Exception as error:  # no network, no such file, nothing published: whatever the hub's client raises
        package = PACKAGES.get(model_name.split('.')[0])
        extra = f' (or `{package.install}`)' if package else ''
        return Weights(
            None,
            f'no pretrained weights for {model_name} ({reason(error)}): it starts from random weights; name a file as '
            f'backbone.checkpoint to change that{extra}.',
        )
    return Weights(file, f'pretrained weights of {model_name}: {place}')


def _in_package(model_name: str) -> Weights | None:
    package = PACKAGES.get(model_name.split('.')[0])
    spec = find_spec(package.module) if package else None
    if spec is None:
        return None
    file = Path(spec.submodule_search_locations[0]) / package.file
    if not file.is_file() or sha256_of(file) != package.sha256:
        raise UserError(f'{file} is not the published file of {package.name}: install that package again.')
    return Weights(file, f'pretrained weights of {model_name}: from the package {package.name}', package)


def _from_hub(model_name: str) -> tuple[Path, str]:
    """The file in the hub's cache, fetched if it is not there yet; and what it is called."""
    import timm

    published = timm.get_pretrained_cfg(model_name)
    if published is None or not (published.hf_hub_id or published.url):
        raise FileNotFoundError(f'timm {timm.__version__} publishes none')
    if not published.hf_hub_id:
        return _from_url(published.url), published.url
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

    repo = published.hf_hub_id
    named = published.hf_hub_filename or 'pytorch_model.bin'
    names = [name for name in (SAFE_FILES.get(named), named) if name]
    for name in names:
        if isinstance(known := try_to_load_from_cache(repo, name), str):
            return Path(known), f'{repo} in the cache'

    def ask(name: str) -> Any:
        return get_hf_file_metadata(hf_hub_url(repo, name), timeout=CONTACT)

    name = within(CONTACT, lambda: _first_there(names, ask))
    return Path(hf_hub_download(repo, name)), f'{repo} from the hub'


def _first_there(names: list[str], ask: Callable[[str], Any]) -> str:
    """The first of some files that the hub has."""
    from huggingface_hub.errors import EntryNotFoundError

    for name in names[:-1]:
        try:
            ask(name)
            return name
        except EntryNotFoundError:
            continue
    ask(names[-1])
    return names[-1]


def _from_url(url: str) -> Path:
    """As torch.hub caches it; its own code would wait for a silent server for ever."""
    from mmlt.datasets.download import download

    target = Path(torch.hub.get_dir()) / 'checkpoints' / url.rsplit('/', 1)[-1]
    download(url, target, lambda part: None)
    return target


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What a call gives, if it does so in time; one that hangs (in a name server, say) is left to itself.

    Raises:
        TimeoutError: it took longer.
        Exception: whatever the call raises.
    """
    given: list[Any] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            given.append(call())
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if wrong:
        raise wrong[0]
    if not given:
        raise TimeoutError(f'no answer within {seconds:g} seconds')
    return given[0]


def pretrained_files(node: Any) -> list[Path]:
    """The files that the backbones of timm in a model's config start from, those that can be had."""
    if isinstance(node, (list, tuple)):
        return [file for item in node for file in pretrained_files(item)]
    if not isinstance(node, dict):
        return []
    own = []
    if str(node.get('type')).split('.')[-1] in TIMM and node.get('pretrained'):
        own = [find_weights(node['model_name'], node.get('checkpoint')).file]
    return [file for file in own if file] + [file for item in node.values() for file in pretrained_files(item)]
