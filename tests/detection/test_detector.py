"""Faster R-CNN and Mask R-CNN: losses against torchvision's, what the box classification changes, draws, detections."""

import math

import pytest
import torch
from torchvision.models.detection import FasterRCNN as TorchvisionFasterRCNN
from torchvision.models.detection import MaskRCNN as TorchvisionMaskRCNN
from torchvision.models.detection.image_list import ImageList

from mmlt.detection import DetectionBatch
from mmlt.detection.network import KeyedSampler
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import MODELS

BOX_LOSSES = {
    'softmax': dict(type='SoftmaxBoxLoss'),
    'balanced softmax': dict(type='BalancedSoftmaxBoxLoss'),
    'sigmoid': dict(type='SigmoidBoxLoss'),
    'balanced sigmoid': dict(type='BalancedSigmoidBoxLoss'),
    'EQL': dict(type='EqualizationBoxLoss', threshold=0.1),
    'seesaw': dict(type='SeesawBoxLoss'),
}


def losses_of(model, batch):
    model.train()
    return model(*model.data_preprocessor(batch, True), mode='loss')


def twin(model, masks: bool):
    """torchvision's own detector with the weights of ours, which has a softmax and one box a class."""
    heads = model.roi_heads
    options = dict(
        rpn_anchor_generator=model.rpn.anchor_generator,
        rpn_batch_size_per_image=32,
        rpn_post_nms_top_n_train=40,
        box_batch_size_per_image=16,
        box_score_thresh=1e-4,
        box_roi_pool=heads.box_roi_pool,
        box_head=heads.box_head,
        box_predictor=Predictor(heads.box_predictor),
    )
    if masks:
        options.update(mask_roi_pool=heads.mask_roi_pool, mask_head=heads.mask_head, mask_predictor=heads.mask_predictor)
    other = (TorchvisionMaskRCNN if masks else TorchvisionFasterRCNN)(model.backbone, **options)
    other.rpn.head = model.rpn.head
    other.rpn.fg_bg_sampler, other.roi_heads.fg_bg_sampler = model.rpn.fg_bg_sampler, heads.fg_bg_sampler
    return other


class Predictor(torch.nn.Module):
    """torchvision regresses a box for the background too."""

    def __init__(self, ours) -> None:
        super().__init__()
        self.ours = ours

    def forward(self, features):
        logits, deltas = self.ours(features)
        return logits, torch.cat([torch.zeros_like(deltas[:, :4]), deltas], dim=1)


@pytest.mark.parametrize('kind', ['FasterRCNN', 'MaskRCNN'])
def test_with_a_softmax_losses_and_detections_are_torchvisions(kind, build_detector, batch):
    model = build_detector(kind, BOX_LOSSES['softmax'])
    losses = losses_of(model, batch)
    other = twin(model, kind == 'MaskRCNN')
    images, targets, _, keys, sizes, original = model.data_preprocessor(batch, True)
    targets = [{**target, 'labels': target['labels'] + 1} for target in targets]
    features = model.backbone(images)
    proposals, theirs = other.rpn(ImageList(images, list(sizes)), features, targets)
    theirs.update(other.roi_heads(features, proposals, list(sizes), targets)[1])
    theirs['loss_cls'] = theirs.pop('loss_classifier')
    assert losses.keys() == theirs.keys()
    for name, value in losses.items():
        assert value.item() == pytest.approx(theirs[name].item(), rel=1e-6), name

    model.eval()
    other.eval()
    with torch.no_grad():
        records = model(*model.data_preprocessor(batch, False), mode='predict')
        proposals, _ = other.rpn(ImageList(images, list(sizes)), features)
        found, _ = other.roi_heads(features, proposals, list(sizes))
        found = other.transform.postprocess(found, list(sizes), list(original))
    assert [record['index'] for record in records] == [4, 9]
    for record, one in zip(records, found, strict=True):
        assert len(one['boxes']) > 3
        torch.testing.assert_close(record['boxes'], one['boxes'])
        torch.testing.assert_close(record['scores'], one['scores'])
        assert torch.equal(record['labels'], one['labels'] - 1)
        if kind == 'MaskRCNN':
            assert torch.equal(record['masks'], one['masks'][:, 0] > 0.5)


