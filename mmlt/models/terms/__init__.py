"""What adds up to a training loss: one `Term` each, called with the `Step`."""

from mmlt.models.step import Outputs, Prior, Step, step_of
from mmlt.models.terms.base import Term
from mmlt.models.terms.classification import Classification, ExpertPriors, ExpertTaus
from mmlt.models.terms.contrast import BalancedContrast, GPaCoTerm, MomentumContrast, PaCoTerm
from mmlt.models.terms.distillation import BalancedDistillHead, DistillTerm, FeatureDistillHead, LogitDistillHead
from mmlt.models.terms.experts import Collaboration, Diversity, ExpertFeatureDistill, NestedCollaboration

__all__ = [
    'BalancedContrast',
    'BalancedDistillHead',
    'Classification',
    'Collaboration',
    'DistillTerm',
    'Diversity',
    'ExpertFeatureDistill',
    'ExpertPriors',
    'ExpertTaus',
    'FeatureDistillHead',
    'GPaCoTerm',
    'LogitDistillHead',
    'MomentumContrast',
    'NestedCollaboration',
    'Outputs',
    'PaCoTerm',
    'Prior',
    'Step',
    'Term',
    'step_of',
]
