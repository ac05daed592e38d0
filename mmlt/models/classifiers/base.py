"""The classifier every method starts from: a backbone, a head and a loss."""

import inspect

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.backbones.pooling import pool_features
from mmlt.models.heads import Outputs
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.models.momentum import MomentumEncoder
from mmlt.registry import MODELS

# Where a loss stands among the transforms of the preprocessor, whose streams are numbered by their place in the list.
LOSS_POSITION = 2**18


@MODELS.register_module()
class LongTailedClassifier(BaseModel):
    """Backbone, optional neck, head; trained with one loss of `(logits, target, class_counts, class_weights)`.

    Args:
        backbone: config of any backbone of mmlt, mmpretrain or timm (`TIMMBackbone`).
        head: config of a head with `num_classes`.
        loss: config of the loss.
        neck: config of a neck between the two; without one a feature map is averaged over its places.
        reweighting: keywords of `ClassReweighting` (`beta`, `start_epoch`): class weights for the loss, deferred if wanted.
        data_preprocessor: config of the preprocessor.

    Attributes:
        class_counts: int64 buffer (K,): images a class in the training set, handed over before the run and kept in every
            checkpoint.
        views: how many views of each image the method learns from.
    """

    views = 1

    def __init__(
        self,
        backbone: dict,
        head: dict,
        loss: dict | None = None,
        neck: dict | None = None,
        reweighting: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor) if data_preprocessor else None)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else None
        self.head = self.build_head(head)
        self.loss = MODELS.build(loss or dict(type='CrossEntropyLoss'))
        self._loss_draws = 'draw' in inspect.signature(self.loss.forward).parameters
        self._draw: Draw | None = None
        self.reweighting = ClassReweighting(self.num_classes, **reweighting) if reweighting else None
        self.register_buffer('class_counts', torch.zeros(self.num_classes, dtype=torch.int64))
        self._followers: list[nn.Module] | None = None

    def build_head(self, head: dict) -> nn.Module:
        """The head of this config; the backbone is there already."""
        return MODELS.build(head)

    @property
    def num_classes(self) -> int:
        """Number K of classes."""
        return self.head.num_classes

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout of images and weights: the preprocessor's."""
        return getattr(self.data_preprocessor, 'memory_format', torch.contiguous_format)

    def set_class_counts(self, class_counts: list[int]) -> None:
        """Take over the training set's counts.

        Raises:
            UserError: the head has another number of classes than the data.
        """
        if len(class_counts) != self.num_classes:
            raise UserError(
                f'the head has {self.num_classes} classes but the training set {len(class_counts)}: '
                f'set model.head.num_classes={len(class_counts)}.'
            )
        self.class_counts.copy_(torch.as_tensor(class_counts))
        self.refresh_class_counts()

    def refresh_class_counts(self) -> None:
        """Hand the buffer's counts on to every part that keeps weights of its own (after loading a checkpoint too)."""
        for module in self.modules():
            if isinstance(module, ClassReweighting):
                module.set_class_counts(self.class_counts)

    def set_epoch(self, epoch: int) -> None:
        """Tell every part with a schedule which epoch (from 0) begins."""
        for module in self.modules():
            if module is not self and hasattr(module, 'set_epoch'):
                module.set_epoch(epoch)

    def init_weights(self) -> None:
        """Initialise the parts that ask for it; momentum encoders then begin as copies of their networks."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, MomentumEncoder):
                module.copy_query()

    def after_step(self, updated: bool) -> None:
        """Tell every part that follows the training, such as momentum encoders and queues, that a step is done.

        Args:
            updated: whether the weights changed; not so while gradients are added up.
        """
        if self._followers is None:
            self._followers = [m for m in self.modules() if m is not self and hasattr(m, 'after_step')]
        for module in self._followers:
            module.after_step(updated)

    def check_batch(self, labels: Tensor, keys: Tensor) -> None:
        """Refuse a training batch that the method cannot use; called outside a compiled step, so it may look at values.

        Args:
            labels: int64 (B,).
            keys: int64 (B,).
        """

    def outputs(self, images: Tensor) -> Outputs:
        """Features (B, C) and logits (B, K) of normalised images (B, 3, H, W)."""
        features = self.backbone(images)
        features = pool_features(self.neck(features) if self.neck else features)
        return Outputs(features, self.head(features))

    def classification_loss(self, logits: Tensor, target: Tensor, sample_weights: Tensor | None = None) -> Tensor:
        """The loss of these logits (scalar), class-weighted where the config says so.

        Args:
            logits: (B, K).
            target: int64 (B,).
            sample_weights: (B,), how many times each sample counts in the mean; None for once each.
        """
        weights = self.reweighting.weights if self.reweighting else None
        named = {} if sample_weights is None else dict(sample_weights=sample_weights)  # a loss need not know them
        if self._loss_draws:
            named['draw'] = self._draw
        return self.loss(logits, target, self.class_counts, weights, **named)

    def begin_step(self, keys: Tensor | None) -> None:
        """Key the random numbers of the loss, if it has any, to the images of this step.

        Args:
            keys: identities of the draws, int64 (B,), one for each row of logits that the loss will see; None for none.
        """
        if self._loss_draws:
            self._draw = None if keys is None else Draw(self.data_preprocessor.seed, keys).at(LOSS_POSITION)

    def prediction(self, images: Tensor) -> dict[str, Tensor]:
        """What evaluators get of normalised images (B, 3, H, W): `logits` (B, K) in float32."""
        return dict(logits=self.outputs(images).logits.float())

    def losses(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The training losses, a dict of scalars whose names contain `loss`; they are summed. Methods override this.

        Args:
            images: (B, 3, H, W), or (V * B, 3, H, W) where the preprocessor gives V views: all images of one view
                after all of the one before.
            target: int64 (B,).
        """
        return {'loss_cls': self.classification_loss(self.outputs(images).logits, target)}

    def forward(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        indices: Tensor | None = None,
        keys: Tensor | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Tensor]]:
        """MMEngine's three modes on a preprocessed `Batch`.

        Args:
            images: normalised, float (B, C, H, W).
            labels: int64 (B,).
            indices: place of each image in its data set, int64 (B,).
            keys: identities of the draws, int64 (B,); for a loss with random numbers.
            mode: `tensor` gives logits (B, K); `loss` a dict of scalars; `predict` one record
                `[dict(logits, target, indices)]` for the whole batch, logits in float32.

        Raises:
            UserError: the method learns from another number of views than the preprocessor gives.
        """
        if mode == 'loss':
            if len(images) != self.views * len(labels):
                raise UserError(
                    f'{type(self).__name__} learns from {self.views} view(s) of an image and the preprocessor gives '
                    f'{len(images) // len(labels)}: correct model.data_preprocessor.extra_views.'
                )
            self.begin_step(keys)
            return self.losses(images, labels)
        if mode == 'tensor':
            return self.outputs(images).logits
        if mode == 'predict':
            return [dict(**self.prediction(images), target=labels, indices=indices)]
        raise ValueError(f'mode is tensor, loss or predict, not {mode!r}.')
