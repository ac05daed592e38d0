"""What adds up to a training loss: one `Term` each, called with the `Step`."""

from mmlt.models.step import Outputs, Prior, Step, step_of
from mmlt.models.terms.base import Term
from mmlt.models.terms.breadcrumbs import BreadcrumbTrails
from mmlt.models.terms.classification import Classification, ExpertPriors, ExpertTaus
from mmlt.models.terms.contrast import BalancedContrast, GPaCoTerm, MomentumContrast, PaCoTerm
from mmlt.models.terms.distillation import BalancedDistillHead, DistillTerm, LogitDistillHead
from mmlt.models.terms.experts import Collaboration, Diversity, ExpertFeatureDistill, NestedCollaboration
from mmlt.models.terms.feature_distillation import FeatureDistillHead, JoinedFeatureDistillHead, RelationDistillHead
from mmlt.models.terms.prior_distillation import GroupDistillHead, VirtualExampleDistillHead
from mmlt.models.terms.self_supervision import HardHead, OtherLabelContrast
from mmlt.models.terms.subset_distillation import BinaryDistillHead, SubsetDistillHead

__all__ = [
    'BalancedContrast',
    'BalancedDistillHead',
    'BinaryDistillHead',
    'BreadcrumbTrails',
    'Classification',
    'Collaboration',
    'DistillTerm',
    'Diversity',
    'ExpertFeatureDistill',
    'ExpertPriors',
    'ExpertTaus',
    'FeatureDistillHead',
    'GPaCoTerm',
    'GroupDistillHead',
    'HardHead',
    'JoinedFeatureDistillHead',
    'LogitDistillHead',
    'MomentumContrast',
    'NestedCollaboration',
    'OtherLabelContrast',
    'Outputs',
    'PaCoTerm',
    'Prior',
    'RelationDistillHead',
    'Step',
    'SubsetDistillHead',
    'Term',
    'VirtualExampleDistillHead',
    'step_of',
]
