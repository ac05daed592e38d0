"""Wrong input through the command line: one sentence, exit code 1, no stack trace.

The cases run a tool's script in this process; one starts it as a user does.
"""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_files import make
from commands import ROOT
from PIL import Image

from mmlt.apis.train import train
from mmlt.engine.checkpoint import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.slow
CE, BKD, CIFAR = (f'configs/{name}.py' for name in ('ce/resnet8_digitslt', 'bkd/resnet8_digitslt', 'ce/resnet32_cifar100lt'))
INNER = 'train_dataloader.dataset.dataset'
ONE = 'train_cfg.max_epochs=1'


def ce(*options):
    return 'train', [CE, '--cfg-options', *options]


def bkd(*options):
    return 'train', [BKD, '--cfg-options', *options]


def student(*options):
    """BKD with a trained teacher."""
    return bkd('prerequisites.teacher.checkpoint={run}/epoch_1.pth', *options)


def cifar(root):
    return 'train', [CIFAR, '--cfg-options', f'{INNER}.data_root={root}', f'{INNER}.download=False']


def own(name):
    return 'train', [f'{{files}}/{name}.py']


def loss(name, **values):
    return ce(f'model.loss.type={name}', *(f'model.loss.{key}={value}' for key, value in values.items()))


def sampler(name, **values):
    part = 'train_dataloader.sampler'
    return ce(f'{part}.type={name}', *(f'{part}.{key}={value}' for key, value in values.items()))


