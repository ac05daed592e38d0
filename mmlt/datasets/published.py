"""The published long-tailed sets of large images: their lists, what is known of these, and where the images come from."""

import hashlib
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmlt.datasets.label_files import LabelTable, read_labels
from mmlt.errors import UserError
from mmlt.files import atomic_write
from mmlt.schema import read_json


@dataclass(frozen=True)
class PublishedList:
    """What is known of a list `path label`.

    Args:
        file: its name.
        images: lines.
        least: images of the smallest class; None where that is not known.
        most: images of the largest class; None where that is not known.
        sha256: of the text, of each form in which it is published.
        sorted_sha256: of the sorted lines of each form.
        counts_sha256: of the images of each class, joined by commas, where the text itself is not at hand.
        json: the file that the list is made from where there is none.
    """

    file: str
    images: int
    least: int | None = None
    most: int | None = None
    sha256: tuple[str, ...] = ()
    sorted_sha256: tuple[str, ...] = ()
    counts_sha256: str | None = None
    json: str | None = None


@dataclass(frozen=True)
class PublishedSet:
    """A published set.

    Args:
        title: its name for people.
        classes: how many.
        lists: by split; the training list is the first.
        download: where lists and images come from and where they belong, a line each.
        example: a path as the lists have it.
    """

    title: str
    classes: int
    lists: dict[str, PublishedList]
    download: tuple[str, ...]
    example: str


INAT = 'https://ml-inat-competition-datasets.s3.amazonaws.com'
LISTS = 'https://github.com/facebookresearch/classifier-balancing'
PUBLISHED = {
    'imagenet_lt': PublishedSet(
        'ImageNet-LT', 1000,
        {
            'train': PublishedList(
                'ImageNet_LT_train.txt', 115_846, 5, 1280,
                counts_sha256='93782c2e7eda453ae409fed503a27bc8d430ecb583c7d4b3c3adc93c2887236e',
            ),
            'val': PublishedList(
                'ImageNet_LT_val.txt', 20_000, 20, 20,
                ('9af7ba688acf9532ff5845a8fb14a1e97fdc4c51ac48bc72c08ea9c3f7ff142e',),
                ('dd2bcf4af2184acb672c7da83ece901f856e7ab97f06f1fdcff2499ab5dc3122',),
            ),
            'test': PublishedList(
                'ImageNet_LT_test.txt', 50_000, 50, 50,
                (
                    'd1590191cf8a71fada7b1aaedaa2d139a2aea93ff2f1b755319d0bd8dbaa55d5',  # a folder a class
                    '358650a8b13930b491559b09a48d05dd3c0d76860dc011995cd1896c1a07fb6d',  # all in one folder
                ),
                (
                    '228cdfbc8dd6ef299c9e36bb52b952dacdd470c1e0160c3acdba92ac47ec1603',
                    '890a857cfa9f9e6768db35a740058392dccfe5540708ee494c937973f8ddf59e',
                ),
            ),
        },
        (
            f'lists: data/ImageNet_LT of {LISTS}, or the link in the README of OpenLongTailRecognition (the training list)',
            'images: ILSVRC2012_img_train.tar (138 GB, md5 1d675b47d978889d74fa0da5fadfb00e) and ILSVRC2012_img_val.tar '
            '(6.3 GB, md5 29b22e2961454d5413ddabcf34fc5622) of https://image-net.org, after registration',
            'unpack them into train/ and val/, each with a folder a class (n01440764, ...)',
        ),
        'train/n01440764/n01440764_762.JPEG',
    ),
    'places_lt': PublishedSet(
        'Places-LT', 365,
        {
            'train': PublishedList(
                'Places_LT_train.txt', 62_500, 5, 4980,
                (
                    '726c4871dcbf07ce2f857703bfe32e9a83ffbf52d704239f6d95c4f4f4c247f7',
                    '09410632a22045212fb3231623261e8426ba8dc1887a2b633afeab78ba9c8868',  # images of 256 x 256
                ),
                (
                    '558666ff4f14756ee4dde6e6cd58218c8b1709488fe91f6b9fa1bb4e093f4d20',
                    '7829a7c318a8fdf1d92ee3d3dadd0f17e22a10801f4eecc18315a972a11f4e93',
                ),
                '50c3529becbfdca5cdc4048a8354c1312370d86de7f11ac75d99e7987aba9cea',
            ),
            'val': PublishedList(
                'Places_LT_val.txt', 7_300, 20, 20,
                (
                    '719e3cf3766c09134ea28f56f1036c78def511ac1ed2c2532a6beef78f2439ba',
                    '09cf0e5abf684f946f60b6bf9c526a5ee85d09f555d2c4b9cfaaf22b19d04974',
                ),
                (
                    'ad6888c16dc2c0139cef017b58066dc91b071632424c859d5222f818a114583f',
                    'ca351d18a68641beacee4f6bb8ab233373acfcc186f821ba7463371e99f489d3',
                ),
            ),
            'test': PublishedList(
                'Places_LT_test.txt', 36_500, 100, 100,
                (
                    '44eee8441c8098c59195465abede425721bc35525d75209f9433b161a6eb37bc',
                    '3c34622e44f036b17c7926b0b6bbdd3d335fa63077409ebb06da68afa7073cd9',
                ),
                (
                    '2086598e29b44f7aef2cafa69310674832961c864ee76019341b625bb756bfac',
                    '34d8314e282b2408473fa984d9abafdfa9e3382382f892f6bb079c7ad1a12fad',
                ),
            ),
        },
        (
            f'lists: data/Places_LT of {LISTS}; the v2 lists (data_256/a/airfield/...) fit the small images',
            'images: Places365-Standard, training and validation, of http://places2.csail.mit.edu/download.html',
            'unpack them into train/ and val/, each with a folder a class (airfield, ...); the small images as data_256/ and '
            'val_256/',
        ),
        'train/airfield/00004851.jpg',
    ),
    'inat18': PublishedSet(
        'iNaturalist 2018', 8142,
        {
            'train': PublishedList('iNaturalist18_train.txt', 437_513, 2, 1000, json='train2018.json'),
            'val': PublishedList(
                'iNaturalist18_val.txt', 24_426, 3, 3,
                ('efaeff65f80641b60864470e6f255aa69453406ef5717eec8c6681748f3a61f3',),
                ('8a02b74fac386e8f6abfe301158c63a0afd2fe13275f332fcfe109ae67e5edad',), json='val2018.json',
            ),
        },
        (
            f'lists: {INAT}/2018/train2018.json.tar.gz (md5 bfa29d89d629cbf04d826a720c0a68b0) and val2018.json.tar.gz (md5 '
            'f2ed8bfe3e9901cdefceb4e53cd3775d) beside it: unpack both, the lists are made from them',
            f'images: {INAT}/2018/train_val2018.tar.gz (120 GB, md5 b1c6952ce38f31868cc50ea72d066cc3): unpack it, it makes '
            'train_val2018/',
        ),
        'train_val2018/Plantae/7291/9f8ecb39e5f767e39e9b28e34488f179.jpg',
    ),
    'inat17': PublishedSet(
        'iNaturalist 2017', 5089,
        {
            'train': PublishedList('iNaturalist17_train.txt', 579_184, 9, 3919, json='train2017.json'),
            'val': PublishedList('iNaturalist17_val.txt', 95_986, json='val2017.json'),
        },
        (
            f'lists: {INAT}/2017/train_val2017.zip: unpack it, the lists are made from train2017.json and val2017.json',
            f'images: {INAT}/2017/train_val_images.tar.gz (186 GB, md5 7c784ea5e424efaec655bd392f87301f): unpack it, it makes '
            'train_val_images/',
        ),
        'train_val_images/Plantae/Abies balsamea/0001.jpg',
    ),
}  # fmt: skip


