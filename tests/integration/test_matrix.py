"""Every cell of docs/combine.md: its config is built and steps once with the losses it promises, or is refused."""

import re
from pathlib import Path

import pytest
import torch

from mmlt.engine.stages import Stage
from mmlt.errors import UserError
from mmlt.models.classifiers import LongTailedClassifier
from mmlt.models.terms import Term
from mmlt.registry import MODELS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'combine.md').read_text(encoding='utf-8')
EPOCH = 5  # every schedule of a column has begun


def table(first: str) -> list[list[str]]:
    """The rows of the page's table whose first column is called `first`, that of the names among them."""
    lines = re.search(rf'^\| {first} \|.*\n(?:\|.*\n)+', PAGE, re.MULTILINE)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    return [rows[0], *rows[2:]]


def names(cell: str) -> set[str]:
    return {f'loss_{name}' for name in re.findall(r'`(\w+)`', cell)}


ADDED = {name: text.strip('`') for name, text in table('column')[1:]}
REASONS = dict(re.findall(r'^- \*\*(\w)\*\* (.+)$', PAGE, re.MULTILINE))
(_, _, _, *COLUMNS), *ROWS = table('method')
METHODS = {row[0]: (row[1].strip('`'), names(row[2])) for row in ROWS}
CELLS = {(row[0], column): cell for row in ROWS for column, cell in zip(COLUMNS, row[3:], strict=True)}


@pytest.fixture
def stage_of(tmp_path):
    """A stage of a method's config with something added; it gives small batches."""

    def make(method: str, added: str = '') -> Stage:
        config = ROOT / 'configs' / METHODS[method][0]
        path = tmp_path / 'config.py'
        path.write_text(f'_base_ = [{str(config)!r}]\n{added}\n')
        return Stage(path, overrides={'train_dataloader.batch_size': 16}, precision='fp32', work_root=tmp_path)

    return make


def step(stage: Stage) -> tuple[LongTailedClassifier, dict[str, torch.Tensor]]:
    """The model after one step on the digits, and the step's losses; each of its weights that learns has moved."""
    torch.manual_seed(0)
    model, counts = MODELS.build(stage.cfg.model), stage.loader.dataset.metainfo['class_counts']
    model.set_class_counts(counts)
    for role, needs in stage.prerequisites.items():
        models = [finished(need.source, counts) for need in needs]
        # A teacher of some classes, as if it were the first ones.
        subsets = [None if one.num_classes == len(counts) else list(range(one.num_classes)) for one in models]
        model.attach(role, models, subsets)
    model.set_epoch(EPOCH)
    model.train()
    batch = model.data_preprocessor(next(iter(stage.loader)), True)
    one = model.step(batch)
    if model.mixing is not None:
        assert (one.mixed.weight < 1).any()
        first = batch.images[0] if batch.images.dim() == 5 else batch.images
        assert not torch.equal(one.images[0], first)
    losses = model.losses(one)
    weights = {name: value for name, value in model.named_parameters() if value.requires_grad}
    before = {name: value.detach().clone() for name, value in weights.items()}
    optimizer = torch.optim.SGD(weights.values(), lr=0.1, weight_decay=1e-3)
    sum(losses.values()).backward()
    optimizer.step()
    model.end_step(updated=True)
    still = [name for name, value in weights.items() if torch.equal(value, before[name])]
    assert weights and not still, still
    return model, losses


def finished(stage: Stage, counts: list[int]) -> LongTailedClassifier:
    """A prerequisite with random weights."""
    model = MODELS.build(stage.cfg.model)
    model.set_class_counts(counts[: model.num_classes])
    return model


def test_every_method_has_a_row():
    kinds = {Stage(ROOT / 'configs' / config, precision='fp32').cfg.model.type for config, _ in METHODS.values()}
    # Of CE with `mixing`; of LWS on another head; of CE that is tested on several crops.
    other_names = {'MixingClassifier', 'SSDScalingClassifier', 'CropEnsembleClassifier'}
    known = {kind.__name__ for kind in MODELS.module_dict.values() if issubclass(kind, LongTailedClassifier)
             and kind.__module__.startswith('mmlt.')}  # fmt: skip
    assert known - other_names <= kinds, known - other_names - kinds
    assert set(ADDED) == set(COLUMNS)


def test_the_terms_that_take_no_mixed_images_are_named():
    sentence = re.search(r'^No mixed images take the terms (.*?), which', PAGE, re.MULTILINE | re.DOTALL)[1]
    kinds = [kind for kind in MODELS.module_dict.values() if issubclass(kind, Term) and kind.__module__.startswith('mmlt.')]
    assert set(re.findall(r'`(\w+)`', sentence)) == {kind.__name__ for kind in kinds if isinstance(kind.unmixable, str)}


@pytest.mark.parametrize('method', METHODS)
def test_a_method_by_itself(method, stage_of):
    _, losses = step(stage_of(method))
    assert set(losses) == METHODS[method][1]
    assert all(value.dim() == 0 and value.isfinite() and value.requires_grad for value in losses.values()), losses


@pytest.mark.parametrize(('method', 'column'), CELLS, ids=[' + '.join(cell) for cell in CELLS])
def test_a_cell(method, column, stage_of):
    cell = CELLS[method, column]
    if refused := re.fullmatch(r'no \((\w)\)', cell):
        with pytest.raises(UserError) as error:
            step(stage_of(method, ADDED[column]))
        message = str(error.value)
        assert REASONS[refused[1]] in message and '\n' not in message and message.endswith('.')
        return
    model, losses = step(stage_of(method, ADDED[column]))
    joined = names(cell)
    assert joined or cell == 'yes'
    assert set(losses) == METHODS[method][1] | joined and not METHODS[method][1] & joined
    assert all(value.dim() == 0 and value.isfinite() and value.requires_grad for value in losses.values()), losses
    if column in ('mixup', 'CutMix', 'Remix', 'CMO'):
        assert type(model.mixing).__name__.lower() == column.lower()
    if column == 'two teachers':
        assert [type(one).__name__ for one in model.teachers['teacher']] == ['LongTailedClassifier', 'RIDEClassifier']
    if column == 'class weights':
        assert len(model.reweighting.weights.unique()) > 5


def test_ldam_with_a_scaled_head_is_ldam(stage_of):
    scaled = re.search(r"^`(model = dict\(head=dict\(scale=.*)`$", PAGE, re.MULTILINE)[1]
    (plain, losses), (other, found) = (step(stage_of('LDAM-DRW', added)) for added in ('', scaled))
    torch.testing.assert_close(found['loss_cls'], losses['loss_cls'])
    assert plain.head.scale == 1 and other.head.scale == 30
