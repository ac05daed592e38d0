"""Looking at a published data set before training: `tools/prepare_data.py`."""

import argparse
import os
from functools import partial

from mmlt.apis.cli import run_tool

NAMES = ('imagenet_lt', 'places_lt', 'inat18', 'inat17')
CHUNK = 64  # files that a process takes at once
NAMED = 12  # broken images that are printed


def arguments() -> argparse.Namespace:
    """The command line of `prepare_data`."""
    parser = argparse.ArgumentParser(
        description='Compare the lists of a published data set with what is known of them, and find images that are missing, '
        'cut off or cannot be decoded. Says what to download, and where it belongs.'
    )
    parser.add_argument('name', choices=NAMES, help='the data set')
    parser.add_argument('--root', required=True, help='folder of the data set')
    parser.add_argument('--lists', help='folder of the lists (default: that of the data set)')
    parser.add_argument('--own-lists', action='store_true', help='the lists are your own: of these classes, with other images')
    parser.add_argument('--quick', action='store_true', help='look whether the images are there, and decode none')
    parser.add_argument('--lists-only', action='store_true', help='look at the lists alone')
    parser.add_argument('--report', metavar='FILE', help='write the name of every broken image, and what is wrong with it')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes (default: one a core)')
    parser.add_argument('--stand-in', nargs='?', const='', metavar='NPZ', help='first make a small stand-in of the set in the '
                        "folder, which must be new: all its classes, from the pictures in an .npz file with the array `images` "
                        '(default: the embedded digits); to rehearse everything that follows')  # fmt: skip
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    args = parser.parse_args()
    if args.workers < 1:
        parser.error('--workers must be at least 1')
    return args


def broken_images(files: list[str], quick: bool, workers: int, tell=lambda done, words='': None) -> dict[int, str]:  # noqa: ANN001
    """What is wrong with image files, by their numbers among these; remembered for as long as the files stay as they are.

    Args:
        files: N paths.
        quick: look whether they are there alone.
        workers: processes.
        tell: is told how many were looked at.
    """
    from mmlt.datasets import image_files
    from mmlt.datasets.pack_writer import processes

    facts = image_files.facts_of(files)
    found = {number: why for number, row in enumerate(facts) if (why := image_files.problem_of(files[number], row))}
    if quick:
        return found

    def look() -> dict[str, str]:
        there = [number for number in range(len(files)) if number not in found]
        chunks = [there[start : start + CHUNK] for start in range(0, len(there), CHUNK)]
        said: dict[str, str] = {}
        with processes(workers) as pool:
            for done, texts in enumerate(pool.map(_undecodable, [[files[number] for number in chunk] for chunk in chunks])):
                said |= {str(number): text for number, text in zip(chunks[done], texts, strict=True) if text}
                tell(min((done + 1) * CHUNK, len(there)))
        return said

    def fits(known: object) -> bool:
        return isinstance(known, dict) and all(
            isinstance(key, str) and key.isdecimal() and int(key) < len(files) and isinstance(text, str)
            for key, text in known.items()
        )

    known = image_files.remembered('prepared', files, facts, look, fits)
    return found | {int(number): text for number, text in known.items()}


def _undecodable(files: list[str]) -> list[str | None]:
    from mmlt.datasets.decode import read_content, read_rgb
    from mmlt.datasets.jpeg import decode, frame_of
    from mmlt.errors import UserError

    def why(file: str) -> str | None:
        try:
            content = read_content(file, 'it')
            frame = frame_of(content)
            if frame is None or decode(content, frame) is None:
                read_rgb(content, 'it')
        except FileNotFoundError:
            return 'is missing'
        except UserError as error:
            return str(error).removeprefix('it ').removesuffix('.').removesuffix(': replace it')
        return None

    return [why(file) for file in files]


def prepare(args: argparse.Namespace) -> None:
    """Look at a set, and say what is there and what is not."""
    from mmlt.apis.packing import progress_of
    from mmlt.datasets.naming import own_path
    from mmlt.datasets.published import PUBLISHED, check_list, find_list, list_from_json
    from mmlt.datasets.stand_in import make_stand_in, source_images
    from mmlt.engine.console import console
    from mmlt.errors import UserError, brief
    from mmlt.files import atomic_write

    say = partial(console.print, markup=False)
    published, root = PUBLISHED[args.name], own_path(args.root, '--root')
    if args.stand_in is not None:
        made = make_stand_in(published, root, source_images(own_path(args.stand_in, '--stand-in') if args.stand_in else None))
        counts = ', '.join(f'{split} {count:,}' for split, count in made.items())
        say(f'a stand-in of {published.title} in {root}: {counts} images')
    lists = own_path(args.lists, '--lists') if args.lists else root
    say(f'{published.title}, {published.classes:,} classes, in {root}')
    problems, paths = [], {}
    for split, one in published.lists.items():
        path = find_list(one, lists) or list_from_json(one, lists)
        if path is None:
            also = f', nor {one.json} to make it from' if one.json else ''
            problems.append(f'there is no list {lists / one.file}{also}')
            say(f'  {split}: {one.file} is not there')
            continue
        table, said, wrong = check_list(one, path, root, published.classes, args.own_lists or args.stand_in is not None)
        paths |= dict.fromkeys(table.paths)
        problems += [wrong] if wrong else []
        say(f'  {split}: {path.name}: {said}')
    if paths and not args.lists_only:
        files = [os.path.join(root, path) for path in paths]
        with progress_of('looking at the images', len(files)) as tell:
            broken = broken_images(files, args.quick, args.workers, tell)
        lines = [f'{brief(files[number], 4096)} {broken[number]}' for number in sorted(broken)]
        missing = sum(' is missing' in line for line in lines)
        how = 'are there' if args.quick else 'are there and can be decoded'
        say(f'  images: {len(files) - len(lines):,} of {len(files):,} {how}')
        for line in lines[:NAMED]:
            say(f'    {line}')
        if len(lines) > NAMED:
            say(f'    and {len(lines) - NAMED:,} more{"" if args.report else "; --report FILE lists them all"}')
        if args.report:
            atomic_write(args.report, ''.join(f'{line}\n' for line in lines))
        if lines:
            problems.append(f'{missing:,} images are missing and {len(lines) - missing:,} broken')
    if problems:
        say('What belongs where:')
        for line in published.download:
            say(f'  {line}')
        say(f'  a path in the lists, below {root}: {published.example}')
        raise UserError(f'{published.title} is not ready: {"; ".join(problems)}.')
    names = ' '.join(str(find_list(one, lists)) for one in published.lists.values())
    say(f'ready. One file that trains faster: python tools/pack_images.py {root}.pack --root {root} --lists {names}')


def main() -> None:
    """Entry point of `mmlt-prepare-data`."""
    run_tool(lambda: prepare(arguments()))


if __name__ == '__main__':
    main()
