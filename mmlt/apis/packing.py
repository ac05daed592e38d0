"""Making and checking packs of images: `tools/pack_images.py`."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmlt.apis.cli import run_tool

FOLDER_SPLITS = ('train', 'val', 'test')


def arguments() -> argparse.Namespace:
    """The command line of `pack_images`."""
    parser = argparse.ArgumentParser(
        description='Store the images of a data set once, made small, in one file that training reads several times as fast as '
        'large photographs. A stopped command goes on when it is run again.',
        epilog="In a config: pack='FILE' of ImageList, ImageFolder and MultiLabelDataset, or dict(type='PackedImages', "
        "pack='FILE', split='...'), which needs no other file.",
    )
    parser.add_argument('file', help='the pack to write, or to check')
    parser.add_argument('--root', help='folder of the images; without --lists it holds a folder a class, or train, val and '
                        'test with these in each')  # fmt: skip
    parser.add_argument('--lists', nargs='+', default=[], metavar='FILE', help='annotation lists `path label`; each is a split')
    parser.add_argument('--side', type=int, default=256, help='shorter side in pixels; smaller images stay (default 256)')
    parser.add_argument('--quality', type=int, default=90, help='of the JPEGs, 1 to 100 (default 90)')
    parser.add_argument('--max-value', type=float, help='the grey value that is white, of floats and images of over 8 bits')
    parser.add_argument('--on-broken', choices=('stop', 'skip'), default='stop', help='what becomes of an image that is '
                        'missing or cannot be read: stop (default), or leave it out')  # fmt: skip
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes (default: one a core)')
    parser.add_argument('--check', action='store_true', help='read the whole file and compare every checksum; write nothing')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    args = parser.parse_args()
    if args.check == bool(args.root):
        parser.error('give --root DIR to write a pack, or --check to check one')
    if args.side < 1 or not 1 <= args.quality <= 100 or args.workers < 1:
        parser.error('--side and --workers must be at least 1, --quality 1 to 100')
    return args


@contextmanager
def progress_of(title: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on a terminal, and nothing elsewhere; a function is told how many are done, and a few words."""
    from mmlt.engine.console import console, on_terminal

    if not on_terminal():
        yield lambda done, words='': None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    texts = [TextColumn(f'{{task.{field}}}') for field in ('description', 'fields[words]')]
    columns = (texts[0], BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), texts[1])
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total, words='')
        yield lambda done, words='': bar.update(task, completed=done, words=words)


def splits_of(root: Path, lists: list[str]) -> list:
    """What to pack, by splits.

    Args:
        root: folder of the images.
        lists: annotation lists.
    """
    from mmlt.datasets import ImageFolder, ImageList
    from mmlt.datasets.label_files.folders import class_names_below
    from mmlt.datasets.naming import existing_folder
    from mmlt.datasets.pack_writer import Split
    from mmlt.errors import UserError

    root = existing_folder(root, 'the pack')
    if lists:
        sets = [ImageList(root, file, image_size=1) for file in lists]
        longest = max((data.classes for data in sets), key=len)
        for data in sets:
            if data.classes != longest[: len(data.classes)]:
                raise UserError('the lists call their classes otherwise: pack them one by one.')
    else:
        folders = [name for name in FOLDER_SPLITS if (root / name).is_dir()]
        classes = class_names_below({name: root / name for name in folders}) if folders else None
        sets = [ImageFolder(root / name, image_size=1, name=name, classes=classes) for name in folders] or [
            ImageFolder(root, image_size=1)
        ]
        longest = None
    if len({data.name for data in sets}) < len(sets):
        raise UserError('two lists have one name, and each is a split of the pack: rename one.')
    found = []
    for data in sets:
        above = '' if data.root == root else f'{data.root.relative_to(root)}/'
        paths = [above + data.path(place) for place in range(len(data))]
        found.append(Split(data.name, paths, data.labels, longest or data.classes))
    return found


def pack_images(args: argparse.Namespace) -> None:
    """Write a pack and say what it holds."""
    from mmlt.datasets.naming import own_path
    from mmlt.datasets.pack_writer import Recipe, write_pack
    from mmlt.engine.console import console
    from mmlt.errors import UserError

    path, root = own_path(args.file, 'FILE'), own_path(args.root, '--root')
    if path.exists():
        raise UserError(f'{path} is there already: check it with --check, delete it, or write another file.')
    splits = splits_of(root, args.lists)
    total = len({name for split in splits for name in split.paths})
    before = f'{total:,} images'
    console.print(f'packing {before} of {root} into {path}', markup=False)
    with progress_of('packing', total) as tell:
        pack, left_out = write_pack(
            path, root, splits, Recipe(args.side, args.quality, args.max_value), args.workers, args.on_broken == 'skip',
            lambda done, size: tell(done, f'{size / 2**20:,.0f} MiB'),
        )  # fmt: skip
    console.print(f'{path}: {len(pack):,} {pack.words}, {path.stat().st_size / 2**20:,.1f} MiB', markup=False)
    for name, (places, _) in pack.splits.items():
        classes = next(one['classes'] for one in pack.meta['splits'] if one['name'] == name)
        console.print(f'  split {name}: {len(places):,} images of {len(classes):,} classes', markup=False)
    for name in left_out:
        console.print(f'  left out: {name}', markup=False)


def check_pack(args: argparse.Namespace) -> None:
    """Read all of a pack."""
    from mmlt.datasets.pack import Pack
    from mmlt.datasets.pack_writer import check_images
    from mmlt.engine.console import console
    from mmlt.errors import UserError

    pack = Pack(args.file)
    with progress_of('checking', len(pack)) as tell:
        found = check_images(pack, args.workers, tell)
    if found:
        more = f'; and {len(found) - 5:,} more' if len(found) > 5 else ''
        raise UserError(f'{len(found):,} of the {len(pack):,} images in {pack.path} are damaged: {"; ".join(found[:5])}{more}. '
                        'Make the pack again, or copy it again.')  # fmt: skip
    console.print(f'{pack.path}: all {len(pack):,} images are whole, {pack.words}; index {pack.sha256}', markup=False)


def main() -> None:
    """Entry point of `mmlt-pack-images`."""

    def run() -> None:
        args = arguments()
        (check_pack if args.check else pack_images)(args)

    run_tool(run)


if __name__ == '__main__':
    main()
