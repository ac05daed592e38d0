"""A user swaps the backbone: a whole run of two steps and an evaluation, alone and as a student of another network."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmlt.apis.train import train
from mmlt.batch import Batch
from mmlt.datasets import Digits
from mmlt.engine.checkpoint import load_checkpoint
from mmlt.engine.finished import load_classifier
from mmlt.errors import UserError
from mmlt.registry import MODELS

pytestmark = pytest.mark.slow
TINY_VIT = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)
BACKBONES = {
    'resnet18': (dict(type='mmpretrain.ResNet', depth=18), 512),
    'resnet50': (dict(type='mmpretrain.ResNet', depth=50), 2048),
    'convnext': (dict(type='mmpretrain.ConvNeXt', arch='atto'), 320),
    'vit': (
        dict(type='mmpretrain.VisionTransformer', arch=TINY_VIT, img_size=32, patch_size=8, out_type='cls_token'),
        48,
    ),
    'timm_resnet': (dict(type='TimmBackbone', model_name='test_resnet'), 96),
    'timm_vit': (dict(type='TimmBackbone', model_name='test_vit', img_size=32), 64),
    'timm_from_mmpretrain': (dict(type='mmpretrain.TIMMBackbone', model_name='test_resnet'), 96),
}
SIZED = """
data_preprocessor = dict(
    train_transforms=[dict(type='Resize', size=32)],
    test_transforms=[dict(type='Resize', size=32)],
)
train_dataloader = dict(batch_size=171)  # 342 images: two steps
train_cfg = dict(max_epochs=1)
"""


def student(project, base: str, backbone: dict, channels: int, more: str = '') -> str:
    """Write a config that swaps the backbone, and its teacher's."""
    project.write('teacher.py', f"_base_ = ['../mmlt/configs/ce/resnet8_digitslt.py']{SIZED}")
    project.write(
        'swapped.py',
        f"_base_ = ['../mmlt/configs/{base}/resnet8_digitslt.py']{SIZED}\n"
        f'model = dict(backbone={ {**backbone, "_delete_": True}!r}, head=dict(in_channels={channels}))\n'
        f'optim_wrapper = dict(optimizer=dict(lr=0.01))\n{more}',
    )
    return str(project.folder / 'swapped.py')


def check_run(record: dict) -> None:
    """Every weight had a gradient, and the accuracy is that of the stored weights, counted anew."""
    path = f'{record["folder"]}/{record["checkpoint"]["file"]}'
    content = load_checkpoint(path)
    momenta = [state['momentum_buffer'] for state in content['optimizer']['state'].values()]
    model = load_classifier(path).eval()
    own = list(model.parameters())
    assert len(momenta) == len(own)  # the student's alone
    assert all(m.shape == p.shape for m, p in zip(momenta, own, strict=True))
    assert all(m.isfinite().all() and m.abs().max() > 0 for m in momenta)
    assert not any('teacher' in name for name in content['state_dict'])

    images, labels = Digits('test').tensors()
    pixels = F.interpolate(images.double(), (32, 32), mode='bilinear', antialias=True).round()
    with torch.inference_mode():
        features = model.backbone(((pixels / 255 - 0.305) / 0.376).float())[-1]
        if features.dim() == 4:
            features = features.mean((2, 3))
        predicted = (features @ model.head.weight.T + model.head.bias).argmax(1)
    accuracy = 100 * np.mean(predicted.numpy() == labels.numpy())
    assert record['last']['metrics']['accuracy/top1'] == pytest.approx(accuracy, abs=0.41)  # two of 500 on the brink


@pytest.mark.parametrize('name', BACKBONES)
def test_alone(project, monkeypatch, one_thread, name):
    monkeypatch.chdir(project.folder)
    check_run(train(student(project, 'ce', *BACKBONES[name])))


