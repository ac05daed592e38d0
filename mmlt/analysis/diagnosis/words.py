"""What was found, in sentences that the terminal and the page share."""

from typing import NamedTuple

import numpy as np

from mmlt.analysis.diagnosis.duplicates import SURE
from mmlt.analysis.diagnosis.file_check import KINDS
from mmlt.analysis.diagnosis.findings import ALL, Diagnosis
from mmlt.analysis.diagnosis.similar import DISTANCE, LIKENESS
from mmlt.datasets.class_folders import OTHERS, others_told
from mmlt.errors import brief

FIRST = 5  # names that a sentence lists
LEAK = 0.1  # share of an evaluated split from which its look-alikes in training spoil it


class Finding(NamedTuple):
    """One thing to know.

    Args:
        level: `bad`: wrong, and to be put right; `look`: worth a look; `good`: looked for and not found.
        text: the sentence.
    """

    level: str
    text: str


def findings(diagnosis: Diagnosis) -> list[Finding]:
    """All that was looked for, what is wrong first."""
    found = [_broken(diagnosis), *_labels(diagnosis), *_leaks(diagnosis), _copies(diagnosis), _alike(diagnosis),
             *_absent(diagnosis), _flat(diagnosis), *_passed_over(diagnosis)]  # fmt: skip
    return sorted((one for one in found if one), key=lambda one: ('bad', 'look', 'good').index(one.level))


def _broken(diagnosis: Diagnosis) -> Finding:
    counts = {kind: len(diagnosis.scan.of_kind(kind)) for kind in KINDS[1:]}
    if not any(counts.values()):
        return Finding('good', f'All {len(diagnosis.table):,} files are whole: every one was read and decoded to its end.')
    kinds = ', '.join(f'{count:,} {kind}' for kind, count in counts.items() if count)
    return Finding('bad', f'{many(len(diagnosis.broken), "file")} cannot be used: {kinds}.')


def _labels(diagnosis: Diagnosis) -> list[Finding | None]:
    wrong, doubtful = diagnosis.contradictions, diagnosis.doubtful
    found: list[Finding | None] = []
    if wrong:
        found.append(Finding('bad', f'{many(len(wrong), "picture")} {_are(len(wrong))} there more than once with different '
                                    'labels: at least one label of each is wrong.'))  # fmt: skip
    elif diagnosis.exact_groups:
        found.append(Finding('good', 'No picture that is there more than once has labels that disagree.'))
    if doubtful:
        found.append(Finding('look', f'{many(len(doubtful), "pair")} of pictures look the same and are labelled differently: '
                                     'look whether one is mislabelled.'))  # fmt: skip
    return found


def _leaks(diagnosis: Diagnosis) -> list[Finding | None]:
    found: list[Finding | None] = []
    for (one, other), kinds in diagnosis.leaks.items():
        size = diagnosis.counts_of_images(other)
        if kinds['exact']:
            found.append(Finding('bad', f'{many(kinds["exact"], f"{other} image")} of {size:,} {_are(kinds["exact"])} also in '
                                        f'{one}, pixel for pixel.'))  # fmt: skip
        if kinds['near']:
            level = 'bad' if kinds['near'] > LEAK * size else 'look'
            found.append(Finding(level, f'{many(kinds["near"], f"{other} image")} of {size:,} look like an image of {one}: '
                                        'copies, or frames of one scene, which make results look better than they '
                                        'are.'))  # fmt: skip
    if not found and len(diagnosis.splits) > 1:
        found.append(Finding('good', f'No picture is in two splits ({", ".join(diagnosis.splits)}).'))
    return found


def _copies(diagnosis: Diagnosis) -> Finding | None:
    groups = diagnosis.exact_groups
    if not groups:
        return Finding('good', 'No picture is there twice.')
    extra = sum(map(len, groups)) - len(groups)
    files = diagnosis.duplicates.same_file
    same = int((files != np.arange(len(files))).sum())
    how = f'{same:,} by files that are equal to the byte, {extra - same:,} by pixels alone'
    if same in (0, extra):
        how = 'by files that are equal to the byte' if same else 'by pixels, not by bytes'
    return Finding('look', f'{many(extra, "image")} {"repeats" if extra == 1 else "repeat"} another one exactly ({how}).')


def _alike(diagnosis: Diagnosis) -> Finding | None:
    groups = diagnosis.near_groups
    if not groups:
        return None
    images = sum(map(len, groups))
    largest = max(map(len, groups))
    return Finding('look', f'{images:,} images hang together in {many(len(groups), "group")} of look-alikes, at most '
                           f'{largest:,} in one: re-encoded, scaled or cropped copies, or frames of one '
                           'scene. A split must keep each group on one side.')  # fmt: skip


