"""The last step before the model: augment each image with its own draw, then normalise, all on the device."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor

from mmlt.arguments import number
from mmlt.batch import Batch
from mmlt.datasets.transforms.base import apply_transforms
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.registry import MODELS, TRANSFORMS

# Where the further views stand among the streams of a draw: their transforms have streams of their own.
VIEW_POSITION = 2**17


@MODELS.register_module()
class BatchPreprocessor(BaseDataPreprocessor):
    """Move a `Batch` to the device, transform its uint8 images and normalise them.

    Args:
        mean: mean of each channel, in [0, 1].
        std: deviation of each channel, in [0, 1].
        train_transforms: configs of batched transforms, applied in this order while training, to the image or to the first
            of the views that the data set cuts out of it.
        test_transforms: the same for evaluation (none as a rule).
        extra_views: further lists of transforms, each giving one more view of every image while training, for
            contrastive branches: of the whole image, or of the data set's next view.
        channels_last: images and weights in channels-last memory format, which is quicker with and without bfloat16.

    Raises:
        UserError: mean or std are not one number a channel, or not those of pixels from 0 to 1.

    Attributes:
        seed: every draw of a transform is a function of it and of the batch's `keys`; the runner sets it.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        train_transforms: Sequence[dict] = (),
        test_transforms: Sequence[dict] = (),
        extra_views: Sequence[Sequence[dict]] = (),
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        if not all(isinstance(values, (list, tuple)) for values in (mean, std)) or len(mean) != len(std):
            raise UserError(f'BatchPreprocessor: mean and std must be one number a channel each, got {mean!r} and {std!r}.')
        for low, high in zip(mean, std, strict=True):
            number(self, 'each mean (of pixels from 0 to 1)', low, least=0, most=1)
            number(self, 'each std (of pixels from 0 to 1)', high, above=0, most=1)
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1) * 255, persistent=False)
        self.register_buffer('scale', 1 / (torch.tensor(std).view(-1, 1, 1) * 255), persistent=False)
        self.train_transforms = [TRANSFORMS.build(cfg) for cfg in train_transforms]
        self.test_transforms = [TRANSFORMS.build(cfg) for cfg in test_transforms]
        self.extra_views = [[TRANSFORMS.build(cfg) for cfg in view] for view in extra_views]
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.seed = 0

    def forward(self, data: Batch, training: bool = False) -> Batch:
        """Map a batch of uint8 images (B, C, H, W), or (B, V, C, H, W) as the data set cut V views, to the same batch with
        normalised float32 images, (B, C, H, W) or (V, B, C, H, W) of V > 1 views; its partners likewise. Features (B, C) that
        stand in for images pass; of (B, 2, C), the images as they are and mirrored, training takes one by chance and
        evaluation the first."""
        batch = data.to(self.device, non_blocking=True)
        if batch.images.dim() < 4:
            return self._features(batch, training)
        images = self.normalise(self.augment(batch, training))
        if len(images) != len(batch.images):
            images = images.view(-1, len(batch.images), *images.shape[1:])
        partners = None if batch.partners is None else self(batch.partners, training)
        return batch._replace(images=images, partners=partners)

    def _features(self, batch: Batch, training: bool) -> Batch:
        features = batch.images
        if features.dim() == 3 and training:
            mirrored = Draw(self.seed, batch.keys).uniform(1, stream=0) < 0.5  # (B, 1)
            features = torch.where(mirrored, features[:, 1], features[:, 0])
        elif features.dim() == 3:
            features = features[:, 0]
        return batch._replace(images=features)

    def augment(self, batch: Batch, training: bool = True) -> torch.Tensor:
        """The transformed images, uint8 (V * B, C, H, W) of V views one after another, before normalisation.

        Raises:
            UserError: the data set cuts another number of views than there are lists of transforms.
        """
        draw = Draw(self.seed, batch.keys)
        lists = [self.train_transforms, *self.extra_views] if training else [self.test_transforms]
        sources = batch.images.unbind(1) if batch.images.dim() == 5 else [batch.images] * len(lists)
        if len(sources) != len(lists):
            wanted = 'model.data_preprocessor makes' if training else 'an evaluation takes'
            raise UserError(
                f'the data set cuts {len(sources)} views out of an image and {wanted} {len(lists)}: give one pair of crop_area '
                'for each view (train_transforms, then each of extra_views), one alone for evaluation.'
            )
        draws = [draw, *(draw.at(VIEW_POSITION + place) for place in range(len(lists) - 1))]
        views = [apply_transforms(*view) for view in zip(sources, lists, draws, strict=True)]
        return torch.cat(views) if len(views) > 1 else views[0]

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(image / 255 - mean) / std in float32."""
        if len(self.mean) not in (1, images.shape[1]):
            raise UserError(
                f'the images have {images.shape[1]} channels, but data_preprocessor.mean and std {len(self.mean)} numbers: '
                'give one for each channel.'
            )
        images = images.to(torch.float32, memory_format=self.memory_format)
        return images.sub_(self.mean).mul_(self.scale)