@pytest.mark.parametrize(('name', 'width'), [('resnet50', 0.75), ('resnet50', 1.0), ('vit', 1.0)])
def test_as_experts_on_a_shared_trunk(project, monkeypatch, one_thread, name, width):
    monkeypatch.chdir(project.folder)
    own, channels = BACKBONES[name]
    own = {**own, 'base_channels': 16} if name == 'resnet50' else own
    channels = int(width * (channels // 4 if name == 'resnet50' else channels))
    backbone = dict(type='MultiExpertBackbone', backbone=own, num_experts=3, shared_stages=1, expert_width=width)
    record = train(student(project, 'ce', backbone, channels, "model['type'] = 'MultiExpertClassifier'\n"))
    path = f'{record["folder"]}/{record["checkpoint"]["file"]}'
    content = load_checkpoint(path)
    momenta = [state['momentum_buffer'] for state in content['optimizer']['state'].values()]
    model = load_classifier(path).eval()
    assert len(momenta) == len(list(model.parameters()))
    assert all(m.isfinite().all() and m.abs().max() > 0 for m in momenta)
    images, labels = Digits('test').tensors()
    with torch.inference_mode():
        batch = model.data_preprocessor(Batch(images, labels, labels, labels))
        predicted = model.network(batch.images).logits.mean(1).argmax(1)
    accuracy = 100 * (predicted == labels).float().mean().item()
    assert record['last']['metrics']['accuracy/top1'] == pytest.approx(accuracy, abs=0.41)


@pytest.mark.parametrize('name', ['resnet18', 'convnext', 'vit', 'timm_resnet'])
def test_as_a_student_of_another_network(project, monkeypatch, one_thread, name):
    monkeypatch.chdir(project.folder)
    more = "prerequisites = dict(teacher=dict(config='teacher.py'))\n"
    record = train(student(project, 'bkd', *BACKBONES[name], more))
    assert record['prerequisites']['teacher']['run'].startswith('work_dirs/teacher')
    check_run(record)


def test_the_teacher_of_a_base_is_found_from_elsewhere(project, monkeypatch, one_thread):
    monkeypatch.chdir(project.folder)
    record = train(student(project, 'bkd', *BACKBONES['timm_resnet'], "data_preprocessor = dict(channels_last=True)\n"))
    assert record['prerequisites']['teacher']['run'].startswith('work_dirs/ce/resnet8_digitslt')


def test_a_head_of_another_width_is_told_the_right_one(project, monkeypatch, one_thread):
    monkeypatch.chdir(project.folder)
    with pytest.raises(UserError, match=r'gives 96 features .* takes 64: set model\.head\.in_channels=96'):
        train(student(project, 'ce', dict(type='TimmBackbone', model_name='test_resnet'), 64))


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='mmpretrain.ResNet', depth=18, init_cfg=dict(type='Pretrained', checkpoint='weights.pth')),
        dict(type='TimmBackbone', model_name='test_resnet', pretrained=True, checkpoint='weights.pth'),
    ],
    ids=['mmpretrain', 'timm'],
)
def test_pretrained_weights_are_where_training_starts(project, monkeypatch, one_thread, backbone):
    monkeypatch.chdir(project.folder)
    plain = {key: value for key, value in backbone.items() if key in ('type', 'depth', 'model_name')}
    donor = MODELS.build(plain)
    own = donor.model if backbone['type'] == 'TimmBackbone' else donor
    weights = {name: torch.randn_like(p) * 0.01 for name, p in own.named_parameters()}
    own.load_state_dict(weights, strict=False)
    torch.save(own.state_dict(), 'weights.pth')
    config = student(project, 'ce', backbone, 512 if 'depth' in backbone else 96)
    record = train(config, overrides={'optim_wrapper.optimizer.lr': 0.0})
    state = load_checkpoint(f'{record["folder"]}/{record["checkpoint"]["file"]}')['state_dict']
    prefix = 'backbone.' + ('model.' if backbone['type'] == 'TimmBackbone' else '')
    assert all(torch.equal(state[prefix + name], value) for name, value in weights.items())


def test_a_file_of_which_no_weight_fits_is_refused(project, monkeypatch, one_thread):
    monkeypatch.chdir(project.folder)
    plain = dict(type='mmpretrain.ResNet', depth=18)
    whole = {f'backbone.{name}': value for name, value in MODELS.build(plain).state_dict().items()}
    torch.save(whole, 'whole.pth')
    begun = dict(plain, init_cfg=dict(type='Pretrained', checkpoint='whole.pth'))
    few = {'train_cfg.max_epochs': 1}
    with pytest.raises(UserError, match=r"init_cfg of model.backbone\) has no weight of this ResNet: set prefix='backbone.'"):
        train(student(project, 'ce', begun, 512), overrides=few)
    begun['init_cfg']['prefix'] = 'backbone.'
    assert train(student(project, 'ce', begun, 512), overrides=few)['finished']
    torch.save(dict(other=torch.zeros(3)), 'other.pth')
    begun['init_cfg'] = dict(type='Pretrained', checkpoint='other.pth')
    with pytest.raises(UserError, match='has no weight of this ResNet: name another file'):
        train(student(project, 'ce', begun, 512), overrides=few, work_dir='other')


class TestTimmBackbone:
    """Messages, and what it gives."""

    def test_features_are_the_models_own(self):
        import timm

        torch.manual_seed(0)
        backbone = MODELS.build(dict(type='TimmBackbone', model_name='test_vit', img_size=32)).eval()
        whole = timm.create_model('test_vit', num_classes=5, img_size=32).eval()
        whole.load_state_dict(backbone.model.state_dict(), strict=False)
        images = torch.rand(2, 3, 32, 32)
        (features,) = backbone(images)
        expected = whole.forward_head(whole.forward_features(images), pre_logits=True)
        torch.testing.assert_close(features, expected)
        assert features.shape == (2, backbone.out_channels)

    @pytest.mark.parametrize(
        ('settings', 'words'),
        [
            (dict(model_name='resnet_18'), "no model 'resnet_18'"),
            (dict(model_name='test_resnet', img_size=32), 'img_size'),
            (dict(model_name='test_resnet', checkpoint='x.pth'), 'pretrained=True'),
        ],
    )
    def test_wrong_settings_say_so(self, settings, words):
        with pytest.raises(UserError, match=words):
            MODELS.build(dict(type='TimmBackbone', **settings))

    def test_missing_weights_say_so(self):
        backbone = MODELS.build(
            dict(type='TimmBackbone', model_name='test_resnet', pretrained=True, checkpoint='missing.pth')
        )
        with pytest.raises(UserError, match='no file missing.pth'):
            backbone.init_weights()

    def test_weights_that_could_run_code_are_refused(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

        torch.save({'weight': Evil()}, tmp_path / 'weights.pth')
        backbone = MODELS.build(
            dict(type='TimmBackbone', model_name='test_resnet', pretrained=True, checkpoint=str(tmp_path / 'weights.pth'))
        )
        with pytest.raises(UserError, match='weights.pth .backbone.checkpoint. gives'):
            backbone.init_weights()
        assert not (tmp_path / 'ran').exists()
