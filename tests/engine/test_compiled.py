"""A compiled step gives the eager step's losses, compiles once, and lets go where it cannot work."""

import copy
import os
import shutil
from pathlib import Path

import pytest
import torch
from functorch.compile import make_boxed_func
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.utils import counters

from mmlt.analysis.results import read_results
from mmlt.apis.train import build_runner
from mmlt.config.find import config_roots
from mmlt.engine.compiled import WORTH_STEPS, CompiledForward, compile_options
from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.registry import MODELS

DATA = {'train_cfg.max_epochs': 3, 'param_scheduler.0.milestones': [1, 2], 'train_dataloader.batch_size': 100}
METHODS = ['ce', 'ce_drw', 'bkd', 'ldam_drw', 'logit_adjustment', 'mixup', 'cutmix', 'cmo', 'remix']
METHODS += ['seql', 'ride', 'sade', 'balpoe', 'ncl', 'ecl', 'paco', 'gpaco', 'bcl']


class Backend:
    """Counts the graphs it is given and runs them as they are, or fails."""

    def __init__(self) -> None:
        self.graphs, self.error = 0, None

    def __call__(self, graph, inputs):
        self.graphs += 1
        if self.error:
            raise self.error
        return graph.forward


CURRENT: list[Backend] = []
torch._dynamo.register_backend(lambda graph, inputs: CURRENT[0](graph, inputs), name='mmlt_test')


def forward_only(graph, inputs):
    """Compiles a graph that gives losses, and no other: the forward pass comes before the backward pass."""
    CURRENT[0](graph, inputs)
    if CURRENT[0].graphs > 1:
        raise OSError('no backward pass')
    return make_boxed_func(graph.forward)


torch._dynamo.register_backend(aot_autograd(fw_compiler=forward_only), name='mmlt_forward_only')
COUNTED = dict(backend='mmlt_test')  # by name: a config holds plain values


@pytest.fixture
def backend():
    """The backend of `COUNTED`."""
    CURRENT[:] = [Backend()]
    return CURRENT[0]


@pytest.fixture(autouse=True)
def fresh():
    """Nothing compiled before counts."""
    torch._dynamo.reset()
    counters.clear()


def runner_of(folder, method='ce', compile=False, **overrides):  # noqa: A002
    config = f'configs/{method}/resnet8_digitslt.py'
    stage = Stage(config, overrides={**DATA, **overrides, 'compile': compile}, work_dir=folder)
    runner = build_runner(stage)
    runner.bare_model.set_class_counts(stage.loader.dataset.class_counts)
    if 'teacher' in stage.prerequisites:
        torch.manual_seed(1)
        runner.bare_model.attach('teacher', [MODELS.build(stage.prerequisites['teacher'][0].source.cfg.model)])
    return runner


def depend_on_the_epoch(model) -> None:
    """Multiply the loss by a Python number that is another in each epoch."""
    loss = model.terms[0].loss
    plain = loss.compute
    model.set_epoch = lambda epoch: setattr(loss, 'factor', 1 + epoch)
    loss.compute = lambda *args, **settings: plain(*args, **settings) * loss.factor


def losses_of(runner) -> list[float]:
    """Train; the loss of every step."""
    seen, add = [], runner.watch.add
    runner.watch.add = lambda losses, step: (seen.append(losses['loss'].detach().clone()), add(losses, step))
    runner.train()
    return torch.stack(seen).tolist()


@pytest.mark.parametrize('method', METHODS)
def test_every_epoch_runs_in_the_same_graphs(tmp_path, method, backend):
    # Epochs 0 and 1 differ in what may differ: the learning rate, deferred class weights, mixing switched on.
    where = dict.fromkeys(('ce_drw', 'ldam_drw', 'ride'), 'reweighting.start_epoch') | {'cmo': 'mixing.first_epoch'}
    overrides = {f'model.{where[method]}': 1} if method in where else {}
    runner = runner_of(tmp_path / 'c', method, COUNTED, **overrides)
    compiled = losses_of(runner)
    graphs = 2 if method in ('cmo', 'ride') else 1  # with mixing and without, with class temperatures and without
    assert backend.graphs == graphs and runner.compiled.works, counters['graph_break']
    eager = losses_of(runner_of(tmp_path / 'e', method, **overrides))
    assert len(eager) == 3 * len(runner.train_loop.dataloader) >= 9 and compiled == pytest.approx(eager, rel=1e-5)


