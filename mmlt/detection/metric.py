"""Average precision of detections, under LVIS's federated rules or COCO's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric

from mmlt.detection.datasets import check_federated
from mmlt.detection.library import coco_library
from mmlt.errors import UserError
from mmlt.priors import GROUPS, shot_groups
from mmlt.registry import METRICS

FREQUENCIES = dict(many='f', medium='c', few='r')  # LVIS's letters for the shot groups of the convention 'lvis'
IOU_TYPES = ('bbox', 'segm')


@METRICS.register_module()
class LVISMetric(BaseMetric):
    """LVIS's average precision: AP, AP50, AP75, and APr, APc, APf of rare, common and frequent classes, in percent.

    LVIS is federated: an image counts for the classes marked in it and for those known to be absent
    (`neg_category_ids`); an unmatched detection of a class that is not marked exhaustively (`not_exhaustive_category_ids`)
    does not count. The mean is over the classes with an object in the test set. A class is rare with at most 10 training
    images, common with at most 100: by the counts that the model was trained on, in ``dataset_meta['class_counts']``.

    Args:
        iou_types: `bbox`, `segm` or both.
        max_detections: best detections of an image that count.
        collect_device: 'cpu' or 'gpu', where the ranks' detections are gathered.

    Attributes:
        details: after :meth:`evaluate`, as `ShotGroupMetric.details`; ``accuracy`` is the AP of a class (of the last IoU
            type, percent), ``group`` is many for frequent, medium for common, few for rare.

    Raises:
        UserError: another IoU type.

    Source: Gupta et al., LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019, section 2.
    """

    default_prefix = ''
    federated = True

    def __init__(
        self, iou_types: Sequence[str] = ('bbox',), max_detections: int = 300, collect_device: str = 'cpu'
    ) -> None:
        super().__init__(collect_device=collect_device)
        if isinstance(iou_types, str) or not iou_types or set(iou_types) - set(IOU_TYPES):
            raise UserError(f'iou_types must be a list of {" and ".join(IOU_TYPES)}, not {iou_types!r}.')
        self.library = coco_library()
        self.iou_types = tuple(iou_types)
        self.max_detections = max_detections
        self.details: dict[str, Any] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take in detections.

        Args:
            data_batch: not used.
            data_samples: one dict an image, see `FasterRCNN.forward`.

        Raises:
            UserError: masks are wanted and the model gives none.
        """
        for sample in data_samples:
            best = sample['scores'].argsort(descending=True, stable=True)[: self.max_detections]
            record = dict(index=sample['index'])
            record.update({name: sample[name][best].cpu().numpy() for name in ('boxes', 'labels', 'scores')})
            if 'segm' in self.iou_types:
                if 'masks' not in sample:
                    raise UserError("iou_types names 'segm', but the model gives no masks: use MaskRCNN, or leave it out.")
                masks = sample['masks'][best].cpu().numpy().astype(np.uint8).transpose(1, 2, 0)
                record['masks'] = self.library.core.mask.encode(np.asfortranarray(masks)) if masks.shape[2] else []
            self.results.append(record)

    def evaluate(self, size: int) -> dict[str, float]:
        """Metrics over the whole test set, the same on every rank.

        Args:
            size: number of images in the test set.

        Returns:
            `bbox/AP`, `bbox/AP50`, `bbox/AP75`, `bbox/APr`, `bbox/APc`, `bbox/APf` and the same of `segm`, in percent; a
            group without a class in the test set is absent.

        Raises:
            UserError: the images seen are not exactly the test set, or the ground truth is not what is needed.
        """
        results, self.results = self.results, []
        gathered = [record for part in all_gather_object(results) for record in part]
        outcome = [None]
        if is_main_process():
            distinct = {record['index']: record for record in gathered}  # a distributed sampler may have drawn some twice
            if len(distinct) != size:
                raise UserError(
                    f'{len(distinct)} distinct test images were evaluated, but the test set has {size}: use a test sampler '
                    'that gives every image.'
                )
            outcome = [(self.compute_metrics([distinct[index] for index in sorted(distinct)]), self.details)]
        broadcast_object_list(outcome)
        metrics, self.details = outcome[0]
        return metrics

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Metrics, and `details`, of the distinct images' detections."""
        meta = self.dataset_meta
        groups = shot_groups(meta['class_counts'], 'lvis')
        truth = self._truth(groups)
        category_of, image_of = np.asarray(meta['category_ids']), np.asarray(meta['image_ids'])
        metrics: dict[str, float] = {}
        for kind in self.iou_types:
            detections = self._detections(results, kind, category_of, image_of)
            if self.federated:  # the library drops them too, but loses track of images whose detections all go
                detections = known_classes(detections, truth)
            precision = self._precision(truth, detections, kind)
            metrics.update({f'{kind}/{name}': value for name, value in averages(precision, groups).items()})
            of_class = [mean_of(precision[:, :, c]) for c in range(precision.shape[2])]
        held = {category: set() for category in category_of.tolist()}
        for one in truth['annotations']:
            held[one['category_id']].add(one['image_id'])
        self.details = dict(
            per_class=[
                {
                    'class': c,
                    'name': str(meta['classes'][c]),
                    'train_images': int(meta['class_counts'][c]),
                    'group': next(name for name in GROUPS if c in groups[name]),
                    'test_images': len(held[category]),
                    'accuracy': of_class[c],
                }
                for c, category in enumerate(category_of.tolist())
            ],
            shot_groups={'convention': 'lvis', **{name: len(groups[name]) for name in GROUPS}},
        )
        return metrics

    def _truth(self, groups: dict[str, np.ndarray]) -> dict:
        """The ground truth in the form that the library takes, with the letters of our own frequencies.

        Raises:
            UserError: it lacks LVIS's lists or a mask, or has images that the test set left out.
        """
        content = self.dataset_meta['ground_truth']()
        if self.federated:
            check_federated(content, 'the ground truth')
        known = set(np.asarray(self.dataset_meta['image_ids']).tolist())
        if missing := [image['id'] for image in content['images'] if image['id'] not in known]:
            raise UserError(
                f'the test set leaves out {len(missing)} images of its annotations, which count too (image {missing[0]} for '
                'one): set keep_empty=True of the test set.'
            )
        if 'segm' in self.iou_types:
            check_masks(content)
        letter = {int(c): FREQUENCIES[name] for name, members in groups.items() for c in members}
        categories = sorted(content['categories'], key=lambda category: category['id'])
        return dict(
            images=content['images'],
            annotations=[for_library(number, one) for number, one in enumerate(content['annotations'], start=1)],
            categories=[{**category, 'frequency': letter[c]} for c, category in enumerate(categories)],
        )

    def _detections(
        self, results: list[dict], kind: str, category_of: np.ndarray, image_of: np.ndarray
    ) -> list[dict]:
        """COCO's form of a list of detections."""
        found = []
        for record in results:
            boxes = record['boxes'].astype(np.float64)
            boxes[:, 2:] -= boxes[:, :2]
            for place, (box, label, score) in enumerate(
                zip(boxes.tolist(), record['labels'].tolist(), record['scores'].tolist(), strict=True)
            ):
                shape = dict(bbox=box) if kind == 'bbox' else dict(segmentation=record['masks'][place])
                image, category = int(image_of[record['index']]), int(category_of[label])
                found.append(dict(image_id=image, category_id=category, score=score, **shape))
        return found

    def _precision(self, truth: dict, detections: list[dict], kind: str) -> np.ndarray:
        """Precision (10 IoU thresholds, 101 recalls, K) of objects of all sizes; -1 where a class has no object."""
        truth = self.library.COCO(dict(truth, annotations=[dict(one) for one in truth['annotations']]))
        evaluation = self.library.COCOeval_faster(
            truth,
            truth.loadRes(detections),
            iouType=kind,
            lvis_style=self.federated,
            print_function=lambda *words: None,
            rle_iou_max_workers=1,
        )
        evaluation.params.maxDets = [self.max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
        return np.asarray(evaluation.eval['precision'])[:, :, :, 0, -1]


@METRICS.register_module()
class CocoMetric(LVISMetric):
    """COCO's average precision: every image counts for every class; the groups are LVIS's.

    Args:
        iou_types, collect_device: see `LVISMetric`.
        max_detections: best detections of an image that count.
    """

    federated = False

    def __init__(
        self, iou_types: Sequence[str] = ('bbox',), max_detections: int = 100, collect_device: str = 'cpu'
    ) -> None:
        super().__init__(iou_types, max_detections, collect_device)


def for_library(number: int, one: dict) -> dict:
    """What the library reads of an object.

    Its `id` is our own: the library keeps by it which detection an object was matched with, where 0 means none, and a file
    may count from 0, repeat a number or have none. The `area` decides there whether an object counts at all; here all count.
    """
    left, top, width, height = one['bbox']
    kept = {key: one[key] for key in ('image_id', 'category_id', 'segmentation') if key in one}
    crowd = int(one.get('iscrowd') or 0)
    return dict(kept, id=number, bbox=[left, top, width, height], area=abs(width * height), iscrowd=crowd)


def check_masks(content: dict) -> None:
    """Refuse a ground truth for masks that lacks one.

    Raises:
        UserError: an object has none.
    """
    lacking = [one for one in content['annotations'] if not one.get('segmentation')]
    if lacking:
        raise UserError(
            f"{len(lacking):,} of the {len(content['annotations']):,} objects of the ground truth have no mask (image "
            f"{lacking[0]['image_id']} for one): add them, or leave 'segm' out of iou_types."
        )


def known_classes(detections: list[dict], truth: dict) -> list[dict]:
    """The detections of classes that their image holds, or is known not to hold."""
    known = {image['id']: set(image['neg_category_ids']) for image in truth['images']}
    for one in truth['annotations']:
        known[one['image_id']].add(one['category_id'])
    return [one for one in detections if one['category_id'] in known[one['image_id']]]


def mean_of(precision: np.ndarray) -> float | None:
    """Mean of the precisions that are known, in percent; None where none is."""
    known = precision[precision > -1]
    return 100 * float(known.mean()) if known.size else None


def averages(precision: np.ndarray, groups: dict[str, np.ndarray]) -> dict[str, float]:
    """AP, AP50, AP75, APr, APc and APf in percent; those of nothing are absent.

    Args:
        precision: (10 IoU thresholds from 0.5 to 0.95, 101 recalls, K), -1 where a class has no object.
        groups: classes of each shot group of the convention `lvis`.
    """
    values = dict(AP=mean_of(precision), AP50=mean_of(precision[0]), AP75=mean_of(precision[5]))
    values.update({f'AP{FREQUENCIES[name]}': mean_of(precision[:, :, groups[name]]) for name in reversed(GROUPS)})
    return {name: value for name, value in values.items() if value is not None}