# name: ((tool, arguments), what the sentence must name); {files} is the folder of `files` below.
CASES = {
    # types nobody registered: the place, the name, the nearest
    'type of the model': (ce('model.type=LongTailedClassifer'), ['model:', 'LongTailedClassifer', 'LongTailedClassifier']),
    'type of the backbone': (ce('model.backbone.type=ResNetCIFA'), ['model.backbone', 'ResNetCIFA', 'ResNetCIFAR']),
    'type of the head': (ce('model.head.type=LinearHed'), ['model.head', 'LinearHed', 'LinearHead']),
    'type of the loss': (ce('model.loss.type=CrossEntropyLos'), ['model.loss', 'CrossEntropyLos', 'CrossEntropyLoss']),
    'type of the set': (ce('train_dataloader.dataset.type=LongTailDataset'), ['LongTailDataset', 'LongTailedDataset']),
    'type of the wrapped set': (ce(f'{INNER}.type=Digit'), [INNER, "'Digit'", 'Digits']),
    'type of the sampler': (ce('train_dataloader.sampler.type=ShufleSampler'), ['ShufleSampler', 'ShuffleSampler']),
    'type of the wrapper': (ce('optim_wrapper.type=PrecisionOptimWraper'), ['Wraper', 'PrecisionOptimWrapper']),
    'type of the optimizer': (ce('optim_wrapper.optimizer.type=SDG'), ['optim_wrapper.optimizer', 'SDG', 'SGD']),
    'type of the schedule': (ce('param_scheduler.0.type=MultiStepRL'), ['param_scheduler.0', 'RL', 'MultiStepLR']),
    'type of the loop': (ce('train_cfg.type=EpochTrainLop'), ['train_cfg', 'EpochTrainLop', 'EpochTrainLoop']),
    'type of the metric': (ce('val_evaluator.type=ShotGroupMetrics'), ['val_evaluator', 'Metrics', 'ShotGroupMetric']),
    'type of a hook': (ce('default_hooks.logger.type=ProgresHook'), ['default_hooks.logger', 'ProgressHook']),
    'type of a transform': (
        ce('data_preprocessor.train_transforms.0.type=RandomCorp'), ['train_transforms.0', 'RandomCorp', 'RandomCrop']),
    'dotted type': (ce('model.backbone.type=os.getcwd'), ['model.backbone', 'os.getcwd', 'dotted']),
    'type of a package that is not there': (ce('model.backbone.type=mmdet.ResNet'), ['mmdet', 'import failed', 'No module']),
    # arguments nothing takes, overrides that lead nowhere, keys that nothing reads
    'argument of the backbone': (ce('model.backbone.dept=8'), ['model.backbone', 'dept', 'depth']),
    'argument of the optimizer': (ce('optim_wrapper.optimizer.momentun=0.9'), ['momentun', 'momentum']),
    'argument of the metric': (ce('val_evaluator.konvention=standard'), ['val_evaluator', 'konvention', 'convention']),
    'argument of the sampler': (ce('train_dataloader.sampler.sed=1'), ['train_dataloader.sampler', 'sed', 'seed']),
    'argument of the set': (ce('train_dataloader.dataset.ratio=3'), ['ratio', 'imbalance_ratio']),
    'argument of a hook': (ce('default_hooks.checkpoint.second=3'), ['default_hooks.checkpoint', 'second', 'seconds']),
    'argument in the file': (own('argument'), ['model.backbone', 'ResNetCIFAR', 'dept', 'depth']),
    'override that leads nowhere': (ce('model.bakbone.depth=8'), ['model', 'bakbone', 'backbone']),
    'override of the loader': (ce('train_dataloader.batch_sizes=3'), ['train_dataloader', 'batch_sizes', 'batch_size']),
    'override into a number': (ce('precision.x=1'), ['precision', 'nothing inside']),
    'place beyond a list': (ce('param_scheduler.4.gamma=1'), ['param_scheduler', 'list of 1']),
    'override at the top': (ce('trian_cfg.max_epochs=3'), ['trian_cfg', 'train_cfg']),
    'override without a value': (ce('model'), ['model', 'KEY=VALUE']),
    'a number for the model': (ce('model=3'), ['model is 3', 'dict']),
    'a text for the optimizer': (ce('optim_wrapper.optimizer=Adam'), ['optim_wrapper.optimizer', 'Adam', 'dict']),
    'key close to a known one': (own('close'), ['close.py', 'optim_wraper', 'optim_wrapper']),
    'config of a similar name': (('train', ['configs/ce/resnet8_digitlt.py']), ['no config', 'resnet8_digitslt.py']),
    'config that is no Python': (own('broken'), ['broken.py', 'SyntaxError']),
    'config without its base': (own('baseless'), ['baseless.py', 'nowhere']),
    'import that fails': (own('importing'), ['importing.py', 'no_such_module_here']),
    # values
    'impossible depth': (ce('model.backbone.depth=9'), ['depth 9', '6n + 2']),
    'depth in words': (ce('model.backbone.depth=eight'), ['model', 'cannot be built', 'TypeError']),
    'classes that do not fit': (ce('model.head.num_classes=7'), ['7 classes', '10']),
    'unknown convention': (ce('val_evaluator.convention=mine'), ['mine', 'standard']),
    'unknown profile': (ce('train_dataloader.dataset.profile=bent'), ['profile', 'bent', 'exp']),
    'unknown protocol': (ce('train_dataloader.dataset.protocol=x'), ['protocol', "'x'", 'cao']),
    'ratio below 1': (ce('train_dataloader.dataset.imbalance_ratio=0.5'), ['imbalance_ratio', '0.5', 'at least 1']),
    'unknown split': (ce(f'{INNER}.split=val'), ['split', 'val', 'train']),
    'empty batch': (ce('train_dataloader.batch_size=0'), ['train_dataloader.batch_size', 'from 1', '0']),
    'batch in words': (ce('train_dataloader.batch_size=many'), ['train_dataloader.batch_size', 'many']),
    'no worker at all': (ce('train_dataloader.num_workers=-1'), ['train_dataloader.num_workers', '-1']),
    'no epoch': (ce('train_cfg.max_epochs=0'), ['train_cfg.max_epochs', '0']),
    'half an epoch': (ce('train_cfg.max_epochs=1.5'), ['train_cfg.max_epochs', '1.5']),
    'no interval': (ce('train_cfg.val_interval=0'), ['train_cfg.val_interval', '0']),
    'batch larger than the set': (
        ce('train_dataloader.batch_size=1000', 'train_dataloader.drop_last=True'), ['no step', '342', 'batch_size']),
    'negative rate': (ce('optim_wrapper.optimizer.lr=-1'), ['optim_wrapper', 'learning rate', '-1']),
    'last batch of one image': (
        ('train', ['paco/resnet8_digitslt', '--cfg-options', 'train_dataloader.batch_size=31']), ['one image', 'drop_last']),
    'empty folder': (('train', [CE, '--work-dir', '']), ['--work-dir', 'empty']),
    'rate in words': (ce('optim_wrapper.optimizer.lr=fast'), ['optim_wrapper', 'TypeError']),
    'unknown precision': (ce('precision=fp8'), ['fp8', 'bf16']),
    'negative seed': (('train', [CE, '--seed', '-1']), ['seed', '-1']),
    'no checkpoint kept': (ce('default_hooks.checkpoint.keep=0'), ['CheckpointHook', 'keep', '0']),
    'contradicting flags': (('train', [CE, '--amp', '--precision', 'fp32']), ['--amp', '--precision']),
    'one folder for several seeds': (('train', [CE, '--seeds', '0', '1', '--work-dir', 'x']), ['--work-dir', '--seeds']),
    'launcher without torchrun': (('train', [CE, '--launcher', 'pytorch']), ['torchrun', 'dist_train.sh']),
    'launcher without Slurm': (('train', [CE, '--launcher', 'slurm']), ['Slurm', 'slurm_train.sh']),
    'folder that cannot be made': (('train', [CE, '--work-dir', '{files}/close.py/x']), ['close.py', 'Not a directory']),
    # numbers out of range
    'temperature of 0': (student('model.temperature=0'), ['temperature', 'above 0', 'got 0']),
    'temperature in words': (student('model.temperature=warm'), ['temperature', 'above 0', 'warm']),
    'weight in words': (student('model.alpha=x'), ['BKDClassifier', 'alpha', "'x'"]),
    'beta of 2': (student('model.beta=2'), ['beta', 'at most 1', 'got 2']),
    'negative epoch of the weights': (student('model.reweight_start_epoch=-1'), ['start_epoch', 'at least 0', '-1']),
    'negative gamma': (loss('FocalLoss', gamma=-2), ['FocalLoss', 'gamma', '-2']),
    'gamma that is not a number': (loss('VSLoss', gamma='nan'), ['VSLoss', 'gamma', 'nan']),
    'negative gamma of CDT': (loss('CDTLoss', gamma=-1), ['CDTLoss', 'gamma', '-1']),
    'gamma above 1': (loss('SEQLLoss', gamma=1.5), ['SEQLLoss', 'gamma', '1.5']),
    'tau in words': (loss('LogitAdjustedLoss', tau='much'), ['LogitAdjustedLoss', 'tau', 'much']),
    'scale of 0': (loss('LDAMLoss', scale=0), ['LDAMLoss', 'scale', 'above 0']),
    'negative margin': (loss('LDAMLoss', max_margin=-0.5), ['LDAMLoss', 'max_margin', '-0.5']),
    'smoothing above 1': (loss('LabelAwareSmoothingLoss', head=1.4), ['LabelAwareSmoothingLoss', 'head', '1.4']),
    'beta of the weights': (own('reweighting'), ['beta', 'at most 1', '1.5']),
    'impossible mixing': (own('mixing'), ['Mixup', 'alpha', 'above 0', '-1']),
    'share above 1': (own('remix'), ['Remix', 'tau', 'at most 1', '2']),
    'threshold of 0': (sampler('RepeatFactorSampler', threshold=0), ['RepeatFactorSampler', 'threshold', 'above 0']),
    'images a class in words': (sampler('ClassAwareSampler', samples_per_class='few'), ['samples_per_class', 'few']),
    'power in words': (sampler('PowerSampler', power='root'), ['PowerSampler', 'power', 'root']),
    'half a draw': (sampler('ShuffleSampler', num_samples=1.5), ['ShuffleSampler', 'num_samples', '1.5']),
    'padding in words': (ce('data_preprocessor.train_transforms.0.padding=wide'), ['RandomCrop', 'padding', "'wide'"]),
    'mean without its deviation': (ce('data_preprocessor.mean=[0.5,0.5]'), ['mean', 'std', '[0.5, 0.5]']),
    'two channels': (
        ce('data_preprocessor.mean=[0.5,0.5]', 'data_preprocessor.std=[0.5,0.5]'), ['3 channels', 'mean', '2 numbers']),
    'mean in grey levels': (ce('data_preprocessor.mean=[123.7,116.3,103.5]'), ['mean', '0 to 1', '123.7']),
    'images too small for the model': (own('vit'), ['test_vit', '8x8', 'img_size']),
    # data
    'missing data': (cifar('nowhere'), ['nowhere', 'cifar-100-python.tar.gz', 'https://']),
    'archive of another checksum': (cifar('{files}/archive'), ['cifar-100-python.tar.gz', 'MD5', 'delete']),
    'truncated arrays': (cifar('{files}/cut.npz'), ['cut.npz', 'cannot be read']),
    'label out of range': (cifar('{files}/label.npz'), ['label.npz', '100', '0 to 99']),
    'pickled arrays': (cifar('{files}/pickled.npz'), ['pickled.npz', 'cannot be read']),
    'a class without an image': (
        ce('train_dataloader.dataset.imbalance_ratio=1000000'),
        ['class 4 of digits', 'no training image', 'imbalance_ratio'],
    ),
    'thinned twice': (own('twice'), ['digits', 'balanced']),
    'list with a broken line': (own('list_line'), ['line 2', 'lines.txt']),
    'list with a label too many': (own('list_label'), ['line 1', 'labels.txt', '7']),
    'list that is damaged JSON': (own('list_json'), ['line 1 of', 'labels.json', 'it is JSON, and damaged', 'write it again']),
    'list with a huge label': (own('list_huge'), ['line 2', 'huge.txt', '100000000000', '2 images', "labels='remap'"]),
    'list that counts from 1': (own('list_from_one'), ['line 3', 'label 3', 'count from 1', "labels='remap'"]),
    'list with gaps': (own('list_gaps'), ['class 1, 3, 4 and more', 'labels are 0, 2, 9', "labels='remap'"]),
    'list with several labels': (own('list_several'), ['line 1', 'several.txt', 'several labels (0 2)', 'keep one']),
    'list of missing images': (
        own('list_dead'), ['3 of the 3 training images', 'a.png (line 1 of', 'c.png (line 3 of', "on_broken='skip'"]),
    'numbers beside names': (own('list_numbers'), ['test set names its classes (a, b, c', 'numbers alone', '`classes`']),
    'numbers of another order': (own('list_other'), ['test set', "'a' is class 0 there and class 1 here", '`classes`']),
    'text as classes': (own('classes_text'), ["classes is the text 'abc'", 'no file', 'a name a line']),
    'class named twice': (own('classes_twice'), ["classes 0 and 3 are both 'a'", 'once']),
    'splits as classes': (own('folder_splits'), ['splits holds train', 'not classes', 'data_root']),
    'list that is not there': (own('list_none'), ['none.txt', 'ann_file']),
    'test folder that lacks a class': (own('folder_lacks'), ['test set', '2, not 3', "lacks b", 'classes']),
    'test folder with other names': (own('folder_named'), ['test set', "class 1 is 'bb' there and 'b' here"]),
    'folder that is no class': (own('folder_strange'), ['test_named', "bb", '`classes`']),
    'list without a class': (own('list_empty'), ['class 3', 'no training image']),
    # checkpoints and folders
    'checkpoint of other names': (
        ('test', ['{files}/folder_named.py', '{files}/abc.pth']), ['abc.pth', "'bb' there", "'b' here"]),
    'teacher of another normalisation': (
        student('data_preprocessor.mean=[0.5,0.5,0.5]'),
        ['teacher', '0.305', '0.5', 'data_preprocessor.mean']),
    'what a replaced part left': (
        own('undeleted'), ['PowerSampler', 'samples_per_class', 'ClassAwareSampler', '_delete_=True']),
    'sampler misspelt in the file': (own('misspelt_loader'), ['train_dataloader', "'smapler'", "'sampler'"]),
    'key of a DataLoader': (own('foreign_loader'), ['train_dataloader', 'persistent_workers', 'each epoch']),
    'checkpoint misspelt in the file': (own('misspelt_teacher'), ['prerequisites.teacher', 'chekpoint', "'checkpoint'"]),
    'prerequisite of itself': (own('needs_itself'), ['needs_itself.py', 'needs itself']),
    'seed in the file': (own('seeded'), ['seed', '--seed']),
    'seed as an option': (ce('seed=3'), ['seed', '--seed']),
    'activations computed again': (
        ce('activation_checkpointing=backbone'), ['does not read', 'batch_size', 'accumulative_counts', 'bf16']),
    'one place of a list': (ce('param_scheduler.0.milestones.0=30'), ['milestones.0', 'param_scheduler.0.milestones whole']),
    'one number of the mean': (ce('data_preprocessor.mean.0=0.5'), ['data_preprocessor.mean whole']),
    'weights that are not there': (own('load_from'), ['load_from', 'x.pth', 'no such file']),
    'folder of unreadable checkpoints': (
        ('train', [CE, '--work-dir', '{files}/unreadable']), ['cannot be read', '--work-dir']),
    'unfinished run': (
        ('train', [CE, '--work-dir', '{files}/unfinished', '--cfg-options', ONE]), ['unfinished run', 'with --resume']),
    'missing teacher file': (bkd('prerequisites.teacher.checkpoint=no.pth'), ['no.pth', 'teacher', 'not there']),
    'missing teacher config': (bkd('prerequisites.teacher.config=no.py'), ['no.py', 'no config']),
    'teacher with other classes': (
        bkd('prerequisites.teacher.checkpoint={files}/seven.pth'), ['teacher', '7 classes', '10']),
    'teacher of other counts': (
        student('train_dataloader.dataset.imbalance_ratio=10'), ['teacher', 'other class counts', '342 images']),
    'unknown prerequisite': (bkd('prerequisites.techer.config=x'), ['techer', 'teacher']),
    'missing checkpoint': (('test', [CE, 'none.pth']), ['none.pth', 'check the path']),
    'text for a checkpoint': (('test', [CE, '{files}/close.py']), ['close.py', 'damaged']),
    'truncated checkpoint': (('test', [CE, '{files}/cut.pth']), ['cut.pth', 'damaged']),
    'checkpoint that runs code': (('test', [CE, '{files}/hostile.pth']), ['hostile.pth', 'run code']),
    'checkpoint of another tool': (('test', [CE, '{files}/foreign.pth']), ['foreign.pth', 'convert_weights.py']),
    'checkpoint of another depth': (
        ('test', [CE, '{run}/epoch_1.pth', '--cfg-options', 'model.backbone.depth=14']),
        ['epoch_1.pth', 'backbone.', 'lacks']),
    'checkpoint of other classes': (
        ('test', [CE, '{run}/epoch_1.pth', '--cfg-options', 'model.head.num_classes=7']), ['10 classes', '7']),
    'folder of another run': (('train', [CE, '--work-dir', '{run}']), ['train_cfg.max_epochs was 1', 'now 60', '--work-dir']),
    'resumed with a changed config': (
        ('train', [CE, '--work-dir', '{run}', '--resume', '--cfg-options', ONE, 'optim_wrapper.optimizer.lr=0.2']),
        ['optim_wrapper.optimizer.lr', '0.1', '0.2']),
    'two runs in one folder': (('train', [CE, '--work-dir', '{busy}']), ['another process', 'busy', '--work-dir']),
    'results that are not there': (('compare', ['nowhere']), ['nowhere', 'results']),
    'foreign weights that are not there': (('convert_weights', ['no.npz', 'o.pth', '--config', CE]), ['no.npz']),
    'hostile foreign weights': (
        ('convert_weights', ['{files}/hostile.pth', 'o.pth', '--config', CE]), ['hostile.pth', 'run code']),
    'no job': (('grid', [CE, '--jobs', '0']), ['--jobs 0']),
    # the command line, given twice or against itself
    'a bad seed after a good one': (('train', [CE, '--seeds', '0', '-1']), ['seed', 'at least 0', '-1']),
    'a seed of 70 bits': (('train', [CE, '--seeds', '0', str(2**70)]), ['seed', 'below 2^63', str(2**70)]),
    'one seed twice': (('train', [CE, '--seeds', '3', '3']), ['seed 3', '2 times', 'once']),
    'one seed twice in a grid': (('grid', [CE, '--seeds', '3', '--seeds', '3']), ['seed 3', '2 times', 'once']),
    'a bad seed in a grid': (('grid', [CE, '--seeds', '0', '-1']), ['seed', 'at least 0', '-1']),
    'seed and seeds': (('train', [CE, '--seed', '1', '--seeds', '0']), ['--seed and --seeds', 'one of them']),
    'one option with two values': (
        ('train', [CE, '--cfg-options', ONE, '--cfg-options', 'train_cfg.max_epochs=2']),
        ['train_cfg.max_epochs twice', 'as 1 and as 2']),
    'a bad option before a second flag': (
        ('train', [CE, '--cfg-options', 'model.bakbone.depth=8', '--cfg-options', ONE]), ['bakbone', 'backbone']),
    # what no tool made, no tool writes over
    "--out over a run's results": (
        ('test', [CE, '{run}/epoch_1.pth', '--out', '{run}/results.json']), ['--out', 'record of a run', 'results_NAME.json']),
    '--out in the place of results to come': (
        ('test', [CE, '{files}/unfinished/epoch_1.pth', '--out', '{files}/unfinished/results.json']),
        ['--out', 'unfinished/results.json', 'record of a run']),
    '--out over the checkpoint': (
        ('test', [CE, '{run}/epoch_1.pth', '--out', '{run}/epoch_1.pth']), ['--out', 'epoch_1.pth', 'not made by this tool']),
    '--out over a config': (
        ('test', [CE, '{run}/epoch_1.pth', '--out', '{files}/close.py']), ['--out', 'close.py', 'not made by this tool']),
    '--out over other JSON': (
        ('test', [CE, '{run}/epoch_1.pth', '--out', '{run}/elapsed.json']), ['--out', 'elapsed.json', 'not made by this']),
    '--out that is a folder': (('test', [CE, '{run}/epoch_1.pth', '--out', '{run}']), ['--out', 'is a folder']),
    'an evaluation into the folder of a run': (
        ('test', [CE, '{run}/epoch_1.pth', '--work-dir', '{run}']), ['--work-dir', 'folder of a run']),
    '--plot over the results': (('compare', ['{run}', '--plot', '{run}/results.json']), ['--plot', '.png']),
    '--plot over a photo': (('compare', ['{run}', '--plot', '{files}/photo.png']), ['--plot', 'photo.png', 'not made by']),
    '--plot over a checkpoint of that name': (
        ('compare', ['{run}', '--plot', '{files}/model.png']), ['--plot', 'model.png', 'not made by']),
    'a picture over a photo': (
        ('browse_dataset', [CE, '--out', '{files}/photo.png']), ['--out', 'photo.png', 'not made by']),
    'converted weights over a checkpoint': (
        ('convert_weights', ['{files}/label.npz', '{run}/epoch_1.pth', '--config', CE]), ['epoch_1.pth', 'not made by']),
    'a subset over other arrays': (
        ('export_subset', ['{files}/label.npz', '--dataset', 'cifar100', '--data-root', '{files}']),
        ['label.npz', 'not made by']),
    'records over other JSON': (('benchmark', ['--json', '{run}/results.json']), ['--json', 'results.json', 'not made by']),
    'a run into a folder of other results': (
        ('train', [CE, '--work-dir', '{files}/other']), ['other', 'results of another run', '--work-dir']),
    'a run into a folder with a file called so': (
        ('train', [CE, '--work-dir', '{files}/strange']), ['strange', 'no record of this run', 'move it away', '--work-dir']),
    # files of the right name
    'results in brackets': (('compare', ['{files}/strange']), ['strange/results.json', 'nested too deeply']),
    'a table without lines': (
        ('compare', ['{files}/empty_csv', '--plot', 'x.png']), ['per_class.csv', 'one line for each class']),
    'a table with a quote left open': (
        ('compare', ['{files}/open_csv', '--plot', 'x.png']), ['per_class.csv', 'columns class, name']),
    'a tuned value in brackets': (
        ('test', [CE, '{run}/epoch_1.pth', '--adjust', 'tau_norm', '--tau', '{files}/strange/results.json']),
        ['strange/results.json', 'was not written by']),
    'a test prior in brackets': (
        ('test', [CE, '{run}/epoch_1.pth', '--adjust', 'prior', '--test-prior', '{files}/strange/results.json']),
        ['--test-prior', 'nested too deeply']),
    'a checkpoint of NaN': (('test', [CE, '{files}/nan.pth']), ['nan.pth', 'head.weight', 'NaN or infinite']),
    'a teacher of NaN': (
        bkd('prerequisites.teacher.checkpoint={files}/nan.pth'), ['nan.pth', 'head.weight', 'NaN or infinite']),
}  # fmt: skip


