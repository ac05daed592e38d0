"""The network of a classifier: backbone, neck and head, one of each or one of each expert; its features and predictions."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmlt.config.check import arguments_of
from mmlt.errors import UserError
from mmlt.models.backbones.multi_expert import MultiExpertBackbone
from mmlt.models.backbones.pooling import feature_channels, pool_features
from mmlt.models.heads import ExpertHeads
from mmlt.models.step import Outputs
from mmlt.registry import MODELS


class Network(BaseModel):
    """What a classifier predicts with; it knows nothing of training.

    Args:
        backbone: config of any backbone of mmlt, mmpretrain or timm (`TimmBackbone`); with a `MultiExpertBackbone` each
            expert has a head, and the prediction is the mean of the experts' raw logits.
        head: config of a head with `num_classes`, which a run asks of its data unless the config says them; its `in_channels`
            are the backbone's unless it says so.
        neck: config of a neck between the two; without one a feature map is averaged over its places.
        data_preprocessor: config of the preprocessor; a `num_classes` in it is the head's, unless that says its own.

    Attributes:
        class_counts: int64 buffer (K,): images a class in the training set, handed over before the run and kept in every
            checkpoint.
        thresholds: (K,) logits from which on a class of several is predicted, where they were chosen (`ThresholdHook`); None
            for 0, a probability of one half. In a checkpoint they stand in `meta`.
        output_scale: of the logits of `outputs` and `prediction`: the loss's own, where that takes plain cosines.
        expert_weights: (E,), the weights of the experts' logits in the prediction, where they were learnt at test time;
            None for equal ones. They are in no checkpoint.

    Raises:
        UserError: parts that do not go together.
    """

    expert_weights: Tensor | None = None
    output_scale: float = 1.0
    thresholds: Tensor | None = None

    def __init__(self, backbone: dict, head: dict, neck: dict | None = None, data_preprocessor: dict | None = None) -> None:
        preprocessor = dict(data_preprocessor or {})
        stated = preprocessor.pop('num_classes', None)
        super().__init__(data_preprocessor=MODELS.build(preprocessor) if preprocessor else None)
        self._classes_of_data = {} if stated is None else dict(num_classes=stated)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else None
        if neck and self.num_experts:
            raise UserError('experts take no neck: leave out model.neck.')
        self._channels: int | None = None
        self.head = self.build_head(head)
        self.register_buffer('class_counts', torch.zeros(self.num_classes, dtype=torch.int64))

    def build_head(self, head: dict) -> nn.Module:
        """The head of this config, or one for each expert; the backbone and the neck are there already."""
        kind = MODELS.get(head['type'])
        if kind.__module__.startswith('mmpretrain.'):
            raise UserError(
                f"model.head: mmpretrain's {kind.__name__} computes its own loss: write head=dict(type='LinearHead') "
                '(with _delete_=True over a _base_), and loss=dict(...) beside it.'
            )
        head = {**self._classes_of_data, **head}
        if 'num_classes' not in head and 'num_classes' in (arguments_of(kind) or ()):
            raise UserError('model.head has no num_classes, and no data to ask are here: set num_classes=... in the config.')
        if 'in_channels' not in head:
            head = {**head, 'in_channels': self.feature_channels}
        return ExpertHeads(head, self.num_experts) if self.num_experts else MODELS.build(head)

    @property
    def num_classes(self) -> int:
        """Number K of classes."""
        return self.head.num_classes

    @property
    def num_experts(self) -> int:
        """Number E of experts; 0 for a single network."""
        return self.backbone.num_experts if isinstance(self.backbone, MultiExpertBackbone) else 0

    @property
    def feature_channels(self) -> int:
        """Size C of the feature vector, of an expert's where there are some."""
        if self._channels is None:
            self._channels = feature_channels(self.backbone, self.neck)
        return self._channels

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout of images and weights: the preprocessor's."""
        return getattr(self.data_preprocessor, 'memory_format', torch.contiguous_format)

    def need_experts(self, who: str) -> None:
        """Refuse a single network.

        Raises:
            UserError: the backbone has no experts.
        """
        if not self.num_experts:
            raise UserError(
                f'{who} needs experts: set '
                "model.backbone=dict(type='MultiExpertBackbone', backbone=dict(...), num_experts=3)."
            )

    def refuse_experts(self, who: str) -> None:
        """Refuse a network of experts.

        Raises:
            UserError: the backbone has experts.
        """
        if self.num_experts:
            raise UserError(f'{who} compares the features of one network, not of experts: choose another backbone.')

    def _apply(self, fn, recurse: bool = True):  # noqa: ANN001, ANN202 - the signature is torch's
        super()._apply(fn, recurse)
        if self.thresholds is not None:  # no buffer, for they stand in `meta` of a checkpoint
            self.thresholds = self.thresholds.to(self.class_counts.device)
        return self

    def set_thresholds(self, thresholds: Sequence[float] | None) -> None:
        """Take over the thresholds of a checkpoint, K logits.

        Raises:
            UserError: another number of them than classes.
        """
        if thresholds is not None and len(thresholds) != self.num_classes:
            raise UserError(f'the checkpoint has {len(thresholds)} thresholds for {self.num_classes} classes: use another one.')
        self.thresholds = None if thresholds is None else torch.tensor(thresholds, device=self.class_counts.device)

    def network(self, images: Tensor) -> Outputs:
        """What the network makes of normalised images (B, 3, H, W): features (B, C) and logits (B, K); of experts (B, E, C)
        and (B, E, K)."""
        maps = self.backbone(images)
        features = maps if self.num_experts else pool_features(self.neck(maps) if self.neck else maps)
        return Outputs(features, self.head(features), maps)

    def combine(self, logits: Tensor) -> Tensor:
        """The prediction (B, K) from the experts' raw logits (B, E, K): their mean, or a weighted one."""
        if self.expert_weights is None:
            return logits.mean(dim=1)
        return (self.expert_weights[:, None] * logits).sum(dim=1)

    def ensemble(self, outputs: Outputs) -> Outputs:
        """The experts' mean feature (B, C) and their prediction (B, K); a single network's outputs as they are."""
        if not self.num_experts:
            return outputs
        return outputs._replace(features=outputs.features.mean(dim=1), logits=self.combine(outputs.logits))

    def outputs(self, images: Tensor) -> Outputs:
        """Features (B, C) and logits (B, K) of normalised images (B, 3, H, W), of experts those of their ensemble."""
        found = self.ensemble(self.network(images))
        return found if self.output_scale == 1 else found._replace(logits=self.output_scale * found.logits)

    def prediction(self, images: Tensor) -> dict[str, Tensor]:
        """What evaluators get of normalised images (B, 3, H, W): `logits` (B, K) in float32, and `expert_logits` (B, E, K)
        and `thresholds` (K,) where there are some."""
        logits = self.output_scale * self.network(images).logits.float()
        cuts = {} if self.thresholds is None else dict(thresholds=self.thresholds)
        if self.num_experts:
            return dict(logits=self.combine(logits), expert_logits=logits, **cuts)
        return dict(logits=logits, **cuts)