def _absent(diagnosis: Diagnosis) -> list[Finding | None]:
    found: list[Finding | None] = []
    for split, ids in diagnosis.absent.items():
        names = some([diagnosis.table.classes[k] for k in ids])
        where = '' if split == ALL else f' in {split}'
        level = 'bad' if split == diagnosis.splits[diagnosis.training] else 'look'
        which = f'{many(len(ids), "class", "classes")} {_has(len(ids))}'
        found.append(Finding(level, f'{which} no readable image{where}: {names}.'))
    return found


def _flat(diagnosis: Diagnosis) -> Finding | None:
    count = int(diagnosis.duplicates.flat.sum())
    return Finding('look', f'{many(count, "image")} {_are(count)} of one colour.') if count else None


def _passed_over(diagnosis: Diagnosis) -> list[Finding]:
    """What is in the folders or the file of labels, and is not among the images."""
    found, rest = [], dict(diagnosis.table.left_out)
    if count := rest.pop(OTHERS, 0):
        found.append(Finding('look', f'{others_told(diagnosis.table.other_kinds)} {_are(count)} not read: convert the pictures '
                                     'among them to JPEG or PNG.'))  # fmt: skip
    if rest:
        told = ', '.join(f'{count:,} {kind}' for kind, count in sorted(rest.items()))
        found.append(Finding('look', f'Passed over: {told}.'))
    return found


def headline(diagnosis: Diagnosis) -> str:
    """What the set is, in a line."""
    table = diagnosis.table
    splits = ', '.join(f'{name} {diagnosis.counts_of_images(name):,}' for name in diagnosis.splits)
    told = f' ({splits})' if diagnosis.splits != [ALL] else ''
    kinds = ', any number of labels an image' if diagnosis.several else ''
    return f'{len(table):,} images{told}, {many(len(table.classes), "class", "classes")}{kinds}'


def imbalance(diagnosis: Diagnosis) -> str:
    """How long the tail is, in a sentence."""
    counts, classes = diagnosis.class_counts, diagnosis.table.classes
    if not counts.any():
        return 'No class has a readable training image.'
    largest, smallest = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    ratio = diagnosis.imbalance_ratio
    how = 'nearly balanced' if ratio < 2 else 'mildly long-tailed' if ratio < 10 else 'long-tailed'
    return (
        f'{how[0].upper()}{how[1:]}: {counts[largest]:,} training images of {classes[largest]}, {counts[smallest]:,} of '
        f'{classes[smallest]}; imbalance ratio {ratio:.3g}, Gini {diagnosis.gini:.2f}.'
    )


def method_of_looking() -> list[str]:
    """What was checked and how, for those who want to know."""
    return [
        'Files: each is read whole and decoded to its last pixel. JPEG: all compressed data are decoded (at a reduced size, '
        'which skips the last transform alone), the end marker must be there, and with the package simplejpeg the warnings of '
        'the decoder count as damage. PNG: the checksum of every chunk that belongs to the picture, and the end chunk. Other '
        'formats: Pillow decodes them. A changed byte that leaves a valid JPEG cannot be told.',
        'Exact duplicates: the same pixels (BLAKE2b of the upright RGB pixels and their size); files that are equal to the '
        'byte are counted apart.',
        f'Near duplicates: at most {DISTANCE} of the 64 bits of a DCT hash differ, for the whole picture or one of 18 windows '
        f'that lack 4 or 8 % of each side, and what remains correlates with at least {LIKENESS} at 16 x 16 grey pixels, in '
        'about the same light and contrast. All such pairs are found; of images with equal hashes one stands for all.',
        f'Doubtful labels: near duplicates that correlate with at least {SURE} at 32 x 32 grey pixels, are labelled '
        'differently, and one of which has no near duplicate in its own class.',
    ]


def many(count: int, one: str, more: str | None = None) -> str:
    """A number and its noun: `1 file`, `2 files`."""
    return f'{count:,} {one if count == 1 else more or one + "s"}'


def some(names: list[str], most: int = FIRST) -> str:
    """The first of some names."""
    listed = ', '.join(brief(name, 60) for name in names[:most])
    return listed + (f' and {len(names) - most:,} more' if len(names) > most else '')


def _are(count: int) -> str:
    return 'is' if count == 1 else 'are'


def _has(count: int) -> str:
    return 'has' if count == 1 else 'have'
