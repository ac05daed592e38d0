"""PaCo and GPaCo: class logits and similarities to other images in one softmax."""

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class PaCoClassifier(LongTailedClassifier):
    """PaCo (`PaCoTerm`): a momentum encoder makes keys of a second view. All but the classifier is gone at test time.

    Source: Cui et al., Parametric Contrastive Learning, ICCV 2021, and its code.

    Args:
        projector: keywords of `Projector`.
        alpha: weight of a positive key beside the class logit's 1.
        temperature: of the similarities.
        queue_size: number of keys kept from past batches, at least the batch of all ranks.
        momentum: of the momentum encoder (backbone, neck and projector).
        **others: as `LongTailedClassifier`, but for `loss`.
    """

    settled = ('loss',)

    def __init__(
        self,
        projector: dict,
        alpha: float = 0.01,
        temperature: float = 0.05,
        queue_size: int = 1024,
        momentum: float = 0.999,
        **others,  # noqa: ANN003
    ) -> None:
        paco = dict(type='PaCoTerm', projector=projector, alpha=alpha, temperature=temperature, queue_size=queue_size)
        super().__init__(loss=dict(paco, momentum=momentum), **others)


@MODELS.register_module()
class GPaCoClassifier(LongTailedClassifier):
    """GPaCo (`GPaCoTerm`): PaCo without a momentum encoder; both views are anchors.

    Source: Cui et al., Generalized Parametric Contrastive Learning, TPAMI 2023, and its code (long-tailed part). Each view
    passes through the network by itself, as there.

    Args:
        projector, alpha, temperature, queue_size: as `PaCoClassifier`.
        **others: as `LongTailedClassifier`, but for `loss`.
    """

    settled = ('loss',)

    def __init__(
        self,
        projector: dict,
        alpha: float = 0.01,
        temperature: float = 0.05,
        queue_size: int = 1024,
        **others,  # noqa: ANN003
    ) -> None:
        gpaco = dict(type='GPaCoTerm', projector=projector, alpha=alpha, temperature=temperature, queue_size=queue_size)
        super().__init__(loss=gpaco, **others)
