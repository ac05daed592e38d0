"""Write a long-tailed subset of CIFAR into one .npz file, to carry it to where the whole set is not.

    python tools/export_subset.py --dataset cifar100 --data-root data/cifar100 --imbalance-ratio 100 lt100/train.npz

The file holds images, labels, index (each image's place in the official split, in the protocol's order) and the
fingerprint. A config whose `data_root` is the file, or its folder, trains on the same images in the same order.
"""

import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='the file to write, ending in .npz')
    parser.add_argument('--dataset', choices=('cifar10', 'cifar100'), required=True)
    parser.add_argument('--data-root', required=True, help='folder of the data set, downloaded if absent')
    parser.add_argument('--profile', choices=('exp', 'step', 'pareto', 'natural'), default='exp')
    parser.add_argument('--imbalance-ratio', type=float, default=100.0, help='largest over smallest class, default 100')
    parser.add_argument('--seed', type=int, default=0, help='of the shuffle within each class (default: 0)')
    parser.add_argument('--protocol', choices=('cao', 'cao-holdout', 'first'), default='cao')
    parser.add_argument('--split', choices=('train', 'holdout'), default='train',
                        help='holdout: the images that cao-holdout sets aside')
    parser.add_argument('--debug', action='store_true', help='keep the stack trace of an error')
    return parser.parse_args()


def export(args: argparse.Namespace) -> None:
    """Thin the set and write the file."""
    import json
    from dataclasses import asdict

    import numpy as np

    from mmlt.apis.output import check_out, is_subset
    from mmlt.datasets import CIFAR10, CIFAR100, LongTailedDataset, SubsetRule
    from mmlt.errors import UserError
    from mmlt.files import atomic_write

    if not args.out.endswith('.npz'):
        raise UserError(f'the file to write must end in .npz, and {args.out} does not.')
    check_out('out', args.out, is_subset)
    ratio = int(args.imbalance_ratio) if args.imbalance_ratio.is_integer() else args.imbalance_ratio
    rule = SubsetRule(args.profile, ratio, args.seed, args.protocol, args.split)
    source = dict(cifar10=CIFAR10, cifar100=CIFAR100)[args.dataset](args.data_root)
    subset = LongTailedDataset(source, **asdict(rule))
    stated = json.dumps({**asdict(rule), 'fingerprint': subset.fingerprint()})
    arrays = dict(images=source.images[subset.indices], labels=subset.labels, index=subset.official_indices,
                  subset=np.array(stated))
    try:
        atomic_write(args.out, lambda file: np.savez_compressed(file, **arrays))
    except OSError as error:
        raise UserError(f'{args.out} cannot be written ({error.strerror or error}).') from error
    print(f'{args.out}: {len(subset)} images, {max(subset.class_counts)} to {min(subset.class_counts)} a class')


if __name__ == '__main__':
    arguments = parse_args()  # before anything heavy is imported: --help answers at once

    from mmlt.apis.cli import run_tool

    run_tool(lambda: export(arguments))
