"""Predicting pictures from the command line: `tools/predict.py`, `mmlt-predict`."""

import argparse
from collections import Counter

from mmlt.apis.cli import run_tool

SHOWN = 20  # pictures, classes or broken files named on the screen


def arguments() -> argparse.Namespace:
    """The command line of `predict`."""
    parser = argparse.ArgumentParser(description='Predict pictures by a checkpoint alone: no config, no labels.')
    parser.add_argument('checkpoint', metavar='CKPT', help='checkpoint of mmlt, or file of tools/publish_model.py')
    parser.add_argument('paths', metavar='PATH', nargs='+', help='pictures, folders of them, or lists (.txt, .csv, .json)')
    parser.add_argument('--out', metavar='FILE.csv', help='write a line a picture')
    parser.add_argument('--page', metavar='FILE.html', help='write a page of the most and least certain pictures')
    parser.add_argument('--top', type=int, default=5, metavar='K', help='classes a picture in the CSV file (default 5)')
    parser.add_argument('--prior', metavar='uniform|estimate|FILE.json',
                        help='class prior of these pictures, to which probabilities are corrected; estimate: from the pictures '
                        'themselves; a file has a share by class name, or one a class')  # fmt: skip
    parser.add_argument('--ensemble', metavar='CKPT', nargs='+', default=[], help='further checkpoints, to be averaged with')
    parser.add_argument('--groups', metavar='NAME', default='standard', help='convention of the shot groups (default standard)')
    parser.add_argument('--image-size', type=int, metavar='N', help='where an old checkpoint does not tell it')
    parser.add_argument('--batch-size', type=int, default=64, metavar='B', help='pictures at once (default 64)')
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help="instead of the checkpoint's own")
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def predict() -> None:
    """Predict all pictures; files that cannot be read are listed, and fail the command only where none can."""
    args = arguments()
    from mmlt.analysis.prediction_files import Tally, csv_lines, is_predictions
    from mmlt.apis.inferencer import Inferencer
    from mmlt.apis.output import check_out
    from mmlt.arguments import number
    from mmlt.datasets.class_folders import others_told
    from mmlt.datasets.pictures import find_pictures
    from mmlt.engine.console import console
    from mmlt.errors import UserError
    from mmlt.files import atomic_write

    for name in ('top', 'batch_size', 'image_size'):
        if (value := getattr(args, name)) is not None:
            number(f'--{name.replace("_", "-")}', 'it', value, least=1, whole=True)
    if args.out:
        check_out('--out', args.out, is_predictions)
    if args.page:
        check_out('--page', args.page, is_page)
    others: Counter[str] = Counter()
    files = find_pictures(args.paths, others)
    inferencer = Inferencer([args.checkpoint, *args.ensemble], args.prior, args.batch_size, args.precision, args.image_size,
                            args.groups)  # fmt: skip
    console.print(describe(inferencer, len(files)), markup=False)
    if others:
        console.print(f'{others_told(others)} passed over', markup=False)
    tally, first = Tally(inferencer.classes), []
    with csv_lines(args.out, inferencer.classes, args.top) as lines:
        for one in shown_progress(inferencer.stream_files(files), len(files)):
            tally.add(one)
            if lines:
                lines.add(one)
            if len(first) < SHOWN:
                first.append(one)
    if not tally.read:
        name, why = tally.broken[0]
        raise UserError(f'none of the {len(files):,} pictures can be read: {name} {why}.')
    console.print(picture_table(first) if len(files) <= SHOWN else class_table(tally, inferencer))
    for name, why in tally.broken[:SHOWN]:
        console.print(f'not read: {name} {why}', markup=False)
    if tally.broken:
        more = f', of which {SHOWN} are named' if len(tally.broken) > SHOWN else ''
        console.print(f'{len(tally.broken):,} of {len(files):,} files could not be read{more}', markup=False)
    if args.page:
        from mmlt.analysis.prediction_page import prediction_page

        title = f'{len(files):,} pictures, predicted by {inferencer.models[0].config or args.checkpoint}'
        facts = facts_of(inferencer, args)
        atomic_write(args.page, prediction_page(title, tally, facts, inferencer.models[0].view.max_value))
    written = [f'written to {file}' for file in (args.out, args.page) if file]
    if not args.out and len(files) > SHOWN:
        written.append('--out FILE.csv writes a line a picture')
    for line in written:
        console.print(line, markup=False)


