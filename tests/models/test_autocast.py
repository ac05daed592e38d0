"""Under bfloat16 autocast every loss, and the cosine head, computes as it does without."""

import inspect

import pytest
import torch
from torch.nn.functional import normalize

from mmlt.models import losses as L
from mmlt.models.heads import CosineHead
from mmlt.models.losses import contrastive, expert_distillation

B, E, K, D = 12, 3, 5, 16
COUNTS = torch.tensor([60, 30, 9, 4, 1])
TARGET = torch.arange(B) % K
GENERATOR = torch.Generator().manual_seed(0)
LOGITS, TEACHER = (3 * torch.randn(B, K, generator=GENERATOR) for _ in range(2))
EXPERTS, OTHERS = (3 * torch.randn(B, E, K, generator=GENERATOR) for _ in range(2))
UNIT, KEYS = (normalize(torch.randn(B, D, generator=GENERATOR), dim=1) for _ in range(2))
PROTOTYPES = normalize(torch.randn(K, D, generator=GENERATOR), dim=1)
SEVERAL = (torch.randn(B, K, generator=GENERATOR) > 0.5).float()
WEIGHTS = torch.linspace(0.5, 2.0, K)
CASES = {
    'asymmetric_loss': lambda x: L.asymmetric_loss(x, SEVERAL, 1.0, 4.0, 0.05),
    'balanced_contrastive_loss': lambda x: L.balanced_contrastive_loss(x, TARGET, PROTOTYPES, 0.07),
    'balanced_distillation_loss': lambda x: L.balanced_distillation_loss(x, TEACHER, WEIGHTS, 2.0),
    'balanced_sigmoid_box_loss': lambda x: L.balanced_sigmoid_box_loss(x, TARGET, COUNTS / 100),
    'balanced_sigmoid_loss': lambda x: L.balanced_sigmoid_loss(x, torch.eye(K)[TARGET], COUNTS / COUNTS.sum()),
    'balanced_softmax_box_loss': lambda x: L.balanced_softmax_box_loss(x, TARGET, COUNTS[:-1]),
    'balanced_softmax_loss': lambda x: L.balanced_softmax_loss(x, TARGET, COUNTS),
    'balpoe_loss': lambda x: L.balpoe_loss(x, TARGET, COUNTS, (0.0, 1.0, 2.0)),
    'binary_cross_entropy_loss': lambda x: L.binary_cross_entropy_loss(x, SEVERAL),
    'binary_distillation_loss': lambda x: L.binary_distillation_loss(x, TEACHER, 2.0).mean(),
    'binary_focal_loss': lambda x: L.binary_focal_loss(x, SEVERAL, 2.0),
    'cdt_loss': lambda x: L.cdt_loss(x, TARGET, COUNTS, 0.2),
    'collaborative_distillation_loss': lambda x: expert_distillation.collaborative_distillation_loss(x, OTHERS, 2.0),
    'cosine_feature_loss': lambda x: L.cosine_feature_loss(x, TEACHER),
    'cross_entropy_loss': lambda x: L.cross_entropy_loss(x, TARGET),
    'distillation_loss': lambda x: L.distillation_loss(x, TEACHER, 2.0),
    'distribution_balanced_loss': lambda x: L.distribution_balanced_loss(
        x, SEVERAL, COUNTS, 104, 0.1, 10.0, 0.2, 2.0, 0.05, 2.0
    ),
    'diversity_loss': lambda x: L.diversity_loss(x, WEIGHTS),
    'equalization_box_loss': lambda x: L.equalization_box_loss(x, TARGET, COUNTS / 100, 0.05),
    'expert_feature_loss': lambda x: expert_distillation.expert_feature_loss(x),
    'focal_loss': lambda x: L.focal_loss(x, TARGET, 2.0),
    'info_nce_loss': lambda x: contrastive.info_nce_loss(x, KEYS, UNIT.flip(0), TARGET > 0, 0.2),
    'l2_feature_loss': lambda x: L.l2_feature_loss(x, TEACHER),
    'label_aware_smoothing_loss': lambda x: L.label_aware_smoothing_loss(x, TARGET, COUNTS, 0.3, 0.0),
    'ldam_loss': lambda x: L.ldam_loss(x / 10, TARGET, COUNTS, 0.5, 30.0),
    'logit_adjusted_loss': lambda x: L.logit_adjusted_loss(x, TARGET, COUNTS, 1.0),
    'mutual_distillation_loss': lambda x: expert_distillation.mutual_distillation_loss(x),
    'parametric_contrastive_loss': lambda x: L.parametric_contrastive_loss(
        LOGITS, x, TARGET, KEYS, TARGET, COUNTS, 0.01, 0.05
    ),
    'sade_loss': lambda x: L.sade_loss(x, TARGET, COUNTS),
    'seesaw_box_loss': lambda x: L.seesaw_box_loss(x, TARGET % 3, torch.zeros(K - 2))[0],
    'seql_loss': lambda x: L.seql_loss(x, TARGET, COUNTS, torch.zeros(B, K), 0.9, 0.05),
    'sigmoid_box_loss': lambda x: L.sigmoid_box_loss(x, TARGET),
    'similarity_preserving_loss': lambda x: L.similarity_preserving_loss(x, TEACHER),
    'softmax_box_loss': lambda x: L.softmax_box_loss(x, TARGET),
    'subset_distillation_loss': lambda x: L.subset_distillation_loss(x, TEACHER, TARGET < 3, 2.0),
    'supervised_contrastive_loss': lambda x: L.supervised_contrastive_loss(x, TARGET, 0.07, KEYS, TARGET),
    'virtual_example_loss': lambda x: L.virtual_example_loss(x, TEACHER, 2.0, 0.5),
    'vs_loss': lambda x: L.vs_loss(x, TARGET, COUNTS, 1.0, 0.2),
}
OF_UNITS = {'balanced_contrastive_loss', 'info_nce_loss', 'parametric_contrastive_loss', 'supervised_contrastive_loss'}


