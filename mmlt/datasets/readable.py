"""Which of many image files cannot be read, remembered for as long as the files stay as they are."""

from collections.abc import Sequence

import cv2
import numpy as np
import PIL

from mmlt.datasets import image_files
from mmlt.datasets.decode import check_header
from mmlt.errors import UserError


def unreadable(dataset, places: np.ndarray, files: Sequence[str], facts: np.ndarray) -> dict[int, str]:  # noqa: ANN001
    """The numbers, among these, of the images that cannot be read, each with its name and the reason.

    Args:
        dataset: a `StreamingDataset`; its `check` says whether all pixels are read or the first bytes alone.
        places: (M,) of the images.
        files: their M paths.
        facts: see `facts_of`, (M, 6).
    """

    def look(number: int) -> str | None:
        named = dataset.named(places[number])
        try:
            if dataset.check == 'pixels':
                dataset[int(places[number])]
            else:
                check_header(files[number], named, dataset.max_value)
        except UserError as error:
            return str(error).removeprefix(f'{named} ').removesuffix('.').removesuffix(': replace it')
        return None

    def make() -> dict[str, str]:
        said = image_files.in_threads(look, range(len(places)))
        return {str(number): text for number, text in enumerate(said) if text}

    def fits(known: object) -> bool:
        return isinstance(known, dict) and all(
            key.isdecimal() and int(key) < len(places) and isinstance(text, str) for key, text in known.items()
        )

    by = f'{PIL.__version__} {cv2.__version__} {dataset.backend}'
    reader = f'{type(dataset).__module__}.{type(dataset).__qualname__} {dataset.check} {dataset.max_value} {by}'
    known = image_files.remembered(reader, files, facts, make, fits)
    return {int(number): f'{dataset.named(places[int(number)])} {text}' for number, text in known.items()}
