"""Breadcrumb: class-balanced sampling of features along their trails over the epochs (Liu et al., ECCV 2022)."""

from collections.abc import Sequence

from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.registry import MODELS


@MODELS.register_module()
class BreadcrumbClassifier(LongTailedClassifier):
    """Two heads: one trains the network on the images as they are, the other learns class-balanced features and predicts.

    The second head never sends a gradient back. A rare class has too few images for a balanced batch, so its features of
    earlier epochs are taken too, each moved from its own epoch's mean to the newest one (EMANATE); see `BreadcrumbTrails`.
    The loader needs class-aware partners (`train_dataloader.partner_sampler`) for the first epochs.

    Args:
        head: config of either head; `head` of the model is the balanced one.
        optimizer: of the balanced head.
        param_scheduler: schedules of its learning rate, by epoch.
        max_mib: host memory that the trails may take, in MiB.
        loss: of the labels, for the network; cross entropy if none is given.
        terms: further terms.
        **others: as `LongTailedClassifier`.

    Source: Liu et al., Breadcrumbs: Adversarial Class-Balanced Sampling for Long-Tailed Recognition, ECCV 2022, and its code.
    """

    def __init__(
        self,
        head: dict,
        optimizer: dict,
        param_scheduler: Sequence[dict] = (),
        max_mib: float = 4096,
        loss: dict | None = None,
        terms: Sequence[dict] = (),
        **others,  # noqa: ANN003
    ) -> None:
        instance = dict(type='HardHead', head=head, loss=loss or dict(type='CrossEntropyLoss'))
        trails = dict(type='BreadcrumbTrails', optimizer=optimizer, param_scheduler=param_scheduler, max_mib=max_mib)
        super().__init__(head=head, loss=instance, terms=[trails, *terms], **others)
