"""Any model of timm as a backbone."""

import re

from torch import Tensor, nn

from mmlt.errors import UserError, reason
from mmlt.models.pretrained import Weights, find_weights
from mmlt.registry import MODELS

# What torch says where a layer does not fit its input.
SIZES = re.compile(r'size|shape|dimension|channels', re.IGNORECASE)


@MODELS.register_module()
class TimmBackbone(nn.Module):
    """A timm model without its classifier; the features are pooled the way that model pools them.

    timm's models differ in what they return before pooling (maps with the channels first or last, tokens with or
    without a class token), so that only their own pooling is right for all of them.

    Args:
        model_name: name in timm, for instance `resnet18` or `vit_tiny_patch16_224`.
        pretrained: start training from timm's pretrained weights: the file `checkpoint`, a package that brings them
            (docs/photos.md), or the usual hub. Where they cannot be had, a run says so and starts from random weights. They
            are read when a training run begins, not when the model is built: a checkpoint of a run replaces them.
        checkpoint: file of pretrained weights to take instead of a download.
        in_channels: channels of the images.
        img_size: side of the images in pixels, for models that must know it (ViT, Swin); None for the model's own.
        drop_path_rate: probability of stochastic depth, in [0, 1).

    Attributes:
        out_channels: size C of the feature, which `model.head.in_channels` must equal.

    Raises:
        UserError: timm has no such model, or the model does not take one of the arguments.
    """

    def __init__(
        self,
        model_name: str,
        pretrained: bool = False,
        checkpoint: str | None = None,
        in_channels: int = 3,
        img_size: int | None = None,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        import timm  # takes a second

        import mmlt.models.backbones.timm_models  # noqa: F401  its networks get their names in timm

        if not timm.is_model(model_name):
            near = timm.list_models(f'*{model_name[:4]}*')[:3]
            hint = f', perhaps {" or ".join(near)}' if near else ''
            raise UserError(f'timm {timm.__version__} has no model {model_name!r}: choose another{hint}.')
        if checkpoint and not pretrained:
            raise UserError(f'TimmBackbone has checkpoint={checkpoint!r} but pretrained=False: set pretrained=True.')
        self.settings = dict(model_name=model_name, num_classes=0, in_chans=in_channels)
        self.settings |= {} if img_size is None else dict(img_size=img_size)
        self.settings |= dict(drop_path_rate=drop_path_rate) if drop_path_rate else {}
        self.pretrained = pretrained
        self.checkpoint = checkpoint
        self.build()

    def build(self) -> None:
        """Make the network that `settings` describe, with random weights.

        Raises:
            UserError: timm's model does not take one of them.
        """
        import timm

        try:
            self.model = timm.create_model(**self.settings)
        except TypeError as error:
            name = self.settings['model_name']
            raise UserError(f'the timm model {name} does not take what the config gives it: {error}.') from error
        self.out_channels = getattr(self.model, 'head_hidden_size', None) or self.model.num_features

    def narrow(self, first: int, width: float) -> None:
        """Build it anew with other channels in its later stages, with random weights; timm's ResNets alone have them.

        Args:
            first: the first stage, counted from 0, that changes; the stem keeps its width.
            width: factor on the channels, above 0.

        Raises:
            UserError: it is no ResNet.
        """
        from timm.models.resnet import ResNet

        if not isinstance(self.model, ResNet):
            name = self.settings['model_name']
            raise UserError(f'expert_width={width} is for ResNets of timm; leave it out for {name}.')
        blocks = [stage[-1] for stage in (self.model.layer1, self.model.layer2, self.model.layer3, self.model.layer4)]
        planes = [getattr(block, 'conv3', block.conv2).out_channels // block.expansion for block in blocks]
        narrowed = [max(1, round(width * count)) if place >= first else count for place, count in enumerate(planes)]
        self.settings['channels'] = tuple(narrowed)
        self.build()

    @property
    def weights(self) -> Weights | None:
        """Where its pretrained weights come from, found when first asked for; None where none are wanted."""
        return find_weights(self.settings['model_name'], self.checkpoint) if self.pretrained else None

    def init_weights(self) -> None:
        """Take over the pretrained weights; MMEngine calls it once, at the beginning of a training run.

        Raises:
            UserError: there is no such file, or it does not fit.
        """
        found = self.weights
        if found is None or found.file is None:
            return
        import timm

        try:
            source = dict(file=str(found.file))  # arrays, which timm reads by itself
            if found.package:
                source = dict(state_dict=found.package.weights(found.file))
            elif found.file.suffix not in ('.npz', '.npy'):  # older versions of timm would run what a file holds
                source = dict(state_dict=timm.models.load_state_dict(str(found.file), weights_only=True))
            donor = timm.create_model(**self.settings, pretrained=True, pretrained_cfg_overlay=source)
        except Exception as error:  # a file of other shapes or of more than plain data
            named = f'{found.file} (backbone.checkpoint)' if self.checkpoint else str(found.file)
            raise UserError(
                f'{named} gives the timm model {self.settings["model_name"]} no weights ({reason(error)}): name another file.'
            ) from error
        self.take_weights(donor.state_dict())

    def take_weights(self, state: dict[str, Tensor]) -> None:
        """Take over weights by timm's names."""
        self.model.load_state_dict(state)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Map images (B, in_channels, H, W) to pooled features (B, out_channels), in a tuple.

        Raises:
            UserError: the model takes no images of this size.
        """
        try:
            return (self.model(images),)
        except (AssertionError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not SIZES.search(str(error)):
                raise
            size = f'{images.shape[2]}x{images.shape[3]}'
            raise UserError(
                f'the timm model {self.settings["model_name"]} takes no images of {size} pixels ({reason(error)}): '
                f'set model.backbone.img_size={images.shape[2]} where the model has it, or resize the images.'
            ) from error
