"""Every kind of classifier is exported, and computes what it did."""

from pathlib import Path

import pytest

from mmlt.apis.export import export
from mmlt.config.load import load_config
from mmlt.engine.checkpoint import save_checkpoint
from mmlt.plain import plain
from mmlt.registry import MODELS

pytestmark = pytest.mark.slow
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
# One config of each kind; plain networks with a linear head are exported in test_use_tools.py.
KINDS = {'ldam': 'onnx', 'ride': 'onnx', 'ecl': 'torch.export', 'crt': 'onnx', 'lws': 'onnx'}


def built(config):
    cfg = load_config(config)
    model = MODELS.build(cfg.model)
    model.set_class_counts(range(10, 20))
    return model, plain(cfg.model.to_dict())


def kind_of(model):
    """What makes the graph of one classifier another than that of the next."""
    head = model.head
    return type(model).network, type(head), type(getattr(head, 'heads', [head])[0])


@pytest.mark.parametrize('method', KINDS)
def test_untrained_models_of_every_kind(method, tmp_path):
    model, cfg = built(CONFIGS / method / 'resnet8_digitslt.py')
    if hasattr(model, 'scale'):
        model.scale.data.uniform_(0.5, 1.5)
    meta = dict(model=cfg, class_counts=list(range(10, 20)), classes=list('abcdefghij'), task='single_label',
                test_view=dict(height=8, width=8, resize=None, max_value=None))  # fmt: skip
    save_checkpoint(tmp_path / 'model.pth', dict(state_dict=dict(model.state_dict()), meta=meta))
    done = export(tmp_path / 'model.pth', tmp_path / 'out', KINDS[method], resize=False)
    assert done['difference']['probability'] < 1e-5 and done['difference']['logit'] < 1e-4
    assert done['difference']['scaled'] < 1e-5 and done['path'].is_file()


def test_no_method_is_of_another_kind():
    known = {kind_of(built(CONFIGS / method / 'resnet8_digitslt.py')[0]) for method in (*KINDS, 'ce')}
    for config in sorted(CONFIGS.glob('*/resnet8_digitslt.py')):
        assert kind_of(built(config)[0]) in known, config