@pytest.mark.parametrize('kind', ['FasterRCNN', 'MaskRCNN'])
@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('name', BOX_LOSSES)
def test_every_box_classification_trains_every_weight_and_detects(name, agnostic, kind, build_detector, batch):
    model = build_detector(kind, BOX_LOSSES[name], agnostic=agnostic)
    losses = losses_of(model, batch)
    assert ('loss_mask' in losses) == (kind == 'MaskRCNN')
    sum(losses.values()).backward()
    still = {name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()}
    assert not still
    model.eval()
    with torch.no_grad():
        records = model(*model.data_preprocessor(batch, False), mode='predict')
    for record, image in zip(records, batch.images, strict=True):
        assert len(record['scores']) > 3
        assert (record['scores'].diff() <= 0).all() and record['scores'].min() >= 0 and record['scores'].max() <= 1
        assert ((record['labels'] >= 0) & (record['labels'] < 5)).all()
        if kind == 'MaskRCNN':
            assert record['masks'].shape == (len(record['boxes']), *image.shape[1:])


def test_classifiers_begin_at_their_prior(build_detector):
    for name, bias in (('sigmoid', -math.log(999)), ('balanced sigmoid', -math.log(999)), ('softmax', 0.0)):
        layer = build_detector(box_loss=BOX_LOSSES[name]).classifier
        assert layer.bias.tolist() == pytest.approx([bias] * len(layer.bias)), name
    assert build_detector().classifier.bias[0].sigmoid().item() == pytest.approx(0.001)


def test_balanced_losses_take_the_counts_of_the_training_images(build_detector, batch):
    plain, balanced = (build_detector(box_loss=BOX_LOSSES[name]) for name in ('sigmoid', 'balanced sigmoid'))
    assert losses_of(plain, batch)['loss_cls'] != losses_of(balanced, batch)['loss_cls']
    balanced.set_class_counts([30] * 5)  # in half of the 60 images
    assert losses_of(plain, batch)['loss_cls'] == losses_of(balanced, batch)['loss_cls']
    plain, balanced = (build_detector(box_loss=BOX_LOSSES[name]) for name in ('softmax', 'balanced softmax'))
    assert losses_of(plain, batch)['loss_cls'] != losses_of(balanced, batch)['loss_cls']
    balanced.set_class_counts([7] * 5)
    assert losses_of(plain, batch)['loss_cls'] == losses_of(balanced, batch)['loss_cls']


def test_seesaw_counts_the_proposals_it_meets(build_detector, batch):
    model = build_detector(box_loss=BOX_LOSSES['seesaw'])
    losses_of(model, batch)
    first = model.roi_heads.box_loss.seen.clone()
    assert first.sum() > 5 and (first > 0).all(), 'the objects themselves are proposals'
    losses_of(model, batch)
    assert torch.equal(model.roi_heads.box_loss.seen, 2 * first)


@pytest.mark.parametrize('name', BOX_LOSSES)
def test_bfloat16_is_close_to_float32(name, build_detector, batch):
    model = build_detector('MaskRCNN', BOX_LOSSES[name])
    full = losses_of(model, batch)
    model = build_detector('MaskRCNN', BOX_LOSSES[name])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = losses_of(model, batch)
        sum(half.values()).backward()
        model.eval()
        records = model(*model.data_preprocessor(batch, False), mode='predict')
    assert all(value.dtype == torch.float32 for value in half.values())
    # Proposals near a threshold change sides, so only the sum of the classification is held close.
    torch.testing.assert_close(half['loss_cls'], full['loss_cls'], rtol=0.05, atol=0.02)
    assert all(record['scores'].dtype == record['boxes'].dtype == torch.float32 for record in records)


# ------------------------------------------------------------------ draws
def test_which_proposals_are_trained_on_depends_on_seed_and_key_alone(build_detector, batch):
    model = build_detector()
    losses = losses_of(model, batch)
    torch.manual_seed(123)
    torch.rand(7)
    assert losses == losses_of(model, batch)
    assert losses != losses_of(model, batch._replace(keys=batch.keys + 1))
    model.data_preprocessor.seed += 1
    assert losses != losses_of(model, batch)