def is_page(path) -> bool:  # noqa: ANN001
    """Whether a file is a page that mmlt made."""
    with open(path, 'rb') as file:
        return b'content="mmlt"' in file.read(4096)


def shown_progress(predictions, total: int):  # noqa: ANN001, ANN201
    """The predictions, with a bar where a person watches."""
    from mmlt.engine.console import console, on_terminal

    if not on_terminal():
        yield from predictions
        return
    from rich.progress import track

    yield from track(predictions, description='predicting', total=total, console=console, transient=True)


def describe(inferencer, count: int) -> str:  # noqa: ANN001
    """One line: the model, its input, the correction."""
    from mmlt.config.warnings import corrected_already

    first = inferencer.models[0]
    name = ' and '.join(dict.fromkeys(f'{one.config or one.checkpoint}' for one in inferencer.models))
    if len(inferencer.models) > 1:
        name += f' (mean of {len(inferencer.models)} models)'
    said = [f'{count:,} pictures, seen at {first.view.height}x{first.view.width} pixels by {name}']
    if first.note:
        said.append(first.note.replace('training in', 'predicting in'))
    if inferencer.prior is not None and (balanced := corrected_already('prior', first.corrections)):
        said.append(balanced)
    return '\n'.join(said)


def picture_table(predictions):  # noqa: ANN001, ANN201
    """A line a picture."""
    from rich.markup import escape
    from rich.table import Table

    several = predictions[0].classes.cuts is not None
    table = Table('picture', 'classes' if several else 'class', 'certainty' if several else 'probability', 'group', box=None,
                  header_style='bold', pad_edge=False)  # fmt: skip
    if not several:
        table.add_column('next')
    for one in predictions:
        if one.problem:
            continue
        more = [] if several else [', '.join(f'{escape(name)} {value:.3f}' for name, value in one.top(3)[1:])]
        table.add_row(escape(one.picture), escape(one.label) or '(none)', f'{one.probability:.3f}', one.group, *more)
    return table


def class_table(tally, inferencer):  # noqa: ANN001, ANN201
    """A line a class that was predicted, the most frequent first."""
    from rich.markup import escape
    from rich.table import Table

    columns = ['class', 'group', 'training images', 'predicted', 'share (%)', 'mean probability (%)']
    table = Table(box=None, header_style='bold', pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify='left' if place < 2 else 'right')
    classes, found = tally.classes, tally.predicted()
    for place in found[:SHOWN]:
        row = [escape(classes.names[place]), classes.groups[place], f'{classes.counts[place]:,}', f'{tally.images[place]:,}',
               f'{100 * tally.images[place] / tally.read:.2f}', f'{100 * tally.expected[place] / tally.read:.2f}']  # fmt: skip
        table.add_row(*row)
    said = [f'and {len(found) - SHOWN:,} more classes'] if len(found) > SHOWN else []
    if inferencer.estimated is not None:
        said.append('the mean probability is the class prior that was estimated')
    table.caption, table.caption_justify = '; '.join(said) or None, 'left'
    return table


def facts_of(inferencer, args: argparse.Namespace) -> dict[str, str]:  # noqa: ANN001
    """What the page says of the model."""
    from mmlt.files import sha256_of

    facts = {}
    for place, model in enumerate(inferencer.models):
        name = 'model' if len(inferencer.models) == 1 else f'model {place + 1}'
        facts[name] = f'{model.config}, {model.checkpoint}'.removeprefix(', ')
        facts[f'{name}, SHA-256'] = sha256_of(model.checkpoint)
    view = inferencer.models[0].view
    scaled = f'shorter side scaled to {view.resize} pixels, ' if view.resize else ''
    facts['pictures'] = f'{scaled}middle of {view.height}x{view.width} pixels'
    facts['precision'] = inferencer.models[0].precision
    facts['class prior'] = 'as in training, or as training corrected it' if args.prior is None else str(args.prior)
    return facts


def main() -> None:
    """Entry point of `mmlt-predict`."""
    run_tool(predict)


if __name__ == '__main__':
    main()
