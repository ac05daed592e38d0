"""What this machine can do, measured."""

import time
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from mmlt.analysis.diagnosis.scan import processors
from mmlt.engine.device import autocast, resolve_precision

SHARE = 0.75  # of the processors' time that a step on several of them makes use of
STEPS = 3


@dataclass(frozen=True)
class Machine:
    """Where training takes place.

    Args:
        name: of the device, in words.
        gpu: whether it is a GPU.
        memory: of the GPU, in bytes; 0 for none.
    """

    name: str
    gpu: bool
    memory: int

    @classmethod
    def this(cls) -> 'Machine':
        """The one that this runs on."""
        if torch.cuda.is_available():
            return cls(torch.cuda.get_device_name(), True, torch.cuda.get_device_properties(0).total_memory)
        cores = processors()
        return cls(f'a CPU with {cores} core{"s" if cores > 1 else ""}', False, 0)


def seconds_an_image(network: int | str, image_size: int, batch_size: int, training: bool, machine: Machine) -> float:
    """How long a step takes an image, by a few steps with random images.

    On a CPU the processor's own time of one thread is taken and shared among the cores, so that other programs do not count.

    Args:
        network: depth of a `ResNetCIFAR`, or the name of a timm model.
        image_size: in pixels.
        batch_size: images a step.
        training: with the backward pass.
        machine: this one.
    """
    precision, _ = resolve_precision('bf16')
    device = 'cuda' if machine.gpu else 'cpu'
    clock = time.perf_counter if machine.gpu else time.process_time
    with _one_thread(not machine.gpu), torch.random.fork_rng(devices=[]), torch.set_grad_enabled(training):
        model = _network(network).train(training).to(device, memory_format=torch.channels_last)
        count = batch_size if training else min(batch_size, 16)
        images = torch.randn(count, 3, image_size, image_size, device=device).to(memory_format=torch.channels_last)
        spent = []
        for _ in range(STEPS):
            started = clock()
            with autocast(precision):
                out = model(images)
                out = out[-1] if isinstance(out, (tuple, list)) else out
            if training:
                out.float().square().mean().backward()
            if machine.gpu:
                torch.cuda.synchronize()
            spent.append(clock() - started)
    return min(spent) / count / (1 if machine.gpu else max(1.0, SHARE * processors()))


def _network(network: int | str) -> torch.nn.Module:
    if isinstance(network, int):
        from mmlt.models.backbones import ResNetCIFAR

        return ResNetCIFAR(network)
    import timm  # takes a second

    return timm.create_model(network, num_classes=0)


@contextmanager
def _one_thread(wanted: bool):  # noqa: ANN202
    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