def test_the_sampler_takes_objects_and_background_as_torchvisions_does():
    labels = [torch.tensor([1] * 40 + [0] * 100 + [-1] * 20), torch.tensor([3] * 2 + [0] * 100), torch.zeros(5)]
    sampler = KeyedSampler(16, 0.25, position=0)
    drawn = []
    for seed in range(300):
        sampler.draw = Draw(seed, torch.arange(3))
        positive, negative = sampler(labels)
        assert [int(one.sum()) for one in positive] == [4, 2, 0]
        assert [int(one.sum()) for one in negative] == [12, 14, 5]
        for one, other, label in zip(positive, negative, labels, strict=True):
            assert (label[one.bool()] > 0).all() and (label[other.bool()] == 0).all()
        drawn.append(positive[0])
    share = torch.stack(drawn).double().mean(dim=0)[:40]
    assert share.mean().item() == pytest.approx(0.1) and (share - 0.1).abs().max() < 0.07  # four standard errors


def test_an_image_alone_is_sampled_as_in_a_batch():
    labels = [torch.arange(50) % 3 - 1, torch.arange(80) % 4 - 1]
    sampler = KeyedSampler(10, 0.5, position=1)
    sampler.draw = Draw(1, torch.tensor([8, 9]))
    together = sampler(labels)
    for place in range(2):
        sampler.draw = Draw(1, torch.tensor([8 + place]))
        alone = sampler([labels[place]])
        assert all(torch.equal(a[0], b[place]) for a, b in zip(alone, together, strict=True))


