"""The page of a prediction: what was found, the pictures that want a second look, those the model is sure of."""

from collections.abc import Sequence
from typing import Any

from mmlt.analysis.pages import Html, Thumbnail, folded, note, page, section, table, tag, thumbnails, tiles
from mmlt.analysis.prediction import Prediction
from mmlt.analysis.prediction_files import Tally
from mmlt.datasets.decode import read_rgb
from mmlt.errors import UserError
from mmlt.priors import CONVENTIONS, GROUPS

NAMED = 200  # broken files on the page


def prediction_page(title: str, tally: Tally, facts: dict[str, Any], max_value: float | None = None) -> str:
    """The page as text.

    Args:
        title: what was predicted by what.
        tally: of all predictions.
        facts: name and value of what stands at the end, folded away.
        max_value: see `read_rgb`.
    """
    classes = tally.classes
    several = classes.cuts is not None
    found = tally.predicted()
    in_group = {name: sum(tally.images[place] for place in found if classes.groups[place] == name) for name in GROUPS}
    total = max(1, sum(in_group.values()))
    head = tiles([
        ('pictures', f'{tally.read:,}', '', [f'{len(tally.broken):,} could not be read'] if tally.broken else []),
        ('classes found', f'{len(found):,}', f' of {len(classes.names):,}', []),
        *((f'{name}-shot predictions', f'{100 * count / total:.1f}', '%', [f'{count:,} of {total:,}'])
          for name, count in in_group.items() if name in classes.groups),
    ])  # fmt: skip
    sure = 'the probability of the predicted class' if not several else (
        'how sure the class is that is hardest to decide: one half is a coin toss'
    )
    return page(
        title,
        head,
        section(
            'Least certain',
            note(f'Look at these first. The number is {sure}; the word beside it says how many training images stand behind '
                 'the class.'),
            _grid(tally.least_certain, max_value),
        ),
        section('Most certain', note('The surest of each class, class by class.'), _grid(tally.most_certain, max_value)),
        section('Classes', _by_class(tally, found), _unseen(tally)),
        section('Files that could not be read', _broken(tally)) if tally.broken else None,
        folded('Model and settings', table([], [[name, value] for name, value in facts.items()], label='model and settings'),
               note(f'Shot groups: {classes.convention}: {CONVENTIONS[classes.convention]}.')),
        subtitle=f'{tally.read:,} pictures without labels',
    )  # fmt: skip


def _grid(predictions: Sequence[Prediction], max_value: float | None) -> Html:
    boxes = []
    for one in predictions:
        label = one.label or 'none'
        try:
            picture = read_rgb(one.picture, one.picture, max_value)
        except (OSError, UserError):  # it is gone since
            continue
        second = one.top(2)[1:] if one.classes.cuts is None else []
        others = [f'or {name} {value:.3f}' for name, value in second if value >= 5e-4]
        lines = [f'{one.probability:.3f}, {one.group or "no class"}', *others]
        name = one.picture.replace('\\', '/').rpartition('/')[2].encode('utf-8', 'backslashreplace').decode()
        boxes.append(Thumbnail.of(picture, tag('b', label), *lines, name, alt=f'{name}, predicted {label}'))
    return thumbnails(boxes)


def _by_class(tally: Tally, found: Sequence[int]) -> Html:
    classes, most = tally.classes, max([1, *tally.images])
    lines = [
        [
            classes.names[place],
            classes.groups[place],
            f'{classes.counts[place]:,}',
            f'{tally.images[place]:,}',
            tag('meter', value=f'{tally.images[place] / most:.4f}', aria_label=f'{tally.images[place]:,} pictures'),
            f'{100 * tally.expected[place] / max(1, tally.read):.2f}',
        ]
        for place in found
    ]
    return table(['class', 'group', 'training images', 'predicted', '', 'mean probability (%)'], lines, numbers=(2, 3, 5),
                 tall=len(lines) > 30, label='classes')  # fmt: skip


def _unseen(tally: Tally) -> Html | None:
    names = [name for name, images in zip(tally.classes.names, tally.images, strict=True) if not images]
    if not names:
        return None
    shown = ', '.join(names[:40]) + (f' and {len(names) - 40:,} more' if len(names) > 40 else '')
    return note(f'Never predicted: {shown}.')


def _broken(tally: Tally) -> Html:
    lines = [[name.encode('utf-8', 'backslashreplace').decode(), why] for name, why in tally.broken[:NAMED]]
    more = len(tally.broken) - NAMED
    return Html(table(['file', 'problem'], lines, tall=len(lines) > 12, label='files that could not be read')
                + (note(f'And {more:,} more.') if more > 0 else ''))  # fmt: skip
