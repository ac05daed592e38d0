#!/usr/bin/env python3
"""Published ResNet weights into a checkpoint: python tools/convert_weights.py IN.npz OUT.pth --config CONFIG"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Convert the weights of a ResNet for small images (names as in the LDAM and imbalanced-DL '
        'repositories) into a checkpoint that tools/test.py evaluates and a student takes as its teacher.'
    )
    parser.add_argument('source', metavar='IN', help='.npz of arrays, or .pth (opened weights-only)')
    parser.add_argument('out', metavar='OUT', help='checkpoint to write')
    parser.add_argument('--config', required=True, help='whose model it is, like configs/ce/resnet32_cifar10lt.py')
    parser.add_argument('--train-counts', type=int, action='extend', nargs='+', metavar='N',
                        help="training images of each class (default: those of the config's training set)")  # fmt: skip
    parser.add_argument('--cfg-options', action='extend', nargs='+', default=[], metavar='KEY=VALUE', help='overrides')
    parser.add_argument('--debug', action='store_true', help='show the stack trace of an error')
    return parser.parse_args()


def main() -> None:
    """Convert, and say how to evaluate."""
    args = parse_args()
    from mmlt.apis.convert import convert
    from mmlt.apis.output import check_out, is_converted
    from mmlt.config.overrides import parse_options
    from mmlt.engine.console import console

    check_out('OUT', args.out, is_converted)
    meta = convert(args.source, args.out, args.config, parse_options(args.cfg_options), args.train_counts)
    counts, bias = meta['class_counts'], meta['model']['head'].get('bias', True)
    console.print(f'{args.out}: {len(counts)} classes, {max(counts)} to {min(counts)} training images', markup=False)
    options = list(args.cfg_options)
    if not bias and not any(option.startswith('model.head.bias=') for option in options):
        options.append('model.head.bias=False')
        console.print('the classifier has no bias, as in the weights: model.head.bias=False', markup=False)
    tail = f' --cfg-options {" ".join(options)}' if options else ''
    console.print(f'evaluate it with: python tools/test.py {args.config} {args.out}{tail}', markup=False)


if __name__ == '__main__':
    from mmlt.apis.cli import run_tool

    run_tool(main)
