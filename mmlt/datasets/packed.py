"""A data set that is one file: images, labels and classes of `tools/pack_images.py`."""

from collections.abc import Sequence
from pathlib import Path

from mmlt.datasets.naming import own_path
from mmlt.datasets.pack import Pack
from mmlt.datasets.scaling import CROP_AREA, Area
from mmlt.datasets.streaming import StreamingDataset
from mmlt.errors import UserError
from mmlt.registry import DATASETS


@DATASETS.register_module()
class PackedImages(StreamingDataset):
    """The images of one split of a pack, with the labels and classes that were packed with them; no other file is needed.

    Args:
        pack: the file.
        split: which of its splits; None where it has one alone.
        image_size: height and width of the images given out, in pixels.
        name: of the data set; None for that of the split, or of the file where it has one split.
        resize, crop, crop_seed, check, on_broken, backend, crop_area: see `StreamingDataset`.

    Raises:
        UserError: see `Pack`; no such split.
    """

    def __init__(
        self,
        pack: str | Path,
        split: str | None = None,
        image_size: int = 224,
        resize: int | None = None,
        crop: str = 'center',
        crop_seed: int = 0,
        name: str | None = None,
        check: str = 'files',
        on_broken: str = 'stop',
        backend: str = 'opencv',
        crop_area: Area | Sequence[Area] = CROP_AREA,
    ) -> None:
        path = own_path(pack, 'pack')
        opened = Pack(path)
        if split not in opened.splits and not (split is None and len(opened.splits) == 1):
            said = 'the pack has several splits' if split is None else f'the pack has no split {split!r}'
            raise UserError(f'{path}: {said}; set split to one of {", ".join(opened.splits)}.')
        alone = split is None
        split = next(iter(opened.splits)) if alone else split
        places, labels = opened.splits[split]
        classes = next(one['classes'] for one in opened.meta['splits'] if one['name'] == split)
        super().__init__(
            name or (path.name.partition('.')[0] if alone else split), path.parent, opened.names(places.tolist()), labels,
            tuple(classes), image_size, resize, crop, crop_seed, check, on_broken, None, backend, path, crop_area,
        )  # fmt: skip
