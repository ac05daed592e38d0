"""ECL: effective collaborative learning (IEEE TMM 2023, arXiv 2305.03378); a reconstruction."""

from collections.abc import Sequence

from mmlt.arguments import number
from mmlt.models.classifiers.multi_expert import MultiExpertClassifier
from mmlt.models.classifiers.ncl import contrast_terms
from mmlt.registry import MODELS


@MODELS.register_module()
class ECLClassifier(MultiExpertClassifier):
    """Experts that teach each other, more where the teaching lags behind. A RECONSTRUCTION: no formulas are public.

    Public (the paper's abstract): experts learn from each other online; what they transfer is imbalanced over the
    classes; the distillation is re-weighted by comparing two classifiers on the same features, one taught by the
    experts, one by the labels; features are distilled too; a contrastive proxy task helps, and is gone at test time.

    Ours: every formula. The labels teach expert k's logits u_k by balanced softmax (`loss`). A second head v_k on the
    same feature learns from the other experts' mean label logits, both with the log prior added, at temperature T. Each
    class is weighted by how much more the label heads give the true class than the distilled heads do
    (`transfer_weights` of running means over the epochs; `Collaboration`). Features approach each other's by cosine
    (`ExpertFeatureDistill`). Each expert contrasts two views of an image (`MomentumContrast`). The prediction is the mean of
    the raw label logits.

    With one expert the terms between experts are 0. Every part has its switch.

    Args:
        head: config of one expert's head; there are two an expert.
        distill_weight: weight of the distillation between experts; 0 removes it and the second heads.
        weighting, temperature, gamma, limit, confidence_momentum: of the distillation, see `Collaboration`.
        feature_weight: weight of the distillation between features; 0 removes it.
        contrast, contrast_weight: as `NCLClassifier`; `contrast=None` removes that branch.
        loss: of the labels; balanced softmax if none is given.
        terms: further terms.
        **others: as `MultiExpertClassifier`.

    Raises:
        UserError: an unknown weighting, or a number out of its range.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        distill_weight: float = 0.6,
        weighting: str = 'class',
        temperature: float = 1.0,
        gamma: float = 1.0,
        limit: float | None = 5.0,
        confidence_momentum: float = 0.9,
        feature_weight: float = 1.0,
        contrast: dict | None = None,
        contrast_weight: float = 0.1,
        loss: dict | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        collaboration = dict(
            type='Collaboration',
            head=head,
            weight=distill_weight,
            weighting=weighting,
            temperature=temperature,
            gamma=gamma,
            limit=limit,
            confidence_momentum=confidence_momentum,
        )
        number(self, 'feature_weight', feature_weight, least=0)
        between = [collaboration] * bool(distill_weight) + [dict(type='ExpertFeatureDistill', weight=feature_weight)] * bool(
            feature_weight
        )
        own = [*(between if backbone.get('num_experts', 3) > 1 else []), *contrast_terms(contrast, contrast_weight)]
        super().__init__(
            backbone, head, loss=loss or dict(type='BalancedSoftmaxLoss'), terms=[*own, *terms], **others
        )
