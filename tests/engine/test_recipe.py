"""The recipes: learning rates, precision, distillation weights."""

import math
from functools import partial

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR, MultiStepLR

from mmlt.config.load import first_drop, load_config
from mmlt.registry import MODELS


def rates(config: str, steps: int = 85) -> list[float]:
    """The learning rate at the start of every epoch of so many steps, as MMEngine's own schedulers give it for the config."""
    cfg = load_config(config)
    kinds = {'LinearLR': LinearLR, 'MultiStepLR': MultiStepLR, 'CosineAnnealingLR': CosineAnnealingLR}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = []
    for item in cfg.param_scheduler:
        item = dict(item)
        kind = kinds[item.pop('type')]
        by_step = item.pop('convert_to_iter_based', False)
        build = partial(kind.build_iter_from_epoch, epoch_length=steps) if by_step else kind
        schedulers.append(build(optimizer, **item))
    seen = []
    for _ in range(cfg.train_cfg.max_epochs):
        seen.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            for _ in range(1 if scheduler.by_epoch else steps):
                scheduler.step()
    return seen


def ldam_rate(epoch: int) -> float:
    """The LDAM recipe's rate in epoch `epoch`, counted from 1."""
    if epoch <= 5:
        return 0.1 * epoch / 5
    return 0.1 * (0.0001 if epoch > 180 else 0.01 if epoch > 160 else 1)


def short_rate(epoch: int, steps: int = 85) -> float:
    """The short recipe's rate in the first step of epoch `epoch`, counted from 1: a straight line to the end of epoch 2."""
    if epoch <= 2:
        return 0.1 * (0.01 + 0.99 * (epoch - 1) * steps / (2 * steps - 1))
    return 0.1 * (0.0001 if epoch >= 28 else 0.01 if epoch >= 25 else 1)


@pytest.mark.parametrize('method', ['ce', 'focal', 'kd', 'bkd'])
@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_learning_rates(method, data):
    assert rates(f'configs/{method}/resnet32_{data}.py') == pytest.approx([ldam_rate(e) for e in range(1, 201)])
    assert rates(f'configs/{method}/resnet32_{data}_30e.py') == pytest.approx([short_rate(e) for e in range(1, 31)])


@pytest.mark.parametrize('method', ['ce', 'focal', 'kd', 'bkd'])
@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_the_rest_of_the_ldam_recipe(method, data):
    cfg = load_config(f'configs/{method}/resnet32_{data}.py')
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.weight_decay) == ('SGD', 0.9, 2e-4)
    assert not optimizer.get('nesterov')
    assert cfg.train_dataloader.batch_size == 128
    assert cfg.data_preprocessor.mean == (0.4914, 0.4822, 0.4465)
    assert cfg.data_preprocessor.std == (0.2023, 0.1994, 0.2010)
    assert [item.type for item in cfg.data_preprocessor.train_transforms] == ['RandomCrop', 'RandomFlip']


@pytest.mark.parametrize(
    ('config', 'start'),
    [('cifar100lt', 0), ('cifar100lt_30e', 0), ('cifar10lt', 160), ('cifar10lt_30e', 24)],
)
def test_bkd_reweights_from_the_start_on_cifar100_and_from_the_first_drop_on_cifar10(config, start):
    model = load_config(f'configs/bkd/resnet32_{config}.py').model
    assert (model.temperature, model.alpha, model.beta, model.reweight_start_epoch) == (2.0, 1.0, 0.9999, start)


def test_the_first_drop_is_the_schedulers():
    """Milestones count from where a schedule begins."""
    schedule = [dict(type='LinearLR', end=5), dict(type='MultiStepLR', begin=5, milestones=[10, 20])]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    built = [LinearLR(optimizer, start_factor=0.1, end=5), MultiStepLR(optimizer, begin=5, milestones=[10, 20], gamma=0.1)]
    seen = []
    for _ in range(30):
        seen.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for one in built:
            one.step()
    assert first_drop(schedule, 'start_epoch') == next(e for e in range(6, 30) if seen[e] < seen[e - 1])


@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_the_strong_recipe(data):
    cfg = load_config(f'configs/ce/resnet32_{data}_strong_400e.py')
    # NCL's authors count an epoch before it is trained: the warm-up begins at its second value, the drops come one earlier.
    warm_up = [0.1 * (1 / 3 + 2 / 3 * epoch / 5) for epoch in range(1, 6)]
    expected = [*warm_up, *[0.1] * 314, *[0.01] * 40, *[0.001] * 41]
    assert rates(f'configs/ce/resnet32_{data}_strong_400e.py') == pytest.approx(expected)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.weight_decay, optimizer.nesterov) == ('SGD', 0.9, 2e-4, True)
    assert cfg.train_dataloader.batch_size == 64
    transforms = [dict(item) for item in cfg.data_preprocessor.train_transforms]
    assert [item['type'] for item in transforms] == ['RandomCrop', 'RandomFlip', 'AutoAugment', 'Cutout']
    assert transforms[3]['size'] == 16


