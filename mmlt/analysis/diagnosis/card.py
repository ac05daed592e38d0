"""The starting config as a text that reads like a recipe card, and the same facts for the page."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from pprint import pformat

import numpy as np

from mmlt.analysis.diagnosis.lists import Columns
from mmlt.analysis.diagnosis.plan import TRAIN, Plan
from mmlt.analysis.diagnosis.recipe import Recipe, next_step
from mmlt.analysis.pages import Html, join, note, table, tag

WIDTH = 118
IN_CONFIG = 200  # class names that stand in a config; more in a file beside it
LOSSES = {
    'BalancedSoftmaxLoss': 'Balanced softmax', 'CrossEntropyLoss': 'Cross entropy',
    'BalancedSigmoidLoss': 'Balanced sigmoid', 'BinaryCrossEntropyLoss': 'Binary cross entropy',
}  # fmt: skip
NETWORKS = {'resnet50': 'ResNet-50', 'tf_efficientnet_lite0': 'EfficientNet-Lite0'}
KINDS = {
    'scratch': 'trained from scratch',
    'probe': 'pretrained and frozen; a linear classifier on its features',
    'tune': 'pretrained, fine-tuned',
}
SCHEDULES = {
    'scratch': """\
train_cfg = dict(type='EpochTrainLoop', max_epochs={epochs}, val_interval=10, val_last=0.1)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr={rate:g}, momentum=0.9, weight_decay=5e-4, fused=True),  # 0.1 for 128 images a step
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=2),  # two epochs of warm-up, then to 0 along a cosine
    dict(type='CosineAnnealingLR', eta_min=0.0, begin=2),
]""",
    'probe': """\
train_cfg = dict(type='EpochTrainLoop', max_epochs={epochs}, val_interval=10, val_last=0.05)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4, fused=True),
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]
custom_hooks = [dict(type='FeatureCacheHook')]  # the features are computed once, and kept for further runs""",
    'tune': """\
train_cfg = dict(type='EpochTrainLoop', max_epochs={epochs}, val_interval=2)
optim_wrapper = dict(
    type='PrecisionOptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1),  # one epoch of warm-up, then to 0 along a cosine
    dict(type='CosineAnnealingLR', eta_min=0.0, begin=1),
]""",
}
RUNTIME = """\
default_scope = 'mmlt'
default_hooks = dict(
    class_counts=dict(type='ClassCountsHook'),
    runtime_info=dict(type='QuietRuntimeInfoHook'),
    logger=dict(type='ProgressHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', seconds=20, keep=2),
)
env_cfg = dict(cudnn_benchmark=True)
visualizer = dict(type='Visualizer', vis_backends=None)
val_cfg = dict(type='EvalLoop')
test_cfg = dict(type='EvalLoop')"""


def config_text(
    recipe: Recipe, plan: Plan, names: Sequence[str], class_counts: np.ndarray, several: bool, root: Path, images: Path,
    left_out: Path | None, classes: Path | None, mean: Sequence[float], std: Sequence[float], convention: str, command: str,
) -> str:  # fmt: skip
    """The config.

    Args:
        recipe: what is trained.
        plan: on which images.
        names: of the classes that are trained on.
        class_counts: (K,) their training images.
        several: whether images have several labels.
        root: folder that the paths start from.
        images: the list of the images, beside the config.
        left_out: the list of those left out; None where there is none.
        classes: file with the names; None where they stand in the config.
        mean, std: of the training images' channels, in [0, 1].
        convention: of the shot groups.
        command: that wrote it.
    """
    parts = [
        f'"""{title(recipe, len(names))}: {about(recipe.seconds)} here.\n\nWritten by `{command}`; it is yours to change.\n"""',
        _comment(f'Images. {counted(plan)} The list says of each image which part it is in.'
                 + ''.join(f' {line}' for line in plan.notes)
                 + ('' if plan.group is None else ' Its column group says which belong together: a holdout keeps them so.')
                 + (f' {len(plan.reasons):,} are left out; {left_out.name} says why.' if left_out else ''))
        + f'\ndata_root = {str(root)!r}\nimages = {str(images)!r}'
        + f'\nimage_size = {recipe.image_size}\nclasses = ' + (repr(str(classes)) if classes else _names(names))
        + f'\nnum_classes = {len(names)}',
        _loaders(recipe, plan, several, Columns.of(plan, names, several)),
        _pixels(recipe, mean, std),
        _comment(f'Network. {recipe.fits[0].upper()}{recipe.fits[1:]}.')
        + '\n' + _comment(f'Method. {recipe.why[0].upper()}{recipe.why[1:]}.')
        + '\n' + _comment(f'To try next: {next_step(recipe.kind, several, class_counts)}.')
        + '\n' + _model(recipe),
        _comment('Schedule.') + '\n' + SCHEDULES[recipe.kind].format(epochs=recipe.epochs, rate=0.1 * recipe.batch_size / 128)
        + "\nprecision = 'bf16'  # where the device has it, else fp32",
        _comment('Evaluation and what every run shares.')
        + f"\nval_evaluator = dict(type='{'MultiLabelMetric' if several else 'ShotGroupMetric'}', convention={convention!r})"
        + f'\ntest_evaluator = val_evaluator\n{RUNTIME}',
    ]  # fmt: skip
    return '\n\n'.join(parts) + '\n'


