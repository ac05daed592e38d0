"""Resident images take their bytes once; a teacher keeps nothing of what passes through it."""

import tracemalloc

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmlt.engine.loader import build_loader, resident_tensors
from mmlt.engine.shared_data import shared_dataset
from mmlt.engine.stages import Stage
from mmlt.registry import MODELS

IMAGES = 12_000
BYTES = IMAGES * 3 * 32 * 32


@pytest.fixture
def cifar(tmp_path):
    """Config of 12,000 images of CIFAR's shape."""
    generator = np.random.default_rng(0)
    images = generator.integers(256, size=(IMAGES, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / 'train.npz', images=images, labels=np.arange(IMAGES) % 100)
    inner = dict(type='CIFAR100', data_root=str(tmp_path / 'train.npz'))
    return dict(type='LongTailedDataset', dataset=inner, profile='natural')


def test_images_of_teacher_and_student_are_there_once(cifar):
    tracemalloc.start()  # sees the arrays of numpy
    teacher, student = (
        build_loader(dict(dataset=shared_dataset(cifar), batch_size=128), seed, training=True) for seed in (0, 1)
    )
    batches = [next(iter(loader)) for loader in (teacher, student)]
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 0.1 * BYTES
    assert teacher.dataset is student.dataset
    images, _ = resident_tensors(student.dataset)
    assert resident_tensors(teacher.dataset)[0] is images and images.untyped_storage().nbytes() == BYTES
    for batch in batches:
        assert torch.equal(batch.images, images[batch.indices])


def test_pixels_that_were_let_go_are_read_again(cifar):
    dataset = shared_dataset(cifar)
    before = dataset.tensors()[0]
    images, _ = resident_tensors(dataset)
    assert dataset.dataset._images is None
    assert torch.equal(dataset.tensors()[0], images) and torch.equal(before, images)
    assert dataset.fingerprint()['num_images'] == IMAGES


def student_and_teacher():
    stage = Stage('configs/bkd/resnet8_digitslt.py')
    student = MODELS.build(stage.cfg.model)
    student.attach('teacher', [MODELS.build(stage.prerequisites['teacher'][0].source.cfg.model)])
    student.set_class_counts(stage.loader.dataset.class_counts)
    return student.train()


class Operators(TorchDispatchMode):
    """Names of the operators that run while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def saved_by(function) -> list[torch.Size]:
    """Shapes of what autograd keeps for the backward pass."""
    shapes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: shapes.append(t.shape) or t, lambda t: t):
        function()
    return shapes


def test_a_teacher_costs_what_inference_costs():
    model = student_and_teacher()
    images, (teacher,) = torch.randn(4, 3, 8, 8), model.teachers['teacher']
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with Operators() as taught:
        (outputs,) = model.teacher_outputs('teacher', images)
    with Operators() as inference, torch.no_grad():
        teacher.outputs(images)
    detached = [name for name in taught.names if name != 'detach']
    assert detached == [name for name in inference.names if name != 'detach'] and 'native_batch_norm' in str(detached)
    assert not teacher.training and outputs.logits.grad_fn is None and outputs.features.grad_fn is None
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_teacher_keeps_no_activation():
    model = student_and_teacher()
    images, target = torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    assert saved_by(lambda: model.teacher_outputs('teacher', images.requires_grad_())) == []
    alone = saved_by(lambda: model.outputs(images))
    assert len(alone) > 20
    both = saved_by(lambda: model(images, target, mode='loss'))
    maps = [shape for shape in both if len(shape) == 4]
    assert maps == [shape for shape in alone if len(shape) == 4]  # the losses keep vectors only