def bf16():
    return torch.autocast('cpu', dtype=torch.bfloat16)


def test_no_loss_is_forgotten():
    modules = (L, contrastive, expert_distillation)
    functions = {name for module in modules for name, _ in inspect.getmembers(module, inspect.isfunction)}
    assert {name for name in functions if name.endswith('_loss')} == set(CASES)


@pytest.mark.parametrize('name', CASES)
def test_a_loss_of_float32_is_the_same_under_autocast(name):
    experts = 'expert_logits' in inspect.signature(getattr(L, name, len)).parameters or hasattr(expert_distillation, name)
    values = (UNIT if name in OF_UNITS else EXPERTS if experts else LOGITS).clone().requires_grad_()
    plain = CASES[name](values)
    (expected,) = torch.autograd.grad(plain, values)
    with bf16():
        cast = CASES[name](values)
    (found,) = torch.autograd.grad(cast, values)
    assert cast.dtype == torch.float32
    torch.testing.assert_close(cast, plain, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_feature_loss_under_autocast_is_that_of_float64():
    with bf16():
        loss = expert_distillation.expert_feature_loss(EXPERTS)
    torch.testing.assert_close(loss.double(), expert_distillation.expert_feature_loss(EXPERTS.double()), rtol=0, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_cosine_logits_under_autocast_are_those_of_float64(dtype):
    # In bfloat16 a logit near 30 is known to an eighth.
    head, features = CosineHead(D, K, scale=30.0), torch.randn(B, D, generator=GENERATOR).to(dtype)
    weight = head.weight.detach().double()
    expected = 30 * normalize(features.double(), dim=1) @ normalize(weight, dim=1).T
    with bf16():
        logits = head(features)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.double(), expected, rtol=0, atol=1e-5)
