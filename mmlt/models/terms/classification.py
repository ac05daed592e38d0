"""The losses of labels: one loss for every classifier, or several experts with one each."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.losses.base import MMPretrainLoss, PlainLoss, as_loss
from mmlt.models.losses.experts import SADE_EXPERTS, balpoe_loss, sade_loss
from mmlt.models.step import Step
from mmlt.models.terms.base import Term
from mmlt.registry import MODELS


@MODELS.register_module()
class Classification(Term):
    """A loss of the labels, summed over the experts where there are some.

    Args:
        loss: config of a loss, or the loss.
        logit_scale: the logits are divided by it first, for a loss that scales cosines itself.
        weight: factor on the loss.
    """

    takes_class_weights = True

    def __init__(self, loss: dict, logit_scale: float = 1.0, weight: float = 1.0) -> None:
        super().__init__()
        self.loss = as_loss(MODELS.build(loss) if isinstance(loss, dict) else loss)
        self.logit_scale = number(self, 'logit_scale', logit_scale, above=0)
        self.weight = number(self, 'weight', weight, least=0)

    @property
    def former_names(self) -> dict[str, str]:
        """The loss's parts; those of a module behind the interface of `Loss` lie deeper now."""
        return {'loss.': 'loss.loss.' if type(self.loss) in (PlainLoss, MMPretrainLoss) else 'loss.'}

    @property
    def labels(self) -> tuple[str, ...]:
        """The loss's."""
        return ('many',) if self.loss.multi_label else ('one',)

    @property
    def unmixable(self) -> str | None:
        """A loss without `sample_weights` cannot be mixed."""
        if self.loss.weighs_samples:
            return None
        name = type(getattr(self.loss, 'loss', self.loss)).__name__
        return f'{name} must derive from mmlt.models.losses.Loss and take sample_weights (B,)'

    @property
    def balanced_by(self) -> str | None:
        """The loss's."""
        return self.loss.balanced_by

    @property
    def prior_taken(self) -> float:
        """The loss's."""
        return self.loss.prior_taken

    @property
    def output_scale(self) -> float:
        """What the loss does to the network's logits."""
        return self.loss.logit_scale / self.logit_scale

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_cls`."""
        return {'loss_cls': self.weight * self.of_logits(step, step.outputs().logits)}

    def of_logits(self, step: Step, logits: Tensor) -> Tensor:
        """The loss, a scalar, of logits (B, K), or summed over the experts of (B, E, K)."""
        if self.logit_scale != 1:
            logits = logits / self.logit_scale
        if logits.dim() == 2:
            return step.label_loss(self.loss, logits)
        return torch.stack([step.label_loss(self.loss, own) for own in logits.unbind(1)]).sum()


@MODELS.register_module()
class ExpertPriors(Term):
    """SADE: each expert learns the labels for another class distribution of the test set; see `sade_loss`.

    Args:
        experts: what each expert is trained for: `forward`, `uniform` or `backward`.
        tau: how far a `backward` expert leans to the tail.

    Raises:
        UserError: `experts` does not name one of the three for each expert of the network.
    """

    def __init__(self, experts: Sequence[str] = SADE_EXPERTS, tau: float = 2.0) -> None:
        super().__init__()
        self.experts = tuple(experts)
        self.tau = number('SADE', 'tau', tau, least=0)
        self.balanced_by = "SADE's experts (model.experts)" if set(self.experts) != {'forward'} else None

    def bind(self, model: nn.Module) -> None:
        """Compare with the network's experts."""
        if len(self.experts) != model.num_experts or not set(self.experts) <= set(SADE_EXPERTS):
            raise UserError(
                f'SADE trains each of the {model.num_experts} experts for one of {", ".join(SADE_EXPERTS)}: correct '
                f'model.experts={list(self.experts)}.'
            )

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_cls`, the sum of the experts' losses."""
        logits, target, shares = step.by_label(step.outputs().logits)
        return {'loss_cls': sade_loss(logits, target, step.prior.class_counts, self.experts, self.tau, shares)}


@MODELS.register_module()
class ExpertTaus(Term):
    """BalPoE: each expert learns by the logit-adjusted loss with its own strength of the prior; see `balpoe_loss`.

    Args:
        taus: the strengths.

    Raises:
        UserError: `taus` does not name one number for each expert of the network.
    """

    @property
    def balanced_by(self) -> str | None:
        """Experts of several strengths predict as one of the mean strength."""
        return "BalPoE's experts (model.taus)" if sum(self.taus) else None

    @property
    def prior_taken(self) -> float:
        """The mean strength."""
        return sum(self.taus) / len(self.taus)

    def __init__(self, taus: Sequence[float] = (0.0, 1.0, 2.0)) -> None:
        super().__init__()
        self.taus = tuple(number('BalPoE', 'each tau', tau) for tau in taus)

    def bind(self, model: nn.Module) -> None:
        """Compare with the network's experts."""
        if len(self.taus) != model.num_experts:
            raise UserError(
                f'BalPoE needs one tau for each of its {model.num_experts} experts: correct '
                f'model.taus={list(self.taus)}.'
            )

    def forward(self, step: Step) -> dict[str, Tensor]:
        """`loss_cls`, the mean of the experts' losses."""
        logits, target, shares = step.by_label(step.outputs().logits)
        return {'loss_cls': balpoe_loss(logits, target, step.prior.class_counts, self.taus, shares)}
