"""Two images into one, with two labels: every image decides by itself, from its own draw."""

from mmlt.models.mixing.base import Mixed, Mixing
from mmlt.models.mixing.cmo import CMO
from mmlt.models.mixing.cutmix import CutMix
from mmlt.models.mixing.mixup import Mixup
from mmlt.models.mixing.remix import Remix

__all__ = ['CMO', 'CutMix', 'Mixed', 'Mixing', 'Mixup', 'Remix']