def make_beside(folder: Path) -> None:
    """Files that tools find beside a run's, made from the run in `folder`."""
    for name in ('other', 'strange', 'empty_csv', 'open_csv'):
        shutil.copytree(folder / 'run', folder / name, ignore=shutil.ignore_patterns('*.pth'))
    (folder / 'strange/results.json').write_text('[' * 200_000)
    table = (folder / 'run/per_class.csv').read_text()
    for name in ('empty_csv', 'open_csv'):  # a run older than the full evaluation
        (folder / name / 'evaluation.json').unlink()
    (folder / 'empty_csv/per_class.csv').write_text(table.splitlines()[0])
    (folder / 'open_csv/per_class.csv').write_text(table[:-3] + '"')
    Image.new('RGB', (8, 8)).save(folder / 'photo.png')
    shutil.copy(folder / 'run/epoch_1.pth', folder / 'model.png')
    content = load_checkpoint(folder / 'run/epoch_1.pth')
    content['state_dict']['head.weight'][0] = float('nan')
    save_checkpoint(folder / 'nan.pth', content)


@pytest.fixture(scope='module')
def files(tmp_path_factory) -> dict[str, Path]:
    """What the cases need: a folder of bad files, a run's folder, a folder somebody holds."""
    folder = tmp_path_factory.mktemp('bad')
    make(folder, ROOT / CE)
    with contextlib.chdir(folder):
        train(CE, overrides={'train_cfg.max_epochs': 1}, work_dir=folder / 'run')
    shutil.copytree(folder / 'run', folder / 'unfinished', ignore=shutil.ignore_patterns('results.json'))
    (folder / 'unreadable').mkdir()
    (folder / 'unreadable/epoch_3.pth').write_bytes(b'half')
    (folder / 'cut.pth').write_bytes((folder / 'run/epoch_1.pth').read_bytes()[:5000])
    make_beside(folder)
    (folder / 'busy').mkdir()
    with open(folder / 'busy/.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield dict(files=folder, run=folder / 'run', busy=folder / 'busy')
    assert not (folder / 'mark').exists(), 'a hostile file ran'


@pytest.mark.parametrize('case', CASES)
def test_one_sentence(case, files, call):
    (tool, args), expected = CASES[case]
    code, out, err = call(tool, *(arg.format(**files) for arg in args))
    assert code == 1, out + err
    assert 'Traceback' not in out + err
    message = err.strip().splitlines()[-1]
    assert message.startswith('error: ')
    for word in expected:
        assert word in message, f'{word!r} is not named in: {message}'


def test_refused_files_stay_as_they_are(files, call):
    kept = {path: path.read_bytes() for name in ('run', 'unfinished') for path in files['files'].glob(f'{name}/*.*')}
    for case in (case for case in CASES if case.startswith(('--', 'an evaluation into', 'converted weights over'))):
        (tool, args), _ = CASES[case]
        assert call(tool, *(arg.format(**files) for arg in args))[0] == 1
    assert {path: path.read_bytes() for path in kept} == kept
    assert not (files['files'] / 'unfinished/results.json').exists()


def test_one_sentence_from_the_script_itself(tmp_path):
    (tool, args), expected = CASES['type of the backbone']
    command = [sys.executable, ROOT / 'tools' / f'{tool}.py', *args]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and 'Traceback' not in done.stdout + done.stderr
    assert all(word in done.stderr.strip().splitlines()[-1] for word in expected)


def test_a_flag_that_nothing_reads_ends_with_the_same_exit_code(call):
    code, _, err = call('train', CE, '--bogus')
    assert code == 1 and 'unrecognized arguments: --bogus' in err.strip().splitlines()[-1]


def test_debug_keeps_the_stack_trace(run):
    _, err = run('train.py', 'configs/none.py', '--debug', code=1)
    assert 'Traceback' in err


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(run):
    _, err = run('train.py', CE, '--cfg-options', 'optim_wrapper.optimizer.lr=1e20', 'train_cfg.max_epochs=2', code=1)
    assert 'NaN or infinite in epoch 1, step' in err
    assert not list(run.folder.rglob('epoch_*.pth'))
