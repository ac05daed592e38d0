"""One file a method."""

from mmlt.models.classifiers.balpoe import BalPoEClassifier
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.classifiers.bcl import BCLClassifier
from mmlt.models.classifiers.bkd import BKDClassifier
from mmlt.models.classifiers.breadcrumb import BreadcrumbClassifier
from mmlt.models.classifiers.cbd import CBDClassifier
from mmlt.models.classifiers.crop_ensemble import CropEnsembleClassifier
from mmlt.models.classifiers.distillation import DistillationClassifier
from mmlt.models.classifiers.dive import DiVEClassifier
from mmlt.models.classifiers.ecl import ECLClassifier
from mmlt.models.classifiers.frozen_backbone import FrozenBackboneClassifier
from mmlt.models.classifiers.ltkd import LTKDClassifier
from mmlt.models.classifiers.lws import LWSClassifier
from mmlt.models.classifiers.mixing import MixingClassifier
from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.models.classifiers.ncl import NCLClassifier
from mmlt.models.classifiers.paco import GPaCoClassifier, PaCoClassifier
from mmlt.models.classifiers.ride import RIDEClassifier, RIDEDistillationClassifier
from mmlt.models.classifiers.rskd import RSKDClassifier
from mmlt.models.classifiers.sade import SADEClassifier
from mmlt.models.classifiers.ssd import SSDClassifier, SSDScalingClassifier

__all__ = [
    'BCLClassifier',
    'BKDClassifier',
    'BalPoEClassifier',
    'BreadcrumbClassifier',
    'CBDClassifier',
    'CropEnsembleClassifier',
    'DiVEClassifier',
    'DistillationClassifier',
    'ECLClassifier',
    'FrozenBackboneClassifier',
    'GPaCoClassifier',
    'LTKDClassifier',
    'LWSClassifier',
    'LongTailedClassifier',
    'MixingClassifier',
    'MultiExpertClassifier',
    'NCLClassifier',
    'PaCoClassifier',
    'RIDEClassifier',
    'RIDEDistillationClassifier',
    'RSKDClassifier',
    'SADEClassifier',
    'SSDClassifier',
    'SSDScalingClassifier',
]
