"""The test images on a report: mistakes are looked at, not counted."""

from typing import Any

import numpy as np

from mmlt.analysis.pages import Html, Thumbnail, note
from mmlt.analysis.run_files import RunFiles
from mmlt.errors import reason

MOST = 120  # pictures on a page, each at most `pages.pictures.SIDE` pixels wide: what the page's size depends on


class TestPictures:
    """Thumbnails of the images that a run was evaluated on.

    Args:
        run: the run.
        test_data: the data set; None where it is not there.

    Attributes:
        why_not: a sentence for the page where there are no pictures; None where there are.
    """

    __test__ = False  # for pytest: no test, in spite of its name

    def __init__(self, run: RunFiles, test_data: Any) -> None:
        self.data = test_data
        self.left = MOST
        self.why_not = None
        if not run.images:
            self.why_not = 'This run left no predictions of single images: evaluate it again for pictures of its mistakes.'
        elif test_data is None:
            self.why_not = 'The test images were not at hand when this page was written, so it has no pictures.'
        elif _is_another(run, test_data):
            self.why_not = 'The test set has changed since this run was evaluated, so this page has no pictures.'

    def thumbnail(self, place: int, *lines: Any, alt: str) -> Thumbnail | None:
        """One test image, or None where there are no pictures (any more).

        Args:
            place: in the test set.
            lines: below the picture.
            alt: what it shows.
        """
        if self.why_not or not self.left:
            return None
        try:
            picture = Thumbnail.of(self.data[int(place)][0], *lines, alt=alt)
        except Exception as error:  # of any data set, a user's own too: a page is no reason to fail
            self.why_not = f'A test image could not be read ({reason(error)}), so pictures are missing here.'
            return None
        self.left -= 1
        return picture

    @property
    def note(self) -> Html | None:
        """Why there are no pictures."""
        return note(self.why_not) if self.why_not else None


def _is_another(run: RunFiles, data: Any) -> bool:
    """Whether a data set is not the one that a run was evaluated on: by its content where the run names that, by its labels."""
    target, said = run.images['target'], run.record.get('test_data')
    if not np.array_equal(np.asarray(data.labels) > 0.5, target > 0.5):
        return True
    if target.ndim == 1 and not np.array_equal(data.labels, target):
        return True
    if not said or not hasattr(data, 'fingerprint'):
        return False
    try:
        found = data.fingerprint()
    except Exception:  # an image is gone, for instance; a page is no reason to fail
        return True
    return any(found.get(key) != said[key] for key in ('indices_sha256', 'content_sha256'))
