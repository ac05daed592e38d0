"""LVIS's average precision against the official package on generated cases, and what it says of wrong input."""

import logging

import numpy as np
import pytest
import torch

from mmlt.errors import UserError
from mmlt.priors import shot_groups

pytest.importorskip('faster_coco_eval', reason='the extra `detection` (faster-coco-eval) is not installed')
from mmlt.detection.annotations import Annotations, run_lengths  # noqa: E402
from mmlt.detection.metric import FREQUENCIES, CocoMetric, LVISMetric, averages  # noqa: E402

SIDE, K, IMAGES = 48, 9, 14
COUNTS = [500, 101, 100, 60, 11, 10, 7, 3, 1]  # 2 frequent, 3 common, 4 rare


def rectangle(box) -> np.ndarray:
    left, top, right, bottom = np.round(box).astype(int)
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def random_box(random) -> np.ndarray:
    size, corner = random.integers(6, 24, 2), random.integers(0, SIDE - 24, 2)
    return np.array([*corner, *(corner + size)], dtype=np.float64)


class Case:
    """Objects and detections: near an object, of another class, or anywhere; with absent and half-marked classes."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.content = dict(images=[], annotations=[], categories=[])
        letters = {int(c): FREQUENCIES[name] for name, ids in shot_groups(COUNTS, 'lvis').items() for c in ids}
        ids = random.permutation(100)[:K] + 1  # category ids with gaps, out of order
        self.content['categories'] = [
            dict(id=int(i), name=f'class {i}', frequency=letters[c]) for c, i in enumerate(sorted(ids.tolist()))
        ]
        self.category_ids = sorted(ids.tolist())
        self.samples = []
        shown = random.permutation(K)[: K - 1]  # one class has no object at all
        for index in range(IMAGES):
            image_id = 1000 - 7 * index
            held, found = set(), []
            for _ in range(random.integers(0, 6)):
                c, box = int(random.choice(shown)), random_box(random)
                held.add(c)
                mask = rectangle(box)
                self.content['annotations'].append(
                    dict(
                        id=len(self.content['annotations']) + 1,
                        image_id=image_id,
                        category_id=self.category_ids[c],
                        bbox=[*box[:2], *(box[2:] - box[:2])],
                        area=float(mask.sum()),
                        segmentation=run_lengths(mask),
                    )
                )
                for _ in range(random.integers(0, 3)):  # near it
                    label = c if random.random() < 0.8 else int(random.integers(K))
                    found.append((np.clip(box + random.normal(0, 2, 4), 0, SIDE), label))
            found += [(random_box(random), int(random.integers(K))) for _ in range(random.integers(1, 6))]
            others = [c for c in range(K) if c not in held]
            self.content['images'].append(
                dict(
                    id=image_id,
                    file_name=f'{image_id}.png',
                    height=SIDE,
                    width=SIDE,
                    neg_category_ids=[self.category_ids[c] for c in others if random.random() < 0.5],
                    not_exhaustive_category_ids=[self.category_ids[c] for c in held if random.random() < 0.4],
                )
            )
            scores = random.permutation(len(found)) / len(found) * 0.9 + 0.05 * random.random()
            boxes = np.stack([box for box, _ in found]).astype(np.float32)
            self.samples.append(
                dict(
                    index=index,
                    boxes=torch.from_numpy(boxes),
                    labels=torch.tensor([label for _, label in found]),
                    scores=torch.from_numpy(scores.astype(np.float32)),
                    masks=torch.from_numpy(np.stack([rectangle(box) for box in boxes])),
                )
            )
        self.image_ids = [image['id'] for image in self.content['images']]

    @property
    def meta(self) -> dict:
        return dict(
            classes=[category['name'] for category in self.content['categories']],
            class_counts=COUNTS,
            category_ids=self.category_ids,
            image_ids=self.image_ids,
            ground_truth=lambda: self.content,
        )

    def metrics(self, kinds=('bbox', 'segm'), kind=LVISMetric, **options) -> dict[str, float]:
        metric = kind(list(kinds), **options)
        metric.dataset_meta = self.meta
        for sample in self.samples:
            metric.process(None, [sample])
        self.metric = metric
        return metric.evaluate(IMAGES)


@pytest.fixture
def official(monkeypatch):
    """The official package; it wants a name that numpy no longer has."""
    pytest.importorskip('pycocotools', reason='pycocotools is not installed')
    monkeypatch.setattr(np, 'float', float, raising=False)
    lvis = pytest.importorskip('lvis', reason='the official package lvis is not installed')
    logging.getLogger('lvis').setLevel(logging.ERROR)

    def run(case: Case, kind: str, limit: int = 300) -> dict[str, float]:
        from pycocotools import mask as masks

        found = []
        for sample in case.samples:
            for box, label, score, mask in zip(
                sample['boxes'].double().tolist(), sample['labels'].tolist(), sample['scores'].tolist(), sample['masks'],
                strict=True,
            ):  # fmt: skip
                one = dict(image_id=case.image_ids[sample['index']], category_id=case.category_ids[label], score=score)
                if kind == 'bbox':
                    one['bbox'] = [*box[:2], box[2] - box[0], box[3] - box[1]]
                else:
                    one['segmentation'] = masks.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
                found.append(one)
        truth = lvis.LVIS.__new__(lvis.LVIS)
        truth.logger = logging.getLogger('lvis')
        truth.dataset = dict(case.content, annotations=[dict(one) for one in case.content['annotations']])
        truth._create_index()
        results = lvis.LVISResults(truth, found, max_dets=limit)
        evaluation = lvis.LVISEval(truth, results, kind)
        evaluation.run()
        return evaluation.get_results()

    return run


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
@pytest.mark.parametrize('seed', range(6))
def test_equals_the_official_package(seed, kind, official):
    case = Case(seed)
    ours, theirs = case.metrics([kind]), official(case, kind)
    assert 1 < ours[f'{kind}/AP'] < 99
    for name in ('AP', 'AP50', 'AP75', 'APr', 'APc', 'APf'):
        assert ours[f'{kind}/{name}'] == pytest.approx(100 * theirs[name], abs=1e-9), name


@pytest.mark.parametrize('limit', [1, 3])
def test_the_best_detections_of_an_image_count_as_in_the_official_package(limit, official):
    case = Case(20)
    ours, theirs = case.metrics(['bbox'], max_detections=limit), official(case, 'bbox', limit)
    assert ours['bbox/AP'] == pytest.approx(100 * theirs['AP'], abs=1e-9)
    assert ours['bbox/AP'] < case.metrics(['bbox'])['bbox/AP']


def test_classes_that_nobody_looked_for_do_not_count():
    case = Case(3)
    before = case.metrics()
    image = case.content['images'][0]
    held = {one['category_id'] for one in case.content['annotations'] if one['image_id'] == image['id']}
    unknown = next(c for c, i in enumerate(case.category_ids) if i not in held and i not in image['neg_category_ids'])
    sample = case.samples[0]
    case.samples[0] = dict(
        index=0,
        boxes=torch.cat([sample['boxes'], torch.tensor([[1.0, 1, 9, 9]])]),
        labels=torch.cat([sample['labels'], torch.tensor([unknown])]),
        scores=torch.cat([sample['scores'], torch.tensor([0.999])]),
        masks=torch.cat([sample['masks'], sample['masks'][:1]]),
    )
    assert case.metrics() == before
    image['neg_category_ids'] = [*image['neg_category_ids'], case.category_ids[unknown]]
    shown = any(one['category_id'] == case.category_ids[unknown] for one in case.content['annotations'])
    assert not shown or case.metrics() != before


def perfect(seed: int) -> Case:
    """A case whose detections are its objects."""
    case = Case(seed)
    annotations = Annotations(case.content, 'the case')
    for index, sample in enumerate(case.samples):
        objects = annotations.objects(index)
        sample.update(
            boxes=torch.from_numpy(annotations.boxes[objects]),
            labels=torch.from_numpy(annotations.labels[objects]),
            scores=torch.ones(objects.stop - objects.start),
            masks=torch.from_numpy(annotations.masks(index)).bool(),
        )
    return case


@pytest.mark.parametrize(
    'change',
    [
        lambda number, one: one.update(id=number),
        lambda number, one: one.update(id=7),
        lambda number, one: one.pop('id'),
        lambda number, one: one.update(id=f'object {number}'),
        lambda number, one: one.update(area=-1),  # by which the library would leave it out
        lambda number, one: one.update(iscrowd=None),
    ],
    ids=['from 0', 'equal', 'missing', 'text', 'area', 'iscrowd'],
)
def test_what_a_file_says_of_an_object_beside_its_place_and_class_does_not_count(change):
    case = perfect(4)
    for number, one in enumerate(case.content['annotations']):
        change(number, one)
    for kind in (LVISMetric, CocoMetric):
        metrics = case.metrics(kind=kind)
        assert len(metrics) == 12 and list(metrics.values()) == pytest.approx([100] * 12)
    found = Case(20)  # detections of every kind: near, wrong, anywhere
    before = found.metrics()
    for number, one in enumerate(found.content['annotations']):
        change(number, one)
    assert 1 < before['bbox/AP'] < 99 and found.metrics() == before


def test_masks_are_compared_where_every_object_has_one():
    case = perfect(4)
    case.content['annotations'][3]['segmentation'] = []
    image = case.content['annotations'][3]['image_id']
    with pytest.raises(UserError, match=rf"1 of the \d+ objects .* no mask \(image {image} for one\).*'segm' out of iou_types"):
        case.metrics()
    assert case.metrics(['bbox'])['bbox/AP'] == pytest.approx(100)


def test_perfect_and_no_detections():
    case = perfect(4)
    metrics = case.metrics()
    assert len(metrics) == 12 and list(metrics.values()) == pytest.approx([100] * 12)
    rows = case.metric.details['per_class']
    assert [row['train_images'] for row in rows] == COUNTS
    assert [row['group'] for row in rows] == ['many'] * 2 + ['medium'] * 3 + ['few'] * 4
    known = [row['accuracy'] for row in rows if row['test_images']]
    assert known == pytest.approx([100] * (K - 1))
    assert [row['accuracy'] for row in rows if not row['test_images']] == [None]
    for sample in case.samples:
        sample.update(
            boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64), scores=torch.zeros(0),
            masks=torch.zeros(0, SIDE, SIDE, dtype=torch.bool),
        )  # fmt: skip
    assert set(case.metrics().values()) == {0}


def test_a_group_without_a_class_in_the_test_set_is_absent():
    precision = np.full((10, 101, 3), 0.5)
    precision[:, :, 2] = -1
    groups = dict(many=np.array([0]), medium=np.array([1]), few=np.array([2]))
    assert averages(precision, groups) == dict(AP=50, AP50=50, AP75=50, APc=50, APf=50)


def test_under_coco_rules_every_class_counts_in_every_image():
    case = Case(5)
    for image in case.content['images']:
        held = {one['category_id'] for one in case.content['annotations'] if one['image_id'] == image['id']}
        image['neg_category_ids'] = [i for i in case.category_ids if i not in held]
        image['not_exhaustive_category_ids'] = []
    federated = case.metrics()
    for image in case.content['images']:
        del image['neg_category_ids'], image['not_exhaustive_category_ids']
    assert case.metrics(kind=CocoMetric) == pytest.approx(federated, abs=1e-9)
    with pytest.raises(UserError, match='has no neg_category_ids'):
        case.metrics()


def test_wrong_input_is_named():
    with pytest.raises(UserError, match="must be a list of bbox and segm, not 'bbox'"):
        LVISMetric('bbox')
    case = Case(6)
    case.image_ids = case.image_ids[:-1]
    case.samples = case.samples[:-1]
    metric = LVISMetric()
    metric.dataset_meta = case.meta
    metric.process(None, case.samples)
    with pytest.raises(UserError, match='13 distinct test images were evaluated, but the test set has 14'):
        metric.evaluate(14)
    metric.process(None, case.samples)
    with pytest.raises(UserError, match='leaves out 1 images'):
        metric.evaluate(13)
    del case.samples[0]['masks']
    with pytest.raises(UserError, match='use MaskRCNN'):
        LVISMetric(['segm']).process(None, case.samples)
