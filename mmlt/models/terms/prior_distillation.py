"""Terms that distil logits after taking the teacher's bias to frequent classes out; see `distillation` for the base."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.models.losses import virtual_example_loss
from mmlt.models.losses.group_distillation import (
    cross_group_loss,
    frequency_groups,
    group_log_masses,
    within_group_loss,
)
from mmlt.models.step import Outputs, Step
from mmlt.models.terms.distillation import SoftenedDistillTerm, on_classes
from mmlt.registry import MODELS


@MODELS.register_module()
class VirtualExampleDistillHead(SoftenedDistillTerm):
    """DiVE: the teacher's probabilities are flattened by a power and normalised again; see `virtual_example_loss`.

    Args:
        temperature: T > 0 of both softmaxes.
        power: on the teacher's softened probabilities; 1 is ordinary distillation.
        others: as `DistillTerm`.
    """

    name = 'loss_dive'

    def __init__(self, temperature: float = 3.0, power: float = 0.5, **others) -> None:
        super().__init__(temperature, **others)
        self.power = number(self, 'power', power, least=0)

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """See `virtual_example_loss`."""
        logits = on_classes(student.logits, teacher)
        return virtual_example_loss(logits, teacher.logits, self.temperature, self.power)


@MODELS.register_module()
class GroupDistillHead(SoftenedDistillTerm):
    """LTKD: `T^2 (alpha * between groups, re-balanced + beta * within groups, each alike)`, groups by frequency.

    The first 33 % of the classes in the order of their counts are the head, the last 33 % the tail, the rest the middle. The
    teacher's masses of the groups are summed over the batch of all ranks and made equal (`cross_group_loss`); within a group
    its distribution is distilled with the same weight for every group (`within_group_loss`). A RECONSTRUCTION, from the
    abstract and third-party notes: the order of re-balancing and normalisation is not public.

    Args:
        temperature: T > 0 of both softmaxes.
        alpha: factor on the part between groups.
        beta: factor on the part within groups.
        others: as `DistillTerm`.

    Source: Kim, Distilling Balanced Knowledge from a Biased Teacher, CVPR 2026 (arXiv 2506.18496).
    """

    name = 'loss_ltkd'

    def __init__(self, temperature: float = 2.0, alpha: float = 1.0, beta: float = 1.0, **others) -> None:
        super().__init__(temperature, **others)
        self.alpha = number(self, 'alpha', alpha, least=0)
        self.beta = number(self, 'beta', beta, least=0)

    def bind(self, model: nn.Module) -> None:
        """Make room for the group of each class."""
        self.num_groups = 1
        self.register_buffer('groups', torch.zeros(model.num_classes, dtype=torch.int64), persistent=False)

    def set_class_counts(self, class_counts: Tensor) -> None:
        """Group the classes by their counts, int64 (K,)."""
        self.groups.copy_(frequency_groups(class_counts))
        self.num_groups = int(self.groups.max()) + 1

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """The loss with one teacher; a teacher of some classes groups those."""
        groups, num_groups, temperature = on_classes(self.groups, teacher), self.num_groups, self.temperature
        if teacher.classes is not None:
            groups = torch.unique(groups, return_inverse=True)[1]  # it may know no class of a group
            num_groups = int(groups.max()) + 1
        logits = on_classes(student.logits, teacher), teacher.logits.detach()
        ours, theirs = (group_log_masses(own, groups, num_groups, temperature) for own in logits)
        totals = theirs.exp().sum(dim=0)
        all_reduce(totals, op='sum')
        between = cross_group_loss(ours, theirs, totals)
        within = within_group_loss(*logits, groups, temperature, (ours, theirs))
        return temperature**2 * (self.alpha * between + self.beta * within)
