"""CMO: context-rich minority oversampling."""

from mmlt.models.mixing.cutmix import CutMix
from mmlt.registry import MODELS


@MODELS.register_module()
class CMO(CutMix):
    """CutMix that pastes rare classes, as foreground, onto ordinary images, as background.

    What makes it CMO is where the partners come from: `train_dataloader.partner_sampler` must prefer rare classes.
    The authors' code weighs each image by 1 / n_c, which draws every class equally often: `ClassBalancedSampler`. (The
    paper's formula, a class in proportion to 1 / n_c, is `ReversedSampler`.) They decide batch by batch whether to paste and
    draw one box for all images; here every image decides and has a box of its own.

    Args:
        alpha: of the beta distribution of the background's share.
        probability: that an image gets a foreground.
        first_epoch, end_epoch: see `Mixing`; the authors' code leaves out the first four epochs and the last three.

    Source: Park et al., The Majority Can Help the Minority: Context-rich Minority Oversampling for Long-tailed
    Classification, CVPR 2022, algorithm 1 and the authors' code.
    """

    def __init__(
        self, alpha: float = 1.0, probability: float = 0.5, first_epoch: int = 4, end_epoch: int | None = None
    ) -> None:
        super().__init__(alpha, probability, first_epoch, end_epoch)
