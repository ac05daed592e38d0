"""SSD: self supervision to distillation (Li et al., ICCV 2021), four stages.

1. Features: `LongTailedClassifier` by cross entropy, with `OtherLabelContrast` among its terms.
2. Teacher: `LWSClassifier` on stage 1, class-aware sampling.
3. Student: `SSDClassifier`, below; stages 1 to 3 are the method.
4. `SSDScalingClassifier`, below: LWS on the student's hard head; optional.
"""

from collections.abc import Sequence

from torch import nn

from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.classifiers.lws import LWSClassifier
from mmlt.models.weights import load_weights
from mmlt.registry import MODELS


@MODELS.register_module()
class SSDClassifier(LongTailedClassifier):
    """A fresh network with two heads on one view: the hard one learns the labels, the soft one the teacher.

    `CE(z_hard, y) + T^2 KL(teacher || z_soft)`, images sampled as they are; the soft head, `head`, is used at test. The
    teacher stays in eval mode; in the authors' code it is a sub-module of the student and is put into training mode with
    it, so that it normalises by each batch and its running statistics drift.

    Args:
        head: config of either head.
        temperature: T of the distillation.
        loss: of the labels; cross entropy if none is given.
        terms: further terms.
        **others: as `LongTailedClassifier`.

    Source: Li et al., Self Supervision to Distillation for Long-Tailed Visual Recognition, ICCV 2021, and its code.
    """

    def __init__(
        self,
        head: dict,
        temperature: float = 2.0,
        loss: dict | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        hard = dict(type='HardHead', head=head, loss=loss or dict(type='CrossEntropyLoss'))
        soft = dict(type='LogitDistillHead', temperature=temperature)
        super().__init__(head=head, loss=hard, terms=[soft, *terms], **others)
        self.corrections.append('a balanced teacher, which alone trains the head that predicts')

    @property
    def hard_head(self) -> nn.Module:
        """The head that learned the labels.

        Raises:
            UserError: the model was published for inference, without it.
        """
        if not self.terms:
            raise UserError('this SSDClassifier was published without its hard head: give the checkpoint of its training.')
        return self.terms[0].head


@MODELS.register_module()
class SSDScalingClassifier(LWSClassifier):
    """LWS on the hard head of a finished `SSDClassifier` (the config's `prerequisites.backbone`).

    Args:
        **others: as `LWSClassifier`.
    """

    def attach(self, role: str, models: Sequence[LongTailedClassifier], classes: Sequence = ()) -> None:
        """See `FrozenBackboneClassifier.attach`.

        Raises:
            UserError: the first stage has no hard head.
        """
        if role != 'backbone':
            return super().attach(role, models, classes)
        if not isinstance(models[0], SSDClassifier):
            raise UserError(
                f'{type(self).__name__} scales the hard head of an SSDClassifier, and {type(models[0]).__name__} has none: '
                'correct prerequisites.backbone.'
            )
        super().attach(role, models, classes)
        load_weights(self.head, models[0].hard_head.state_dict(), "the first stage's hard head")
