"""Runs with a momentum encoder and a queue: killed in the midst of an epoch, and on two ranks."""

import pytest
import torch

pytestmark = pytest.mark.slow
# A config, the names of its queue, its momentum encoder and the network that this follows.
RUNS = {
    'configs/paco/resnet8_digitslt.py': ('terms.0.queue', 'terms.0.encoder_k.key.0.conv1', 'backbone.conv1'),
    'configs/ecl/resnet8_digitslt.py': ('terms.3.queue', 'terms.3.encoder.key.0.trunk.0.conv1', 'backbone.trunk.0.conv1'),
}
# A signal, if wanted, after a step (DIE: number, epoch, step); each rank shows the weights that it ends with.
FIRST = """
import os
import torch
from mmlt.engine.loops import EpochTrainLoop
whole, step = EpochTrainLoop.run, EpochTrainLoop.run_iter
def run(loop):
    whole(loop)
    torch.save(loop.runner.bare_model.state_dict(), f'weights{os.environ.get("RANK", "")}.pth')
def die(loop, batch):
    step(loop, batch)
    number, *place = map(int, os.environ.get('DIE', '0 0 0').split())
    if place == [loop.epoch, loop.step]:
        os.kill(os.getpid(), number)
EpochTrainLoop.run, EpochTrainLoop.run_iter = run, die
"""


@pytest.mark.parametrize('config', RUNS)
def test_a_run_killed_in_the_midst_of_an_epoch_ends_with_the_same_encoder_and_queue(run, config):
    queue, follower, followed = RUNS[config]
    options = ['--cfg-options', 'train_cfg.max_epochs=3', 'default_hooks.checkpoint.seconds=0']
    run('train.py', config, '--work-dir', 'whole', *options)
    command = ['train.py', config, '--work-dir', 'killed', '--resume', *options]
    asked = run.start(*command, first=FIRST, DIE='15 1 2').done()
    assert asked.code == 143 and list((run.folder / 'killed').glob('epoch_1_step_*.pth')), asked.err
    killed = run.start(*command, first=FIRST, DIE='9 2 3').done()
    assert killed.code == -9 and 'resumed after epoch 1, step' in killed.out, killed.err
    out, _ = run('train.py', config, '--work-dir', 'killed', '--resume', *options)
    assert 'resumed after epoch 2' in out
    whole, killed = (torch.load(run.folder / name / 'epoch_3.pth') for name in ('whole', 'killed'))
    assert whole['sha256'] == killed['sha256']
    weights = killed['state_dict']
    assert all(torch.equal(value, weights[name]) for name, value in whole['state_dict'].items())
    assert weights[f'{queue}.pointer'] == 3 * 342 % 256 and (weights[f'{queue}.labels'] >= 0).all()
    key, query = weights[f'{follower}.weight'], weights[f'{followed}.weight']
    assert not torch.equal(key, query)


@pytest.mark.parametrize('config', RUNS)
def test_two_ranks_end_with_equal_encoders_and_the_queue_of_one_process(run, config):
    queue, follower, _ = RUNS[config]
    options = ['--cfg-options', 'train_cfg.max_epochs=2']
    done = run.ranks('train.py', config, '--work-dir', 'two', *options, 'train_dataloader.batch_size=32', first=FIRST)
    assert [rank.code for rank in done] == [0, 0], done
    first, second = (torch.load(run.folder / f'weights{rank}.pth') for rank in range(2))
    assert first.keys() == second.keys() and f'{follower}.weight' in first
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    run('train.py', config, '--work-dir', 'one', *options)
    one = torch.load(run.folder / 'one/epoch_2.pth')['state_dict']
    assert torch.equal(one[f'{queue}.labels'], first[f'{queue}.labels'])  # gathered in the order of the one process
    assert one[f'{queue}.pointer'] == first[f'{queue}.pointer']
    lengths = first[f'{queue}.features'].norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