@pytest.mark.parametrize(('data', 'images'), [('cifar100lt', 10_847), ('cifar10lt', 12_406)])
def test_the_recipe_of_balanced_softmax(data, images):
    """13,000 steps of 512 images, the first 800 of them from 0.05 to 0.1, then a cosine, in whole epochs."""
    name = f'configs/balanced_softmax/resnet32_{data}_balms.py'
    cfg = load_config(name)
    steps, epochs, seen = math.ceil(images / 512), cfg.train_cfg.max_epochs, rates(name)
    warm_up = round(800 / steps)
    assert cfg.train_dataloader.batch_size == 512 and abs(steps * epochs - 13_000) <= steps / 2
    assert seen[: warm_up + 1] == pytest.approx([0.05 + 0.05 * epoch / warm_up for epoch in range(warm_up + 1)])
    cosine = [0.05 * (1 + math.cos(math.pi * (epoch - warm_up) / (epochs - warm_up))) for epoch in range(warm_up, epochs)]
    assert seen[warm_up:] == pytest.approx(cosine, abs=1e-9)
    assert (cfg.optim_wrapper.optimizer.weight_decay, cfg.model.loss.type) == (5e-4, 'BalancedSoftmaxLoss')
    assert [item.type for item in cfg.data_preprocessor.train_transforms][2:] == ['AutoAugment', 'Cutout']


@pytest.mark.parametrize(('method', 'epochs'), [('crt', 10), ('lws', 5)])
@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_the_recipe_of_decoupling(method, epochs, data):
    cfg = load_config(f'configs/{method}/resnet32_{data}_decoupling.py')
    optimizer, sampler = cfg.optim_wrapper.optimizer, cfg.train_dataloader.sampler
    assert (optimizer.lr, optimizer.weight_decay, cfg.train_dataloader.batch_size) == (0.2, 5e-4, 512)
    assert (sampler.type, sampler.samples_per_class, sampler.length) == ('ClassAwareSampler', 4, 'max_count')
    assert cfg.train_cfg.max_epochs == epochs and cfg.prerequisites.backbone.config.endswith(f'ce/resnet32_{data}.py')


@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_the_recipe_of_mislas(data):
    first = f'configs/mislas/resnet32_{data}_stage1.py'
    warm_up = [0.1 * epoch / 5 for epoch in range(1, 6)]
    assert rates(first) == pytest.approx([*warm_up, *[0.1] * 155, *[0.01] * 20, *[0.001] * 20])
    cfg = load_config(first)
    assert (cfg.optim_wrapper.optimizer.weight_decay, cfg.train_dataloader.batch_size) == (2e-4, 128)
    assert (cfg.model.mixing.type, cfg.model.mixing.alpha) == ('Mixup', 1.0)
    second = load_config(f'configs/mislas/resnet32_{data}.py')
    assert second.prerequisites.backbone.config == f'resnet32_{data}_stage1.py'
    sampler = second.train_dataloader.sampler
    assert (sampler.type, sampler.samples_per_class) == ('ClassAwareSampler', 4)


def deviation_of_head(config: str) -> float:
    """Standard deviation of the classifier's initial weights, over all experts."""
    torch.manual_seed(0)
    model = MODELS.build({**load_config(config).model, 'data_preprocessor': None})
    heads = getattr(model.head, 'heads', [model.head])
    return torch.cat([head.weight.detach().flatten() for head in heads]).std().item()


@pytest.mark.parametrize(
    'config',
    [
        'ncl/resnet32_cifar100lt', 'ncl/resnet32_cifar100lt_30e', 'ncl/resnet8_digitslt', 'paco/resnet32_cifar100lt',
        'gpaco/resnet32_cifar100lt', 'balanced_softmax/resnet32_cifar100lt_balms', 'ce/resnet32_cifar100lt_strong_400e',
        'balanced_softmax/resnet32_cifar100lt_strong_400e', 'ncl/resnet32_cifar100lt_strong_400e',
    ],
)  # fmt: skip
def test_classifiers_that_begin_as_a_plain_linear_layer(config):
    """Uniform within 1 / sqrt(64), of deviation 1 / sqrt(3 * 64)."""
    assert deviation_of_head(f'configs/{config}.py') == pytest.approx(math.sqrt(1 / (3 * 64)), rel=0.05)


@pytest.mark.parametrize('method', ['ce', 'balanced_softmax', 'ecl'])
def test_classifiers_that_begin_by_kaimings_distribution(method):
    """Normal, of deviation sqrt(2 / 64)."""
    assert deviation_of_head(f'configs/{method}/resnet32_cifar100lt.py') == pytest.approx(math.sqrt(2 / 64), rel=0.05)


@pytest.mark.parametrize('method', ['paco', 'gpaco'])
def test_the_projector_of_paco(method):
    """The hidden layers as torch's own, the last one by Kaiming's distribution, as the backbone's code initialises it."""
    torch.manual_seed(0)
    layers = MODELS.build(load_config(f'configs/{method}/resnet32_cifar100lt.py').model).terms[0].projector.layers
    first, last = layers[0].weight.std().item(), layers[-1].weight.std().item()
    assert first == pytest.approx(math.sqrt(1 / (3 * 64)), rel=0.1) and last == pytest.approx(math.sqrt(2 / 64), rel=0.1)


