"""Wrong input through the command line: one sentence, exit code 1, no stack trace."""

import pytest

pytestmark = pytest.mark.slow
CE, BKD = 'configs/ce/resnet8_digitslt.py', 'configs/bkd/resnet8_digitslt.py'
CASES = {
    'config of a similar name': (['configs/ce/resnet8_digitlt.py'], ['no config', 'resnet8_digitslt.py']),
    'unknown type': ([CE, 'model.backbone.type=ResNetCIFA'], ['ResNetCIFA', 'ResNetCIFAR']),
    'dotted type': ([CE, 'model.backbone.type=os.getcwd'], ['os.getcwd', 'dotted']),
    'override that leads nowhere': ([CE, 'model.bakbone.depth=8'], ['model', 'bakbone', 'backbone']),
    'argument nothing takes': ([CE, 'model.backbone.dept=8'], ['model.backbone', 'dept', 'depth']),
    'override into a number': ([CE, 'precision.x=1'], ['precision', 'nothing inside']),
    'place beyond a list': ([CE, 'param_scheduler.4.gamma=1'], ['param_scheduler', 'list of 1']),
    'impossible depth': ([CE, 'model.backbone.depth=9'], ['depth 9', '6n + 2']),
    'classes that do not fit': ([CE, 'model.head.num_classes=7'], ['7 classes', '10']),
    'unknown convention': ([CE, 'val_evaluator.convention=mine'], ['mine', 'standard']),
    'unknown profile': ([CE, 'train_dataloader.dataset.profile=bent'], ['bent', 'exp']),
    'missing data': (
        ['configs/ce/resnet32_cifar100lt.py', 'train_dataloader.dataset.dataset.data_root=nowhere',
         'train_dataloader.dataset.dataset.download=False'],
        ['nowhere', 'cifar-100-python.tar.gz'],
    ),
    'missing teacher file': ([BKD, 'prerequisites.teacher.checkpoint=no.pth'], ['no.pth', 'teacher']),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_one_sentence(run, case):
    (config, *options), expected = CASES[case]
    args = [config, '--cfg-options', *options] if options else [config]
    out, err = run('train.py', *args, code=1)
    assert 'Traceback' not in out + err
    message = err.strip().splitlines()[-1]
    assert message.startswith('error: ')
    for word in expected:
        assert word in message, f'{word!r} is not named in: {message}'


def test_debug_keeps_the_stack_trace(run):
    _, err = run('train.py', 'configs/none.py', '--debug', code=1)
    assert 'Traceback' in err


def test_contradicting_flags(run):
    _, err = run('train.py', CE, '--amp', '--precision', 'fp32', code=1)
    assert '--amp' in err and '--precision' in err


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(run):
    _, err = run('train.py', CE, '--cfg-options', 'optim_wrapper.optimizer.lr=1e20', 'train_cfg.max_epochs=2', code=1)
    assert 'NaN or infinite in epoch 1, step' in err
    assert not list(run.folder.rglob('epoch_*.pth'))
