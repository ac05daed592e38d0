"""Pages that people look at: one file each, needing nothing but itself, in light and dark, on a phone and on paper.

`page` puts parts together; a part is HTML made by the functions here. Text handed to them is escaped; only what is `Html`
stands as it is.
"""

from mmlt.analysis.pages.parts import (
    Html,
    columns,
    figure,
    folded,
    join,
    note,
    page,
    section,
    table,
    tag,
    tiles,
)
from mmlt.analysis.pages.pictures import Thumbnail, picture_uri, thumbnails
from mmlt.analysis.pages.plot import Plot, axis_end, legend, responsive, single

__all__ = [
    'Html', 'Plot', 'Thumbnail', 'axis_end', 'columns', 'figure', 'folded', 'join', 'legend', 'note', 'page', 'picture_uri',
    'responsive', 'section', 'single', 'table', 'tag', 'thumbnails', 'tiles',
]  # fmt: skip