def test_a_loss_that_reads_numbers_splits_the_graph_in_the_same_places(tmp_path, backend):
    runner = runner_of(tmp_path / 'c', 'seesaw', COUNTED)
    model, graphs = runner.bare_model, []
    begin = model.set_epoch
    model.set_epoch = lambda epoch: (graphs.append(backend.graphs), begin(epoch))
    compiled = losses_of(runner)
    assert runner.compiled.works and graphs[0] == 0 < graphs[1] == graphs[2] == backend.graphs
    assert compiled == pytest.approx(losses_of(runner_of(tmp_path / 'e', 'seesaw')), rel=1e-5)


def test_a_step_that_depends_on_a_python_number_is_noticed(tmp_path, backend):
    # What the test above rests on.
    runner = runner_of(tmp_path, compile=COUNTED)
    depend_on_the_epoch(runner.bare_model)
    losses_of(runner)
    assert backend.graphs == 3


def test_short_batches_and_predictions_stay_eager(backend):
    model = MODELS.build(Stage('configs/ce/resnet8_digitslt.py').cfg.model)
    CompiledForward(model, COUNTED, batch_size=4).install()
    labels, keys = torch.zeros(4, dtype=torch.int64), torch.arange(4)
    images = torch.randn(4, 3, 8, 8)
    model(images[:3], labels[:3], keys[:3], keys[:3], mode='loss')
    model.eval()
    model(images, labels, keys, keys, mode='predict')
    assert backend.graphs == 0
    model.train()
    model(images, labels, keys, keys, mode='loss')
    assert backend.graphs == 1


def test_names_checkpoints_and_resume_know_nothing_of_it(tmp_path):
    eager = runner_of(tmp_path / 'e')
    eager.train()
    whole = runner_of(tmp_path / 'w', compile=dict(backend='eager'))
    whole.train()
    names = eager.bare_model.state_dict().keys()
    assert whole.bare_model.state_dict().keys() == names
    assert whole.content(3, 0)['state_dict'].keys() == names
    for name, value in eager.bare_model.state_dict().items():
        torch.testing.assert_close(whole.bare_model.state_dict()[name], value, rtol=1e-3, atol=1e-3)


def test_a_failing_compiler_is_named_once_and_training_goes_on(tmp_path, capsys, backend):
    expected = losses_of(runner_of(tmp_path / 'e'))
    backend.error = OSError('no compiler found\nlong trace')
    runner = runner_of(tmp_path / 'b', compile=COUNTED)
    assert losses_of(runner) == expected
    out = capsys.readouterr().out
    assert out.count('torch.compile does not work here (OSError: no compiler found)') == 1 and 'long trace' not in out
    assert runner.route == dict(compile=None, channels_last=True)


def test_a_backward_pass_that_cannot_be_compiled_ends_no_run(tmp_path, capsys, backend):
    expected = losses_of(runner_of(tmp_path / 'e'))
    runner = runner_of(tmp_path / 'c', compile=dict(backend='mmlt_forward_only'))
    assert losses_of(runner) == expected
    assert backend.graphs == 2 and not runner.compiled.works
    assert capsys.readouterr().out.count('torch.compile does not work here (OSError: no backward pass)') == 1


def test_a_step_compiled_too_often_is_named_and_not_called_compiled(tmp_path, capsys, backend):
    runner = runner_of(tmp_path, compile=COUNTED)
    depend_on_the_epoch(runner.bare_model)
    with torch._dynamo.config.patch(recompile_limit=2):
        assert len(losses_of(runner)) == 12 and backend.graphs == 2
    assert capsys.readouterr().out.count('Python numbers that keep changing') == 1 and runner.route['compile'] is None


def test_without_a_c_compiler_training_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path / 'cache'))
    runner = runner_of(tmp_path / 'run', compile=True, **{'train_cfg.max_epochs': 1})
    with torch._inductor.config.patch({'cpp.cxx': (None, 'no-such-compiler')}):  # monkeypatch would take it away
        losses_of(runner)
    assert capsys.readouterr().out.count('torch.compile does not work here (InvalidCxxCompiler') == 1