def find_list(published: PublishedList, folder: Path) -> Path | None:
    """The list below a folder, as text or compressed by xz; None where it is not there."""
    return next((path for path in (folder / published.file, folder / f'{published.file}.xz') if path.is_file()), None)


def list_from_json(published: PublishedList, folder: Path) -> Path | None:
    """Write a list from the JSON of iNaturalist, a line an image in its order; None where there is none.

    Raises:
        UserError: the file is something else.
    """
    if published.json is None or not (source := folder / published.json).is_file():
        return None
    try:
        content = read_json(source)
        label_of = {one['image_id']: one['category_id'] for one in content['annotations']}
        lines = [f'{image["file_name"]} {int(label_of[image["id"]])}\n' for image in content['images']]
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f'{type(error).__name__}: {error}'
        raise UserError(f'{source} is no annotation file of iNaturalist ({why}): fetch it again.') from error
    return atomic_write(folder / published.file, ''.join(lines))


def check_list(
    published: PublishedList, path: Path, root: Path, classes: int, own: bool = False
) -> tuple[LabelTable, str, str | None]:
    """Compare a list with what is known of the published one.

    Args:
        published: what is known.
        path: the list.
        root: folder of the images.
        classes: how many there are.
        own: it is a list of one's own with these classes: its numbers may differ.

    Returns:
        The images and labels; what was found out, in words; what is wrong, in words, or None.

    Raises:
        UserError: it cannot be read, or names classes that are not there.
    """
    table = read_labels(path, root, num_classes=classes, several=False)
    counts = np.asarray(table.class_counts)
    said = f'{len(table):,} images, {np.count_nonzero(counts):,} classes of {counts.min():,} to {counts.max():,}'
    content = lzma.decompress(path.read_bytes()) if path.suffix == '.xz' else path.read_bytes()
    if hashlib.sha256(content).hexdigest() in published.sha256:
        return table, f'{said}: the published list', None
    if hashlib.sha256(b''.join(sorted(content.splitlines(keepends=True)))).hexdigest() in published.sorted_sha256:
        return table, f'{said}: the published lines in another order', None
    wanted = f'{published.images:,} images'
    if published.least is not None:
        wanted += f', {classes:,} classes of {published.least:,} to {published.most:,}'
    same = len(table) == published.images and published.least in (None, counts.min()) and published.most in (None, counts.max())
    if same and published.counts_sha256:
        same = hashlib.sha256(','.join(map(str, counts.tolist())).encode()).hexdigest() == published.counts_sha256
    if own:
        lacking = int(np.count_nonzero(counts == 0))
        return table, f'{said}: a list of your own', f'{path} has no image of {lacking:,} classes' if lacking else None
    if same and not published.sha256:
        return table, f'{said}, as published{" in each class" if published.counts_sha256 else ""}', None
    why = 'other lines' if same else f'{said}, where the published one has {wanted}'
    return table, said, f'{path} is not the published list ({why}): fetch it again, or say --own-lists'
