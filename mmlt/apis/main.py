"""Training and testing from the command line: `tools/train.py` and `tools/test.py`, `mmlt-train` and `mmlt-test`."""

import argparse
import os
import sys
from pathlib import Path

from mmlt.apis.adjustment import add_arguments, from_arguments, in_words
from mmlt.apis.cli import run_tool


def train_arguments() -> argparse.Namespace:
    """The command line of `train`."""
    parser = argparse.ArgumentParser(
        description='Train a config; a teacher it needs is trained first, what is finished is reused.'
    )
    parser.add_argument('config', help='path of the config, for instance configs/bkd/resnet32_cifar100lt.py')
    parser.add_argument('--work-dir', help='folder of this run (default: work_dirs/<path below configs>/seed<k>)')
    parser.add_argument('--resume', action='store_true', help='go on with an unfinished run')
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help='instead of the precision in the config')
    parser.add_argument('--amp', action='store_true', help='the same as --precision bf16')
    parser.add_argument(
        '--compile',
        action=argparse.BooleanOptionalAction,
        help='torch.compile for the training step (default: on a GPU for long runs, not on a CPU)',
    )
    parser.add_argument(
        '--holdout',
        action='store_true',
        help='choose the best epoch, and whatever is tuned, on training images set aside; the test set is looked at at the end',
    )
    parser.add_argument('--seed', type=int, help='training seed (default 0)')
    parser.add_argument('--seeds', type=int, action='extend', nargs='+', metavar='K', help='several seeds, one after the other')
    parser.add_argument(
        '--cfg-options',
        action='extend',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override the config: a.b.c=value',
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def first_rank() -> bool:
    """Whether this process speaks for all ranks, by what launchers set, before torch is imported."""
    return all(os.environ.get(name, '0') == '0' for name in ('RANK', 'SLURM_PROCID'))


def may_be_restarted() -> bool:
    """Whether torchrun starts processes of this run anew when one ends: such a run goes on by itself."""
    return os.environ.get('TORCHELASTIC_MAX_RESTARTS', '0') != '0'


def train_main() -> None:
    """Train each seed and show the results."""
    args = train_arguments()
    if first_rank():
        print(f'reading {args.config}', flush=True)  # the imports below take seconds
    from mmlt.analysis.tables import comparison_tables
    from mmlt.apis.train import train_seeds
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import console
    from mmlt.engine.stages import check_seeds
    from mmlt.errors import UserError

    if args.amp and args.precision == 'fp32':
        raise UserError('--amp is bf16 and contradicts --precision fp32: give one of them.')
    if args.seeds and args.seed is not None:
        raise UserError('--seed and --seeds contradict each other: give one of them.')
    seeds = args.seeds or [args.seed or 0]
    check_seeds(seeds)
    if args.work_dir == '':
        raise UserError('--work-dir is an empty text: name a folder, or leave it out.')
    if args.work_dir and len(seeds) > 1:
        raise UserError('--work-dir names one run and --seeds several: leave one of them out.')
    overrides = parse_options(args.cfg_options)
    if args.compile is not None:
        if any(name.split('.')[0] == 'compile' for name in overrides):
            raise UserError('--compile and --cfg-options compile say it twice: give one of them.')
        overrides['compile'] = args.compile
    if args.holdout:
        overrides['holdout'] = True
    results = train_seeds(
        args.config,
        seeds,
        work_dir=args.work_dir,
        resume=args.resume or may_be_restarted(),
        precision='bf16' if args.amp else args.precision,
        overrides=overrides,
        launcher=args.launcher,
    )
    from mmengine.dist import is_main_process

    if is_main_process():
        if len(results) > 1:
            console.print(*comparison_tables(results))
        for result in results:
            files = ('results.json', 'evaluation.json', 'per_class.csv', 'by_label.csv')
            there = [name for name in files if (result.folder / name).is_file()]
            console.print(f'results in {result.folder}: {", ".join(there)}', markup=False)
            if (page := result.folder / 'report.html').is_file():
                console.print(f'all of it on a page: {page}', markup=False)


def test_arguments() -> argparse.Namespace:
    """The command line of `test`."""
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint on the test set of a config.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', nargs='+', help='a checkpoint of mmlt; of several the mean probabilities are tested')
    parser.add_argument('--out', help='write the results to this JSON file, and evaluation.json and evaluation_images.npz '
                        'beside it; results_<name>.json beside a run is collected')  # fmt: skip
    parser.add_argument('--work-dir', help="folder for per_class.csv (default: test, beside the checkpoint)")
    parser.add_argument('--precision', choices=('fp32', 'bf16'), help="instead of the checkpoint's own")
    add_arguments(parser)
    parser.add_argument(
        '--aggregate', action='store_true', help='weight the experts by what the unlabelled test images say (SADE)'
    )
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def test_main() -> None:
    """Evaluate and show the metrics."""
    args = test_arguments()
    adjustment = from_arguments(args)
    from mmengine.dist import is_main_process

    from mmlt.analysis.evaluation_files import file_names
    from mmlt.analysis.metrics_table import metrics_table
    from mmlt.analysis.results import RESULTS_FILE, json_text
    from mmlt.apis.output import check_evaluation
    from mmlt.apis.report import report
    from mmlt.apis.test import test
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import console
    from mmlt.files import atomic_write

    check_evaluation(args.out, args.work_dir)
    record = test(
        args.config,
        args.checkpoint,
        precision=args.precision,
        overrides=parse_options(args.cfg_options),
        launcher=args.launcher,
        work_dir=args.work_dir,
        adjustment=adjustment,
        aggregate_experts=args.aggregate,
        out=args.out,
    )
    if is_main_process():
        console.print(metrics_table(record))
        if args.aggregate:
            from mmlt.apis.aggregation import in_words as weights_in_words

            console.print(weights_in_words(record['aggregation']), markup=False)
        if adjustment:
            console.print(in_words(record['adjustment']), markup=False)
        if args.out:
            atomic_write(args.out, json_text(record))
            console.print(f'written to {args.out}', markup=False)
            if (full := file_names(args.out)[0]).is_file():  # a detector has none
                console.print(f'every figure with its interval: {full}', markup=False)
            if Path(args.out).name == RESULTS_FILE:
                page = report(Path(args.out).parent, args.config, parse_options(args.cfg_options))
                console.print(f'all of it on a page: {page}', markup=False)


def train() -> None:
    """Entry point of `mmlt-train`."""
    run_tool(train_main)


def test() -> None:
    """Entry point of `mmlt-test`."""
    run_tool(test_main)


if __name__ == '__main__':  # python -m mmlt.apis.main train CONFIG
    tool = {'train': train, 'test': test}[sys.argv.pop(1)]
    tool()
