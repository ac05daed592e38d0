"""Terms that compare a student's features with those of its teachers; see `distillation` for what they have in common."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.losses import cosine_feature_loss, joined_features, l2_feature_loss, similarity_preserving_loss
from mmlt.models.step import Outputs, Step
from mmlt.models.terms.base import Term
from mmlt.models.terms.distillation import DistillTerm
from mmlt.registry import MODELS

DISTANCES = {'cosine': cosine_feature_loss, 'l2': l2_feature_loss}


@MODELS.register_module()
class FeatureDistillHead(DistillTerm):
    """The student's feature shall be the teacher's: by its direction (`cosine`) or as it is (`l2`).

    Args:
        in_channels: size of the student's feature; None for the network's.
        teacher_channels: size of the teacher's; a linear projection bridges a difference. None for the student's.
        weight, role, teacher_weights: as `DistillTerm`.
        distance: `cosine`, one minus the cosine; `l2`, half the squared distance (FitNets).

    Raises:
        UserError: an unknown distance.
    """

    name = 'loss_feature'

    def __init__(
        self,
        in_channels: int | None = None,
        teacher_channels: int | None = None,
        weight: float = 1.0,
        role: str = 'teacher',
        teacher_weights: Sequence[float] | None = None,
        distance: str = 'cosine',
    ) -> None:
        super().__init__(weight, role, teacher_weights)
        if distance not in DISTANCES:
            raise UserError(f'FeatureDistillHead knows no distance {distance!r}: choose one of {", ".join(DISTANCES)}.')
        self.teacher_channels = teacher_channels
        self.distance = distance
        self.projection: nn.Module | None = None if in_channels is None else self._projection(in_channels)

    def bind(self, model: nn.Module) -> None:
        """Make the projection, if one is needed."""
        if self.projection is None:
            self.projection = self._projection(model.feature_channels)

    def _projection(self, channels: int) -> nn.Module:
        if self.teacher_channels in (None, channels):
            return nn.Identity()
        return nn.Linear(channels, self.teacher_channels, bias=False)

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """See `cosine_feature_loss` and `l2_feature_loss`.

        Raises:
            UserError: the features have another size than the teacher's.
        """
        projected = self.projection(student.features)
        if projected.shape != teacher.features.shape:
            raise UserError(
                f'the teacher has {teacher.features.shape[1]} features and the student {projected.shape[1]}: set '
                f'teacher_channels={teacher.features.shape[1]} of FeatureDistillHead.'
            )
        return DISTANCES[self.distance](projected, teacher.features)


@MODELS.register_module()
class JoinedFeatureDistillHead(Term):
    """One minus the cosine between the student's feature and all teachers' features side by side (`joined_features`).

    Args:
        weight: factor on the loss.
        role: name of the prerequisite that the teachers come by.
    """

    labels = ('one', 'many')

    def __init__(self, weight: float = 1.0, role: str = 'teacher') -> None:
        super().__init__()
        self.weight = number(self, 'weight', weight, least=0)
        self.roles = (role,)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_feature`.

        Raises:
            UserError: the student's feature has another size than the teachers' together.
        """
        student = step.ensemble().features
        target = joined_features([teacher.features for teacher in step.teachers[self.roles[0]]])
        if student.shape != target.shape:
            raise UserError(
                f'the teachers have {target.shape[1]} features side by side and the student {student.shape[1]}: project it, '
                f"model.neck=dict(type='ProjectionNeck', in_channels=..., out_channels={target.shape[1]})."
            )
        return {'loss_feature': self.weight * cosine_feature_loss(student, target)}


@MODELS.register_module()
class RelationDistillHead(DistillTerm):
    """Images that are alike to the teacher shall be alike to the student; see `similarity_preserving_loss`.

    Each rank compares the images of its own batch.

    Args:
        weight, role, teacher_weights: as `DistillTerm`.
    """

    name = 'loss_relation'

    def compare(self, step: Step, student: Outputs, teacher: Outputs) -> Tensor:
        """See `similarity_preserving_loss`."""
        return similarity_preserving_loss(student.features, teacher.features)
