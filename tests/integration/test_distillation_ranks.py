"""SSD and LTKD on two ranks: in each stage what one process gives, down to the queue and the masses of the groups.

The networks have no batch normalisation, whose statistics know how many images a rank takes in one step; and their learning
rate is low, since at 0.1 the last digit of a sum grows to the first within two epochs of LTKD.
"""

from pathlib import Path

import pytest
import torch
from commands import ROOT

pytestmark = pytest.mark.slow
BACKBONE = """
from torch import nn
from mmlt.registry import MODELS
@MODELS.register_module()
class NormFree(nn.Module):
    out_channels = 16
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU())
    def forward(self, images):
        return self.layers(images)
"""
# Each rank shows the weights that it ends a stage with.
SHOWN = """
import os
from pathlib import Path
import torch
from mmlt.engine.loops import EpochTrainLoop
whole = EpochTrainLoop.run
def run(loop):
    whole(loop)
    torch.save(loop.runner.bare_model.state_dict(), f'{Path(loop.runner.work_dir).parent.name}{os.environ.get("RANK", "")}.pth')
EpochTrainLoop.run = run
"""
# A stage, the digits' config that it is of, and the stage that it needs.
STAGES = {
    'ce': ('ce/resnet8_digitslt', ''),
    'ltkd': ('ltkd/resnet8_digitslt', "teacher=dict(config='ce.py')"),
    'stage1': ('ssd/resnet8_digitslt_stage1', ''),
    'stage2': ('ssd/resnet8_digitslt_stage2', "backbone=dict(config='stage1.py')"),
    'ssd': ('ssd/resnet8_digitslt', "teacher=dict(config='stage2.py')"),
}
METHODS = {'ltkd': ['ce', 'ltkd'], 'ssd': ['stage1', 'stage2', 'ssd']}


def write_configs(folder: Path, batch_size: int) -> None:
    folder.mkdir()
    (folder / 'norm_free.py').write_text(BACKBONE)
    for name, (base, needs) in STAGES.items():
        (folder / f'{name}.py').write_text(
            f"_base_ = ['{ROOT}/configs/{base}.py']\n{needs and f'prerequisites = dict({needs})'}\n"
            "custom_imports = dict(imports=['norm_free'])\nmodel = dict(backbone=dict(_delete_=True, type='NormFree'))\n"
            f'train_dataloader = dict(batch_size={batch_size})\ntrain_cfg = dict(max_epochs=2)\n'
            'optim_wrapper = dict(optimizer=dict(lr=0.01))\n'
        )


@pytest.mark.parametrize('method', METHODS)
def test_two_ranks_give_what_one_process_gives_in_each_stage(run, method):
    for name, batch_size in (('one', 64), ('two', 32)):
        write_configs(run.folder / name, batch_size)
    done = run.ranks('train.py', f'{method}.py', folder=run.folder / 'two', first=SHOWN)
    assert [rank.code for rank in done] == [0, 0], done
    alone = run.start('train.py', f'{method}.py', folder=run.folder / 'one', first=SHOWN).done()
    assert alone.code == 0, alone
    for stage in METHODS[method]:
        names = f'one/{stage}', f'two/{stage}0', f'two/{stage}1'
        one, first, second = (torch.load(run.folder / f'{name}.pth') for name in names)
        assert one.keys() == first.keys() == second.keys()
        for name, value in one.items():
            assert torch.equal(first[name], second[name]), (stage, name)
            assert torch.allclose(first[name], value, rtol=0, atol=1e-6 * value.is_floating_point()), (stage, name)
        if stage == 'stage1':  # gathered in the order of the one process, and some pushed out
            assert first['terms.1.queue.pointer'] == 2 * 342 % 320 and (first['terms.1.queue.labels'] >= 0).all()