def title(recipe: Recipe, num_classes: int) -> str:
    """What is trained, in a line."""
    return f'{LOSSES[recipe.loss]}, {_network(recipe)}, {num_classes} classes at {recipe.image_size} px, {recipe.epochs} epochs'


def start_html(recipe: Recipe, plan: Plan, num_classes: int, config: str, left_out: str | None) -> Html:
    """How to start, for the page."""
    rows = [
        ['recommended', title(recipe, num_classes)],
        ['why', f'{recipe.why}.'],
        ['network', f'{_network(recipe)}, {KINDS[recipe.kind]}: {recipe.fits}.'],
        ['images', ' '.join([counted(plan), *plan.notes])],
        ['takes', f'{about(recipe.seconds)} on this machine'],
    ]
    if left_out:
        rows.append(['left out', f'{len(plan.reasons):,} images, listed with the reason in {left_out}'])
    rows = [[tag('span', name, style='white-space:nowrap'), *words] for name, *words in rows]
    return join(tag('p', tag('code', f'python tools/train.py {config}')), table([], rows, label='starting config'),
                note('The config is a text of a page: look at it, and change what you like.'))  # fmt: skip


def _network(recipe: Recipe) -> str:
    return f'ResNet-{recipe.network}' if isinstance(recipe.network, int) else f'pretrained {NETWORKS[recipe.network]}'


def counted(plan: Plan) -> str:
    words = {'train': 'to train on', 'val': 'to choose the epoch on', 'test': 'to test on'}
    counts = [(name, len(plan.places(name))) for name in words]
    return ', '.join(f'{count:,} {words[name]}' for name, count in counts if count) + '.'


def about(seconds: float) -> str:
    if seconds < 90:
        return f'about {max(10, 10 * round(seconds / 10))} s'
    return f'about {round(seconds / 60)} min' if seconds < 5400 else f'about {seconds / 3600:.1f} h'


def _comment(text: str) -> str:
    return '\n'.join(f'# {line}' for line in textwrap.wrap(text, WIDTH - 2))


def _names(names: Sequence[str]) -> str:
    text = pformat(list(names), width=WIDTH - 10, compact=True)
    return text if '\n' not in text else '[\n    ' + text[1:-1].replace('\n ', '\n    ') + ',\n]'


def _loaders(recipe: Recipe, plan: Plan, several: bool, columns: Columns) -> str:
    kind = 'MultiLabelDataset' if several else 'ImageList'
    source = (f"type='{kind}', data_root=data_root, ann_file=images, classes=classes, image_size=image_size,\n"
              f'        {columns.options()},\n        ')  # fmt: skip
    crop = ", crop='random_resized'" if recipe.kind == 'tune' else ''
    resize = ', resize=image_size' if recipe.kind == 'scratch' else ''  # small images: nothing is cut off

    def entry(split: str, more: str) -> str:
        return f"dict(\n        {source}split='{split}'{more},\n    )"

    def evaluated(name: str, split: str) -> str:
        return f'{name} = dict(\n    batch_size=128, num_workers=2, dataset={entry(split, resize)},\n)'

    training = entry(TRAIN, crop + resize).replace('\n', '\n    ')
    train = (f'train_dataloader = dict(\n    batch_size={recipe.batch_size},\n    num_workers=2,\n    dataset=dict(\n        '
             f"type='LongTailedDataset',\n        profile='natural',  # as the data are\n        dataset={training},\n    ),\n"
             "    sampler=dict(type='ShuffleSampler'),\n)")  # fmt: skip
    test = 'test_dataloader = val_dataloader'
    if len(plan.places('val')) and len(plan.places('test')):
        test = evaluated('test_dataloader', 'test')
    return '\n'.join([train, evaluated('val_dataloader', plan.evaluated), test])


def _pixels(recipe: Recipe, mean: Sequence[float], std: Sequence[float]) -> str:
    own = [f'{name}=({", ".join(f"{v:.4f}" for v in values)})' for name, values in (('mean', mean), ('std', std))]
    flip = "dict(type='RandomFlip')"
    if recipe.kind == 'scratch':
        return (f"# Mean and deviation of the training images. Where left and right mean nothing, add {flip}.\n"
                f"data_preprocessor = dict(\n    type='BatchPreprocessor',\n    {own[0]},\n    {own[1]},\n"
                f"    train_transforms=[dict(type='RandomCrop', padding={max(1, recipe.image_size // 8)})],\n)")  # fmt: skip
    add = 'give FeatureCacheHook flip=True' if recipe.kind == 'probe' else f'put {flip} into train_transforms'
    said = (f"Mean and deviation are those that the network was pretrained with (your images' own: {', '.join(own)}). "
            f'Where left and right mean nothing, {add}.')  # fmt: skip
    return (f'{_comment(said)}\n'
            "data_preprocessor = dict(type='BatchPreprocessor', train_transforms=[])")  # fmt: skip


def _model(recipe: Recipe) -> str:
    classifier = 'FrozenBackboneClassifier' if recipe.kind == 'probe' else 'LongTailedClassifier'
    if recipe.kind == 'scratch':
        backbone, head = f"dict(type='ResNetCIFAR', depth={recipe.network})", "dict(type='LinearHead')"
    else:
        backbone = f"dict(type='TimmBackbone', model_name={recipe.network!r}, pretrained=True)"
        head = "dict(type='LinearHead', init='torch')"
    return (f"model = dict(\n    type='{classifier}',\n    backbone={backbone},\n    head={head},\n"
            f"    loss=dict(type='{recipe.loss}'),\n)")  # fmt: skip
