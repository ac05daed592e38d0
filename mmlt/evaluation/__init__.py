"""What a run is judged by: accuracy overall, by shot group and by class, calibration and likelihood."""

from mmlt.evaluation.expert_metric import ExpertMetric
from mmlt.evaluation.functional import (
    ImageStatistics,
    classification_metrics,
    expected_calibration_error,
    image_statistics,
    metrics_from_statistics,
    negative_log_likelihood,
    per_class_accuracy,
    shot_group_accuracy,
)
from mmlt.evaluation.multi_label_metric import MultiLabelMetric
from mmlt.evaluation.shot_group_metric import ShotGroupMetric

__all__ = [
    'ExpertMetric',
    'ImageStatistics',
    'MultiLabelMetric',
    'ShotGroupMetric',
    'classification_metrics',
    'expected_calibration_error',
    'image_statistics',
    'metrics_from_statistics',
    'negative_log_likelihood',
    'per_class_accuracy',
    'shot_group_accuracy',
]
