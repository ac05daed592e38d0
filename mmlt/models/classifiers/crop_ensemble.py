"""Several crops of a test image, one prediction."""

import torch
from torch import Tensor

from mmlt.arguments import number
from mmlt.errors import UserError
from mmlt.models.classifiers.base import LongTailedClassifier
from mmlt.models.step import Outputs
from mmlt.registry import MODELS


@MODELS.register_module()
class CropEnsembleClassifier(LongTailedClassifier):
    """The mean of features and logits of five crops, the corners and the middle, of each image larger than the network's.

    Training is that of `LongTailedClassifier`. The test set gives images of a larger `image_size`, 248 for 224 in LIFT
    (test-time ensembling); an image of the network's own size is seen as it is.

    Args:
        crop_size: height and width of a crop, in pixels: those of the training images.
        **others: as `LongTailedClassifier`.

    Raises:
        UserError: the backbone has experts.

    Source: Shi et al., Long-Tail Learning with Foundation Model (LIFT), ICML 2024.
    """

    def __init__(self, crop_size: int, **others) -> None:  # noqa: ANN003
        super().__init__(**others)
        self.refuse_experts(type(self).__name__)
        self.crop_size = number(self, 'crop_size', crop_size, least=1, whole=True)

    def crops(self, images: Tensor) -> list[Tensor]:
        """The crops (B, C, S, S) of images (B, C, H, W): upper left, upper right, lower left, lower right, middle.

        Raises:
            UserError: an image is smaller than a crop, or so large that its crops leave parts of it out.
        """
        height, width = images.shape[2:]
        down, right = height - self.crop_size, width - self.crop_size
        if min(down, right) < 0:
            raise UserError(f'images of {height}x{width} pixels hold no crop of {self.crop_size}: lower model.crop_size.')
        if max(height, width) > 2 * self.crop_size:
            raise UserError(
                f'five crops of {self.crop_size} leave parts of an image of {height}x{width} pixels unseen: set image_size of '
                f'the test data set to at most {2 * self.crop_size}, or to {self.crop_size} for one crop.'
            )
        corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)] if max(down, right) else [(0, 0)]
        return [images[:, :, top : top + self.crop_size, left : left + self.crop_size] for top, left in corners]

    def network(self, images: Tensor) -> Outputs:
        """See `LongTailedClassifier.network`; features (B, C) and logits (B, K) are the mean over the crops."""
        found = [super(CropEnsembleClassifier, self).network(crop) for crop in self.crops(images)]
        if len(found) == 1:
            return found[0]
        return Outputs(*(torch.stack([one[place].float() for one in found]).mean(dim=0) for place in range(2)))
