"""The mathematics of the losses: pure functions on tensors (registered classes: `modules`,
`multi_label_modules` and `reweighting`)."""

from mmlt.models.losses.balanced_contrastive import balanced_contrastive_loss
from mmlt.models.losses.balanced_sigmoid import balanced_sigmoid_loss
from mmlt.models.losses.base import Loss
from mmlt.models.losses.boxes import (
    balanced_sigmoid_box_loss,
    balanced_softmax_box_loss,
    equalization_box_loss,
    seesaw_box_loss,
    sigmoid_box_loss,
    softmax_box_loss,
)
from mmlt.models.losses.cross_entropy import cross_entropy_loss, focal_loss
from mmlt.models.losses.distillation import balanced_distillation_loss, distillation_loss, virtual_example_loss
from mmlt.models.losses.equalization import seql_loss
from mmlt.models.losses.experts import balpoe_loss, diversity_loss, diversity_temperatures, sade_loss
from mmlt.models.losses.feature_distillation import (
    cosine_feature_loss,
    joined_features,
    l2_feature_loss,
    similarity_preserving_loss,
)
from mmlt.models.losses.label_aware_smoothing import label_aware_smoothing_loss, smoothing_factors
from mmlt.models.losses.ldam import ldam_loss, ldam_margins
from mmlt.models.losses.multi_label import (
    asymmetric_loss,
    binary_cross_entropy_loss,
    binary_distillation_loss,
    binary_focal_loss,
    distribution_balanced_loss,
)
from mmlt.models.losses.parametric_contrastive import parametric_contrastive_loss
from mmlt.models.losses.prior_adjusted import balanced_softmax_loss, cdt_loss, logit_adjusted_loss, vs_loss
from mmlt.models.losses.subset_distillation import subset_distillation_loss
from mmlt.models.losses.supervised_contrastive import supervised_contrastive_loss

__all__ = [
    'Loss',
    'asymmetric_loss',
    'balanced_contrastive_loss',
    'balanced_distillation_loss',
    'balanced_sigmoid_box_loss',
    'balanced_sigmoid_loss',
    'balanced_softmax_box_loss',
    'balanced_softmax_loss',
    'balpoe_loss',
    'binary_cross_entropy_loss',
    'binary_distillation_loss',
    'binary_focal_loss',
    'cdt_loss',
    'cosine_feature_loss',
    'cross_entropy_loss',
    'distillation_loss',
    'distribution_balanced_loss',
    'diversity_loss',
    'diversity_temperatures',
    'equalization_box_loss',
    'focal_loss',
    'joined_features',
    'l2_feature_loss',
    'label_aware_smoothing_loss',
    'ldam_loss',
    'ldam_margins',
    'logit_adjusted_loss',
    'parametric_contrastive_loss',
    'sade_loss',
    'seesaw_box_loss',
    'seql_loss',
    'sigmoid_box_loss',
    'similarity_preserving_loss',
    'smoothing_factors',
    'softmax_box_loss',
    'subset_distillation_loss',
    'supervised_contrastive_loss',
    'virtual_example_loss',
    'vs_loss',
]
