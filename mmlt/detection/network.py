"""torchvision's R-CNN with an exchangeable box classification and random numbers of mmlt's. Importing it takes seconds."""

import inspect

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads, maskrcnn_inference, maskrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops import boxes as box_ops

from mmlt.detection.box_losses import BoxLoss
from mmlt.draw import Draw
from mmlt.errors import UserError

# What torchvision's FasterRCNN can be told by name; the rest has arguments of its own here, or none.
SETTINGS = {
    name
    for name in inspect.signature(FasterRCNN.__init__).parameters
    if name.startswith(('rpn_', 'box_', 'bbox_'))
    and name not in ('rpn_anchor_generator', 'rpn_head', 'box_roi_pool', 'box_head', 'box_predictor')
}


class KeyedSampler:
    """In place of torchvision's sampler: which proposals of an image are trained on is a function of the image's draw.

    Args:
        size: proposals of an image.
        positive_fraction: largest share of objects among them.
        position: of its random numbers among those of the image.

    Attributes:
        draw: of the images of this step; the detector sets it.
    """

    def __init__(self, size: int, positive_fraction: float, position: int) -> None:
        self.size, self.positive_fraction, self.position = size, positive_fraction, position
        self.draw: Draw | None = None

    def __call__(self, labels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Masks uint8 (P,) of the objects and of the background chosen in each image.

        Args:
            labels: (P,) for each image: above 0 an object, 0 the background, below 0 neither.
        """
        longest = max(len(one) for one in labels)
        words = self.draw.at(self.position).words(longest, stream=0)  # (B, longest)
        positives, negatives = [], []
        for one, order in zip(labels, words, strict=True):
            order = order[: len(one)]
            positive = self._first(one >= 1, order, int(self.size * self.positive_fraction))
            positives.append(positive)
            negatives.append(self._first(one == 0, order, self.size - int(positive.sum())))
        return positives, negatives

    @staticmethod
    def _first(candidates: Tensor, order: Tensor, most: int) -> Tensor:
        """Mask uint8 (P,) of the `most` candidates that come first."""
        places = candidates.nonzero().squeeze(1)
        chosen = places[order[places].argsort(stable=True)[:most]]
        return torch.zeros(len(candidates), dtype=torch.uint8, device=candidates.device).index_fill_(0, chosen, 1)


class BoxPredictor(nn.Module):
    """Classifier and box regression on a proposal's feature.

    Args:
        in_channels: size of the feature.
        outputs: of the classifier.
        bias: that the classifier begins with.
        boxes: boxes that are regressed, one a class or one for all.
    """

    def __init__(self, in_channels: int, outputs: int, bias: float, boxes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, outputs)
        self.bbox_pred = nn.Linear(in_channels, 4 * boxes)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.constant_(self.cls_score.bias, bias)
        nn.init.zeros_(self.bbox_pred.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (P, outputs) and deltas (P, 4 * boxes) of features (P, in_channels)."""
        return self.cls_score(features), self.bbox_pred(features)


class BoxClassifyingHeads(RoIHeads):
    """torchvision's second stage with any box classification.

    Args:
        box_loss: how boxes are classified.
        agnostic: one box and one mask for all classes, in place of one a class.
        settings: keywords of torchvision's `RoIHeads`.
    """

    def __init__(self, box_loss: BoxLoss, agnostic: bool, **settings) -> None:  # noqa: ANN003
        super().__init__(**settings)
        self.box_loss = box_loss
        self.agnostic = agnostic

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
        class_counts: Tensor | None = None,
        num_images: Tensor | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Detections (in evaluation) and losses (in training) of proposals; labels are c + 1 for class c.

        Args:
            features: feature maps by name.
            proposals: (P, 4) for each image.
            image_shapes: height and width of each image.
            targets: for each image, in training.
            class_counts: (K,) training images that hold each class, in training.
            num_images: their total number, in training.
        """
        matched, labels, regression = None, None, None
        if self.training:
            proposals, matched, labels, regression = self.select_training_samples(proposals, targets)
        box_features = self.box_head(self.box_roi_pool(features, proposals, image_shapes))
        logits, deltas = self.box_predictor(box_features)
        if self.training:
            losses = self.box_loss(logits, torch.cat(labels), class_counts, num_images)
            losses['loss_box_reg'] = self._regression_loss(deltas, torch.cat(labels), torch.cat(regression))
            if self.has_mask():
                losses['loss_mask'] = self._mask_loss(features, image_shapes, targets, proposals, matched, labels)
            return [], losses
        detections = self._detections(logits, deltas, proposals, image_shapes)
        if self.has_mask():
            boxes = [one['boxes'] for one in detections]
            masks = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, image_shapes)))
            columns = [torch.zeros_like(one['labels']) if self.agnostic else one['labels'] for one in detections]
            for one, mask in zip(detections, maskrcnn_inference(masks, columns), strict=True):
                one['masks'] = mask
        return detections, {}

    def _regression_loss(self, deltas: Tensor, labels: Tensor, wanted: Tensor) -> Tensor:
        """torchvision's: smooth L1 over the objects, divided by the number of proposals."""
        objects = labels > 0
        deltas = deltas.float().unflatten(1, (-1, 4))  # (P, boxes, 4)
        column = torch.zeros_like(labels) if self.agnostic else (labels - 1).clamp_min(0)
        own = deltas[torch.arange(len(labels), device=labels.device), column]
        loss = F.smooth_l1_loss(own[objects], wanted[objects], beta=1 / 9, reduction='sum')
        return loss / max(len(labels), 1)

    def _mask_loss(self, features, image_shapes, targets, proposals, matched, labels) -> Tensor:  # noqa: ANN001
        """torchvision's: binary cross entropy of the mask of each object's own class."""
        chosen = [one > 0 for one in labels]
        boxes = [one[keep] for one, keep in zip(proposals, chosen, strict=True)]
        places = [one[keep] for one, keep in zip(matched, chosen, strict=True)]
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, image_shapes))).float()
        columns = [torch.zeros_like(one['labels']) if self.agnostic else one['labels'] for one in targets]
        return maskrcnn_loss(logits, boxes, [one['masks'] for one in targets], columns, places)

    def _detections(
        self, logits: Tensor, deltas: Tensor, proposals: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """Boxes, labels and scores of each image, best first: above the threshold, after suppression class by class."""
        scores = self.box_loss.scores(logits)  # (P, K)
        boxes = self.box_coder.decode(deltas.float(), proposals)  # (P, 1 or K, 4)
        counts = [len(one) for one in proposals]
        detections = []
        for score, box, shape in zip(scores.split(counts), boxes.split(counts), image_shapes, strict=True):
            row, column = (score > self.score_thresh).nonzero(as_tuple=True)
            box = box_ops.clip_boxes_to_image(box[row, torch.zeros_like(column) if self.agnostic else column], shape)
            keep = box_ops.remove_small_boxes(box, min_size=1e-2)
            box, label, score = box[keep], column[keep], score[row, column][keep]
            keep = box_ops.batched_nms(box, score, label, self.nms_thresh)[: self.detections_per_img]
            detections.append(dict(boxes=box[keep], labels=label[keep] + 1, scores=score[keep]))
        return detections


def build_parts(
    backbone: nn.Module,
    box_loss: BoxLoss,
    num_classes: int,
    masks: bool,
    anchor_sizes: list[list[int]],
    aspect_ratios: list[float],
    box_channels: int,
    mask_channels: int,
    mask_layers: int,
    agnostic: bool,
    roi_size: int,
    sampling_ratio: int,
    settings: dict,
) -> tuple[RegionProposalNetwork, BoxClassifyingHeads]:
    """The proposal network and the heads of a detector, see `mmlt.detection.detector.FasterRCNN`.

    Raises:
        UserError: a setting that torchvision does not have, or anchors for another number of maps.
    """
    if unknown := sorted(set(settings) - SETTINGS):
        raise UserError(f'settings of the detector hold {unknown[0]!r}, which is none of {", ".join(sorted(SETTINGS))}.')
    if len(anchor_sizes) != backbone.num_maps:
        raise UserError(
            f'anchor_sizes has {len(anchor_sizes)} entries, but {type(backbone).__name__} has {backbone.num_maps} feature '
            'maps: give the sizes for each map.'
        )
    sizes = tuple(tuple(one) for one in anchor_sizes)
    pool = MultiScaleRoIAlign(list(backbone.levels), output_size=roi_size, sampling_ratio=sampling_ratio)
    head = TwoMLPHead(backbone.out_channels * roi_size**2, box_channels)
    boxes = 1 if agnostic else num_classes
    predictor = BoxPredictor(box_channels, box_loss.further_outputs + num_classes, box_loss.bias, boxes)
    whole = FasterRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(sizes, (tuple(aspect_ratios),) * len(sizes)),
        box_roi_pool=pool,
        box_head=head,
        box_predictor=predictor,
        **settings,
    )
    given = whole.roi_heads
    mask_parts = {}
    if masks:
        mask_parts = dict(
            mask_roi_pool=MultiScaleRoIAlign(list(backbone.levels), output_size=2 * roi_size, sampling_ratio=sampling_ratio),
            mask_head=MaskRCNNHeads(backbone.out_channels, (mask_channels,) * mask_layers, 1),
            mask_predictor=MaskRCNNPredictor(mask_channels, mask_channels, 1 if agnostic else num_classes + 1),
        )
    heads = BoxClassifyingHeads(
        box_loss,
        agnostic,
        box_roi_pool=pool,
        box_head=head,
        box_predictor=predictor,
        fg_iou_thresh=given.proposal_matcher.high_threshold,
        bg_iou_thresh=given.proposal_matcher.low_threshold,
        batch_size_per_image=given.fg_bg_sampler.batch_size_per_image,
        positive_fraction=given.fg_bg_sampler.positive_fraction,
        bbox_reg_weights=given.box_coder.weights,
        score_thresh=given.score_thresh,
        nms_thresh=given.nms_thresh,
        detections_per_img=given.detections_per_img,
        **mask_parts,
    )
    for position, part in enumerate((whole.rpn, heads)):
        sampler = part.fg_bg_sampler
        part.fg_bg_sampler = KeyedSampler(sampler.batch_size_per_image, sampler.positive_fraction, position)
    return whole.rpn, heads