# ------------------------------------------------------------------ preprocessor
def test_images_are_resized_by_their_own_draw_and_boxes_and_masks_follow(batch):
    options = dict(type='DetectionPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3, divisor=8)
    preprocessor = MODELS.build(dict(options, short_sides=[32, 64, 72], longest_side=90))
    seen = set()
    for key in range(40):
        out = preprocessor(batch._replace(keys=torch.tensor([key, key + 1000])), training=True)
        assert out.original_sizes == ((40, 48), (48, 36)) and out.images.shape[2] % 8 == out.images.shape[3] % 8 == 0
        for place, ((height, width), target, before) in enumerate(
            zip(out.image_sizes, out.targets, batch.targets, strict=True)
        ):
            assert max(height, width) <= 90 and target['masks'].shape[1:] == (height, width)
            seen.add((place, height, width))
            old = out.original_sizes[place]
            torch.testing.assert_close(
                target['boxes'], before['boxes'] * torch.tensor([width / old[1], height / old[0]] * 2)
            )
            rows, columns = target['masks'][0].nonzero(as_tuple=True)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert (torch.stack(edges) - target['boxes'][0]).abs().max() <= 1.01
            assert (out.images[place, :, height:] == 0).all() and (out.images[place, :, :, width:] == 0).all()
    assert {(h, w) for place, h, w in seen if place == 0} == {(32, 38), (64, 77), (72, 86)}
    still = preprocessor(batch, training=False)
    assert still.image_sizes == ((72, 86), (90, 68)), 'the last length, and no side beyond the longest'


def test_images_that_keep_their_size_are_normalised_alone(batch):
    preprocessor = MODELS.build(dict(type='DetectionPreprocessor', mean=(0.2, 0.3, 0.4), std=(0.5, 0.25, 0.125)))
    out = preprocessor(batch)
    expected = (batch.images[1].float() / 255 - torch.tensor([0.2, 0.3, 0.4])[:, None, None]) / torch.tensor(
        [0.5, 0.25, 0.125]
    )[:, None, None]
    torch.testing.assert_close(out.images[1, :, :48, :36], expected)


# ------------------------------------------------------------------ the second stage
def test_the_second_stage_trains_the_box_classifier_alone(build_detector, batch):
    first = build_detector('MaskRCNN', seed=1)
    second = build_detector('MaskRCNN', BOX_LOSSES['balanced sigmoid'], seed=2, trained='box_classifier')
    second.attach('init', [first])
    given = {name: value.clone() for name, value in first.state_dict().items()}
    assert all(torch.equal(value, given[name]) for name, value in second.state_dict().items())
    assert second.is_init, 'nothing initialises it again'
    losses = losses_of(second, batch)
    assert losses.keys() == {'loss_cls'}
    optimizer = torch.optim.SGD((value for value in second.parameters() if value.requires_grad), lr=0.1)
    losses['loss_cls'].backward()
    optimizer.step()
    changed = {name for name, value in second.state_dict().items() if not torch.equal(value, given[name])}
    assert changed == {'roi_heads.box_predictor.cls_score.weight', 'roi_heads.box_predictor.cls_score.bias'}


def test_a_classifier_of_another_shape_begins_anew(build_detector):
    first = build_detector(seed=1)
    second = build_detector(box_loss=BOX_LOSSES['seesaw'], seed=2, trained='box_classifier')
    own = second.classifier.weight.clone()
    second.attach('init', [first])
    assert torch.equal(second.classifier.weight, own)
    assert torch.equal(second.roi_heads.box_head.fc6.weight, first.roi_heads.box_head.fc6.weight)


# ------------------------------------------------------------------ wrong input
def test_wrong_settings_are_named(build_detector, batch):
    with pytest.raises(UserError, match="'box_score_tresh', which is none of .*box_score_thresh"):
        build_detector(settings=dict(box_score_tresh=0.1))
    with pytest.raises(UserError, match='anchor_sizes has 2 entries, but SmallConvNet has 1 feature maps'):
        build_detector(anchor_sizes=[[8], [16]])
    with pytest.raises(UserError, match='num_classes must be a whole number of at least 1, got 0'):
        build_detector(num_classes=0)
    with pytest.raises(UserError, match="one of all, box_classifier, not 'head'"):
        build_detector(trained='head')
    with pytest.raises(UserError, match='set model.num_classes=3'):
        build_detector().set_class_counts([1, 2, 3])
    model = build_detector('MaskRCNN')
    bare = [{name: part for name, part in target.items() if name != 'masks'} for target in batch.targets]
    with pytest.raises(UserError, match='set masks=True'):
        losses_of(model, batch._replace(targets=bare))


@pytest.mark.parametrize('kind', ['FasterRCNN', 'MaskRCNN'])
@pytest.mark.parametrize('name', BOX_LOSSES)
def test_images_without_an_object_train(name, kind, build_detector, batch):
    empty = [{part: value[:0] for part, value in target.items()} for target in batch.targets]
    model = build_detector(kind, BOX_LOSSES[name])
    losses = losses_of(model, DetectionBatch(batch.images, empty, batch.indices, batch.keys))
    sum(losses.values()).backward()
    assert all(math.isfinite(value) for value in losses.values())


@pytest.mark.parametrize(
    ('backbone', 'sizes'),
    [
        (dict(type='ResNetFPN', depth=18), [[16], [32], [64], [128], [256]]),
        (dict(type='MobileNetV3FPN'), [[16], [32], [64]]),
    ],
)
def test_networks_with_a_pyramid_train(backbone, sizes, build_detector, batch):
    model = build_detector('MaskRCNN', backbone=backbone, anchor_sizes=sizes)
    sum(losses_of(model, batch).values()).backward()
    frozen = {name for name, value in model.named_parameters() if value.grad is None}
    assert frozen == {name for name, value in model.named_parameters() if not value.requires_grad} and frozen
    assert all('backbone.network.body' in name for name in frozen)


def test_pretrained_weights_begin_the_body_and_wrong_ones_are_named(tmp_path, build_detector):
    from torchvision.models import resnet18

    torch.manual_seed(5)
    whole = resnet18()
    torch.save(whole.state_dict(), tmp_path / 'resnet18.pth')
    sizes = [[16], [32], [64], [128], [256]]

    def build(path):
        backbone = dict(type='ResNetFPN', depth=18, checkpoint_path=str(path))
        return build_detector(backbone=backbone, anchor_sizes=sizes)

    model = build(tmp_path / 'resnet18.pth')
    model.backbone.init_weights()
    assert torch.equal(model.backbone.network.body.layer3[0].conv1.weight, whole.layer3[0].conv1.weight)
    with pytest.raises(UserError, match='there is no file .*none.pth'):
        build(tmp_path / 'none.pth').backbone.init_weights()
    torch.save({'conv1.weight': torch.zeros(3)}, tmp_path / 'wrong.pth')
    with pytest.raises(UserError, match='gives ResNetFPN no weights .*name another file'):
        build(tmp_path / 'wrong.pth').backbone.init_weights()