def test_an_error_of_the_model_comes_out_as_it_is(tmp_path, backend):
    runner = runner_of(tmp_path, 'mixup', COUNTED, **{'train_dataloader.partner_sampler': None})
    with pytest.raises(UserError, match='partner'):
        runner.train()
    assert backend.graphs == 0


def test_options(monkeypatch):
    assert compile_options(False, 10**6) is None
    assert compile_options(True, 1) == {}
    assert compile_options(dict(mode='reduce-overhead'), 1) == dict(mode='reduce-overhead')
    assert compile_options('auto', 10**6) is None or torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    assert compile_options('auto', WORTH_STEPS) == {}
    assert compile_options('auto', WORTH_STEPS - 1) is None
    with pytest.raises(UserError, match='compile is True'):
        compile_options('fast', 1)


@pytest.mark.parametrize(
    'wanted, expected',
    [
        (dict(mode='reduce-overhead'), dict(mode='default')),
        (dict(mode='max-autotune', fullgraph=True), dict(mode='max-autotune-no-cudagraphs', fullgraph=True)),
        (dict(options={'triton.cudagraphs': True}), dict(options={'triton.cudagraphs': False})),
        (dict(mode='default'), dict(mode='default')),
        (dict(backend='eager', options=None), dict(backend='eager', options=None)),
    ],
)
def test_steps_are_not_captured_while_gradients_add_up(wanted, expected, capsys):
    # A captured step's gradients lie in its own memory, which the next step writes again.
    before = copy.deepcopy(wanted)
    assert compile_options(wanted, 1, accumulative_counts=1) == wanted and capsys.readouterr().out == ''
    assert compile_options(wanted, 1, accumulative_counts=2) == expected and wanted == before
    assert capsys.readouterr().out.count('without captured steps') == (wanted != expected)
    torch.compile(lambda x: x, **expected)  # takes them


def test_unknown_options_are_refused():
    model = MODELS.build(Stage('configs/ce/resnet8_digitslt.py').cfg.model)
    with pytest.raises(UserError, match='does not take'):
        CompiledForward(model, dict(mode='warp'), batch_size=4)


def test_the_way_it_is_computed_is_no_part_of_the_outcome():
    plain = Stage('configs/bkd/resnet8_digitslt.py')
    compiled = Stage('configs/bkd/resnet8_digitslt.py', overrides={'compile': True})
    assert compiled.config_hash == plain.config_hash and compiled.folder == plain.folder
    assert compiled.prerequisites['teacher'][0].source.cfg.compile is True


@pytest.mark.parametrize('method', ['ce', 'bkd'])
def test_runs_that_were_finished_before_are_still_found(method):
    stored = Path(f'configs/{method}/results/resnet8_digitslt_seed0.json')
    (root,) = [root for root in config_roots() if (root.parent / stored).is_file()][:1]
    assert Stage(f'configs/{method}/resnet8_digitslt.py').config_hash == read_results(root.parent / stored)['config_hash']


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(os.environ.get('CXX', 'g++')), reason='torch.compile needs a C++ compiler on a CPU')
def test_the_real_compiler_gives_the_eager_losses(tmp_path):
    epoch = {'train_cfg.max_epochs': 1}
    eager = losses_of(runner_of(tmp_path / 'e', **epoch))
    runner = runner_of(tmp_path / 'c', compile=True, **epoch)
    assert losses_of(runner) == pytest.approx(eager, rel=1e-3)
    assert runner.compiled.works and runner.route['compile'] == {}


def test_the_runner_says_over_how_many_steps_gradients_add_up(tmp_path, capsys):
    overrides = {'compile': dict(mode='reduce-overhead'), 'train_cfg.max_epochs': 1}
    stage = Stage('configs/ce/resnet8_digitslt.py', overrides=overrides, work_dir=tmp_path)
    stage.cfg.optim_wrapper.accumulative_counts = 2
    runner = build_runner(stage)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.compile_step('train_step')
    assert runner.compiled.options == dict(mode='default') and 'without captured steps' in capsys.readouterr().out