def test_ncl_leaves_out_the_last_short_batch():
    assert load_config('configs/ncl/resnet32_cifar100lt.py').train_dataloader.drop_last is True


@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_dive_drops_its_rate_at_120_and_160_for_teacher_and_student(data):
    expected = [0.1 * (min(e, 5) / 5) * (1e-4 if e > 160 else 1e-2 if e > 120 else 1) for e in range(1, 201)]
    for config in (f'configs/dive/resnet32_{data}.py', f'configs/dive/resnet32_{data}_teacher.py'):
        assert rates(config) == pytest.approx(expected)
        assert load_config(config).model.loss.type == 'BalancedSoftmaxLoss'
    for ending in ('', '_30e'):
        model = load_config(f'configs/dive/resnet32_{data}{ending}.py').model
        assert (model.temperature, model.alpha, model.power) == (2.0, 0.5, 0.5)


@pytest.mark.parametrize('ending', ['', '_30e'])
@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_the_settings_of_cbd(data, ending):
    student = load_config(f'configs/cbd/resnet32_{data}{ending}.py')
    ensemble = load_config(f'configs/cbd/resnet32_{data}_ens{ending}.py')
    teachers = ensemble.prerequisites.teacher
    plain, jitter = f'resnet32_{data}_teacher{ending}.py', f'resnet32_{data}_jitter{ending}.py'
    assert student.prerequisites.teacher.config == plain
    assert [one.config for one in teachers] == [plain, plain, jitter, jitter]
    assert [one.get('seed_offset', 0) for one in teachers] == [0, 1, 2, 3]
    assert 'neck' not in student.model and ensemble.model.neck.out_channels == ensemble.model.head.in_channels == 4 * 64
    for cfg in (student, ensemble):
        assert (cfg.model.alpha, cfg.model.beta, cfg.model.head.scale) == (0.4, 100.0, 20.0)
        assert cfg.train_dataloader.sampler.type == 'ClassBalancedRepeatSampler'
        assert [one.type for one in cfg.data_preprocessor.train_transforms] == ['RandomCrop', 'RandomFlip']
        assert cfg.train_cfg.max_epochs == load_config(f'configs/cbd/{plain}').train_cfg.max_epochs
    for name, changed in ((plain, []), (jitter, ['ColorJitter', 'RandomGrayscale'])):
        cfg = load_config(f'configs/cbd/{name}')
        assert [one.type for one in cfg.data_preprocessor.train_transforms] == ['RandomCrop', 'RandomFlip', *changed]
        assert (cfg.model.head.type, cfg.model.head.scale, cfg.model.loss.type) == ('CosineHead', 20.0, 'CrossEntropyLoss')
        assert cfg.train_dataloader.sampler.type == 'ShuffleSampler'


@pytest.mark.parametrize('ending', ['', '_30e'])
@pytest.mark.parametrize('data', ['cifar100lt', 'cifar10lt'])
def test_the_stages_of_ssd(data, ending):
    stages = ('_stage1', '_stage2', '', '_stage4')
    cfg = {stage: load_config(f'configs/ssd/resnet32_{data}{stage}{ending}.py') for stage in stages}
    assert cfg['_stage2'].prerequisites.backbone.config == f'resnet32_{data}_stage1{ending}.py'
    assert cfg[''].prerequisites.teacher.config == f'resnet32_{data}_stage2{ending}.py'
    assert cfg['_stage4'].prerequisites.backbone.config == f'resnet32_{data}{ending}.py'
    kinds = [one.model.type for one in cfg.values()]
    assert kinds == ['LongTailedClassifier', 'LWSClassifier', 'SSDClassifier', 'SSDScalingClassifier']
    (contrast,) = cfg['_stage1'].model.terms
    momentum = 0.99 if ending else 0.999
    assert (contrast.temperature, contrast.momentum, contrast.dim, contrast.get('weight', 1.0)) == (0.2, momentum, 128, 1.0)
    views = [one.data_preprocessor for one in cfg.values()]
    assert all(one.train_transforms == views[0].train_transforms for one in views)  # one view of an image in every stage
    assert [len(one.get('extra_views', ())) for one in views] == [1, 0, 0, 0]
    for stage in ('_stage2', '_stage4'):
        sampler = cfg[stage].train_dataloader.sampler
        assert (sampler.type, sampler.samples_per_class, sampler.length) == ('ClassAwareSampler', 2, 'dataset')
    assert cfg[''].model.temperature == 2.0 and cfg[''].train_dataloader.sampler.type == 'ShuffleSampler'


def test_the_distribution_balanced_loss_learns_the_class_aware_images_that_it_weighs():
    cfg = load_config('configs/multi_label/resnet8_digitsmulti_distribution_balanced.py')
    assert cfg.model.loss.type == 'DistributionBalancedLoss'
    sampler = cfg.train_dataloader.sampler
    assert (sampler.type, sampler.samples_per_class, sampler.get('length', 'dataset')) == ('ClassAwareSampler', 3, 'dataset')
