"""Faster R-CNN and Mask R-CNN of torchvision as models of mmlt."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.detection.batch import Target
from mmlt.detection.preprocessor import resize_boxes
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.weights import load_agreeing, load_weights
from mmlt.registry import MODELS

# Where the choice of proposals stands among the random numbers of an image.
PROPOSAL_POSITION = 2**18
TRAINED = ('all', 'box_classifier')
PARTS = ('backbone', 'rpn', 'roi_heads')
BOX_LOSS, CLASSIFIER = 'box_loss.', 'box_predictor.cls_score.'  # in the names of weights
COUNTS = ('class_counts', 'num_images')


@MODELS.register_module()
class FasterRCNN(BaseModel):
    """torchvision's Faster R-CNN, its boxes classified as the config says.

    Args:
        backbone: config of a network with feature maps (`ResNetFPN`, `MobileNetV3FPN`, `SmallConvNet`).
        num_classes: K, without the background.
        box_loss: config of the box classification (`SoftmaxBoxLoss`, `BalancedSigmoidBoxLoss`, ...).
        anchor_sizes: sides of the anchors in pixels, a list for each feature map.
        aspect_ratios: height over width of the anchors.
        box_channels: size of a proposal's feature.
        agnostic: regress one box (and one mask) for all classes, in place of one a class.
        roi_size: places on a side that a box is cut into, twice as many for masks.
        sampling_ratio: samples on a side of such a place.
        trained: `all`, or `box_classifier`: the classifier alone, of a finished detector (`prerequisites.init`);
            nothing else changes.
        settings: further keywords of torchvision's `FasterRCNN` by their names (`rpn_...`, `box_...`, `bbox_...`).
        data_preprocessor: config of the preprocessor.

    Attributes:
        class_counts: int64 buffer (K,): training images that hold each class, handed over before the run and kept in every
            checkpoint.
        num_images: int64 buffer (): training images.

    Raises:
        UserError: a value that torchvision does not take.

    Source: Ren et al., Faster R-CNN, NeurIPS 2015.
    """

    corrections: tuple[str, ...] = ()  # of the class prior: what a box loss does to it concerns boxes alone
    masks = False
    mask_channels, mask_layers = 0, 0
    memory_format = torch.contiguous_format

    def __init__(
        self,
        backbone: dict,
        num_classes: int,
        box_loss: dict,
        anchor_sizes: Sequence[Sequence[int]] = ((32,), (64,), (128,), (256,), (512,)),
        aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        box_channels: int = 1024,
        agnostic: bool = False,
        roi_size: int = 7,
        sampling_ratio: int = 2,
        trained: str = 'all',
        settings: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor) if data_preprocessor else None)
        from mmlt.detection.network import build_parts  # takes seconds

        if trained not in TRAINED:
            raise UserError(f'trained of a detector must be one of {", ".join(TRAINED)}, not {trained!r}.')
        self.num_classes = number(self, 'num_classes', num_classes, least=1, whole=True)
        self.trained = trained
        self.backbone = MODELS.build(backbone)
        classification = MODELS.build(box_loss)
        classification.set_num_classes(num_classes)
        self.rpn, self.roi_heads = build_parts(
            self.backbone,
            classification,
            num_classes,
            self.masks,
            anchor_sizes,
            aspect_ratios,
            box_channels,
            self.mask_channels,
            self.mask_layers,
            agnostic,
            roi_size,
            sampling_ratio,
            settings or {},
        )
        self.register_buffer('class_counts', torch.zeros(num_classes, dtype=torch.int64))
        self.register_buffer('num_images', torch.zeros((), dtype=torch.int64))
        if trained == 'box_classifier':
            self.requires_grad_(False)
            self.classifier.requires_grad_(True)

    @property
    def classifier(self) -> nn.Linear:
        """The box classifier's layer."""
        return self.roi_heads.box_predictor.cls_score

    def set_class_counts(self, class_counts: list[int]) -> None:
        """Take over the training images that hold each class.

        Raises:
            UserError: the detector has another number of classes than the data.
        """
        if len(class_counts) != self.num_classes:
            raise UserError(
                f'the detector has {self.num_classes} classes but the training set {len(class_counts)}: '
                f'set model.num_classes={len(class_counts)}.'
            )
        self.class_counts.copy_(torch.as_tensor(class_counts))

    def set_num_images(self, num_images: int) -> None:
        """Take over the number of training images, by which the counts become frequencies."""
        self.num_images.fill_(num_images)

    def refresh_class_counts(self) -> None:
        """Nothing keeps weights of its own."""

    def set_epoch(self, epoch: int) -> None:
        """Nothing has a schedule."""

    def set_length(self, steps: int, batch_size: int, epochs: int) -> None:
        """See `LongTailedClassifier.set_length`: nothing depends on it here."""

    def check_start(self) -> None:
        """See `LongTailedClassifier.check_start`: there is nothing to know."""

    def notices(self) -> list[str]:
        """See `LongTailedClassifier.notices`: there is none."""
        return []

    def kept_state(self) -> dict[str, dict]:
        """See `LongTailedClassifier.kept_state`: parameters and buffers are all."""
        return {}

    def load_kept_state(self, kept: dict[str, dict]) -> None:
        """See `LongTailedClassifier.load_kept_state`."""

    def end_step(self, updated: bool) -> None:
        """Nothing follows the training."""

    def current_names(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A checkpoint's weights by today's names, which are the only ones so far."""
        return state

    def attach(self, role: str, models: Sequence[BaseModel], classes: Sequence = ()) -> None:
        """Take over finished models: there is one role, `init`.

        Raises:
            UserError: another role.
        """
        if role != 'init':
            raise UserError(f'{type(self).__name__} takes no prerequisite called {role!r}, only init: correct the config.')
        self.begin_with(models)

    def begin_with(self, models: Sequence[BaseModel], parts: Sequence[str] = ()) -> None:
        """Begin with the weights of a finished detector; a classifier of another shape begins anew.

        Args:
            models: one detector.
            parts: names of the parts to take, such as `backbone`; none for all.

        Raises:
            UserError: several models, another kind of model, or other parts.
        """
        if len(models) != 1 or not isinstance(models[0], FasterRCNN):
            kinds = ', '.join(type(model).__name__ for model in models)
            raise UserError(f'{type(self).__name__} begins with the weights of one detector, not of {kinds}.')
        if not self.is_init:  # the parts that initialise themselves must not do so afterwards
            self.init_weights()
        for name in parts or PARTS:
            if not isinstance(getattr(self, name, None), nn.Module):
                raise UserError(f'{type(self).__name__} has no part {name!r}, only {", ".join(PARTS)}: correct `parts`.')
            own, given = getattr(self, name).state_dict(), getattr(models[0], name).state_dict()
            kept = {key for key in own if BOX_LOSS in key}
            layer = [key for key in own if CLASSIFIER in key]
            if any(key in given and given[key].shape != own[key].shape for key in layer):
                kept.update(layer)
            taken = {key: value for key, value in given.items() if BOX_LOSS not in key and key not in kept}
            taken.update({key: own[key] for key in kept})
            load_weights(getattr(self, name), taken, f'the finished detector: its {name}')

    def begin_with_file(self, state: dict[str, Tensor], source: str | Path) -> tuple[list[str], list[str]]:
        """Begin with those weights of a file that fit; the counts are those of this run's training set.

        Args:
            state: tensors by name.
            source: the file, for messages.

        Returns:
            See `load_agreeing`.

        Raises:
            UserError: none fits.
        """
        state = {name: value for name, value in state.items() if name not in COUNTS}
        taken, left = load_agreeing(self, state, source)
        return taken, [line for line in left if not line.startswith(COUNTS)]

    def forward(
        self,
        images: Tensor,
        targets: Sequence[Target] = (),
        indices: Tensor | None = None,
        keys: Tensor | None = None,
        image_sizes: Sequence[tuple[int, int]] = (),
        original_sizes: Sequence[tuple[int, int]] = (),
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[dict]:
        """MMEngine's modes on a preprocessed `DetectionBatch`.

        Args:
            images: normalised and padded, float (B, 3, H, W).
            targets, indices, keys, image_sizes, original_sizes: see `DetectionBatch`.
            mode: `loss` gives a dict of scalars; `predict` and `tensor` one record an image: `boxes` float32 (D, 4) in
                pixels of the image as it was read, `labels` int64 (D,) in [0, K), `scores` float32 (D,), best first, with
                masks `masks` bool (D, H, W), and the image's place `index`.
        """
        if mode == 'loss':
            return self.losses(images, targets, keys, image_sizes)
        if mode in ('predict', 'tensor'):
            records = self.detect(images, image_sizes, original_sizes)
            for record, index in zip(records, (indices if indices is not None else torch.arange(len(images))), strict=True):
                record['index'] = int(index)
            return records
        raise ValueError(f'mode is tensor, loss or predict, not {mode!r}.')

    def losses(
        self, images: Tensor, targets: Sequence[Target], keys: Tensor, image_sizes: Sequence[tuple[int, int]]
    ) -> dict[str, Tensor]:
        """The training losses, a dict of scalars; of the second stage the classification alone.

        Raises:
            UserError: a detector with masks gets targets without.
        """
        from torchvision.models.detection.image_list import ImageList

        if self.masks and any('masks' not in target for target in targets):
            raise UserError('Mask R-CNN learns from masks: set masks=True of the training set, which then says what lacks one.')
        draw = Draw(self.data_preprocessor.seed, keys).at(PROPOSAL_POSITION)
        self.rpn.fg_bg_sampler.draw = self.roi_heads.fg_bg_sampler.draw = draw
        targets = [{**target, 'labels': target['labels'] + 1} for target in targets]  # 0 is torchvision's background
        features = self.backbone(images)
        proposals, losses = self.rpn(ImageList(images, list(image_sizes)), features, targets)
        _, more = self.roi_heads(features, proposals, list(image_sizes), targets, self.class_counts, self.num_images)
        if self.trained == 'box_classifier':
            return {name: value for name, value in more.items() if name.endswith('_cls')}
        return {**losses, **more}

    def detect(
        self, images: Tensor, image_sizes: Sequence[tuple[int, int]], original_sizes: Sequence[tuple[int, int]]
    ) -> list[dict]:
        """Detections in the images as they were read, see `forward`."""
        from torchvision.models.detection.image_list import ImageList
        from torchvision.models.detection.roi_heads import paste_masks_in_image

        features = self.backbone(images)
        proposals, _ = self.rpn(ImageList(images, list(image_sizes)), features)
        detections, _ = self.roi_heads(features, proposals, list(image_sizes))
        for one, old, new in zip(detections, image_sizes, original_sizes, strict=True):
            one['boxes'] = resize_boxes(one['boxes'], old, new)
            one['labels'] = one['labels'] - 1
            if 'masks' in one:
                one['masks'] = paste_masks_in_image(one['masks'].float(), one['boxes'], new)[:, 0] > 0.5
        return detections


@MODELS.register_module()
class MaskRCNN(FasterRCNN):
    """torchvision's Mask R-CNN, its boxes classified as the config says.

    Args:
        mask_channels: of the mask head.
        mask_layers: convolutions of the mask head.
        others: see `FasterRCNN`.

    Source: He et al., Mask R-CNN, ICCV 2017.
    """

    masks = True

    def __init__(self, mask_channels: int = 256, mask_layers: int = 4, **others: Any) -> None:
        self.mask_channels, self.mask_layers = mask_channels, mask_layers
        super().__init__(**others)
