"""Loss functions against slow pure-Python references, known numbers, and the identities between them."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from mmlt.models import losses as L
from mmlt.priors import effective_number_weights

D = torch.float64
COUNTS = [100, 10, 1]
TEACHER = torch.tensor([[2.0, 1.0, 0.0]], dtype=D)
STUDENT = torch.tensor([[1.0, 0.5, 0.0]], dtype=D)
TARGET = torch.tensor([2])


# ------------------------------------------------------------------ slow references, on lists of floats, one by one
def slow_log_softmax(row):
    top = max(row)
    return [z - top - math.log(math.fsum(math.exp(v - top) for v in row)) for z in row]


def slow_mean(values, target, weights):
    w = [1.0 if weights is None else weights[y] for y in target]
    return math.fsum(a * b for a, b in zip(w, values, strict=True)) / math.fsum(w)


def slow_ce(logits, target, weights=None):
    return slow_mean([-slow_log_softmax(row)[y] for row, y in zip(logits, target, strict=True)], target, weights)


def slow_focal(logits, target, gamma, weights=None):
    total = []
    for row, y in zip(logits, target, strict=True):
        log_p = slow_log_softmax(row)[y]
        total.append((1.0 if weights is None else weights[y]) * (1 - math.exp(log_p)) ** gamma * -log_p)
    return math.fsum(total) / len(total)


def slow_kd(student, teacher, temperature, weights=None):
    total = []
    for s, t in zip(student, teacher, strict=True):
        p = [math.exp(v) for v in slow_log_softmax([z / temperature for z in t])]
        q = [a * b for a, b in zip(p, weights or [1.0] * len(p), strict=True)]
        q = [v / math.fsum(q) for v in q]
        log_s = slow_log_softmax([z / temperature for z in s])
        total.append(math.fsum(a * (math.log(a) - b) for a, b in zip(q, log_s, strict=True) if a > 0))
    return temperature**2 * math.fsum(total) / len(total)


def slow_adjusted(logits, target, counts, tau, gamma=0.0, weights=None):
    n, top = sum(counts), max(counts)
    rows = [
        [z / (top / c) ** gamma + tau * math.log(c / n) for z, c in zip(row, counts, strict=True)] for row in logits
    ]
    return slow_ce(rows, target, weights)


def slow_ldam(cosine, target, counts, max_margin, scale, weights=None):
    largest = max(c**-0.25 for c in counts)
    rows = []
    for row, y in zip(cosine, target, strict=True):
        margin = max_margin * counts[y] ** -0.25 / largest
        rows.append([scale * (z - margin) if c == y else scale * z for c, z in enumerate(row)])
    return slow_ce(rows, target, weights)


def slow_smoothing(logits, target, counts, head, tail, weights=None):
    values, low, high = [], min(counts), max(counts)
    for row, y in zip(logits, target, strict=True):
        eps = tail + (head - tail) * math.sin((counts[y] - low) * math.pi / (2 * (high - low)))
        log_p = slow_log_softmax(row)
        values.append(-(1 - eps) * log_p[y] - eps * math.fsum(log_p) / len(log_p))
    return slow_mean(values, target, weights)


def slow_seql(logits, target, counts, gamma, threshold, uniform, weights=None):
    values, n = [], sum(counts)
    for row, y, draws in zip(logits, target, uniform, strict=True):
        denominator = 0.0
        for k, z in enumerate(row):
            beta = 1 if draws[k] < gamma else 0
            rare = 1 if counts[k] / n < threshold else 0
            denominator += (1 - beta * rare * (0 if k == y else 1)) * math.exp(z)
        values.append(-math.log(math.exp(row[y]) / denominator))
    return slow_mean(values, target, weights)


def slow_sigmoid(logits, target, frequency, foreground=None, weights=None):
    total = 0.0
    for i, row in enumerate(logits):
        for c, z in enumerate(row):
            if foreground is None or foreground[i]:
                z = z - math.log((1 - frequency[c]) / frequency[c])
            p = 1 / (1 + math.exp(-z))
            bce = -math.log(p) if target[i][c] else -math.log(1 - p)
            total += bce * (1.0 if weights is None else weights[c])
    return total / len(logits)


# ------------------------------------------------------------------ one batch for all
class Case:
    """A random batch; `torch` tensors in float64 and the same as lists."""

    def __init__(self, seed: int, size: int = 7, classes: int = 5) -> None:
        g = torch.Generator().manual_seed(seed)
        self.logits = 3 * torch.randn(size, classes, generator=g, dtype=D)
        self.teacher = 3 * torch.randn(size, classes, generator=g, dtype=D)
        self.cosine = 2 * torch.rand(size, classes, generator=g, dtype=D) - 1
        self.target = torch.randint(classes, (size,), generator=g)
        self.counts = torch.randint(1, 400, (classes,), generator=g)
        self.counts[0], self.counts[-1] = 500, 2
        self.weights = effective_number_weights(self.counts, 0.99)
        self.uniform = torch.rand(size, classes, generator=g, dtype=D)
        self.multi_hot = torch.rand(size, classes, generator=g) < 0.4
        self.foreground = torch.rand(size, generator=g) < 0.6
        self.frequency = 0.01 + 0.9 * torch.rand(classes, generator=g, dtype=D)


# name: (fast(case, logits, weights), slow(case, logits list, weights list))
LOSSES = {
    'cross_entropy': (
        lambda k, z, w: L.cross_entropy_loss(z, k.target, w),
        lambda k, z, w: slow_ce(z, k.target.tolist(), w),
    ),
    'focal': (
        lambda k, z, w: L.focal_loss(z, k.target, 1.5, w),
        lambda k, z, w: slow_focal(z, k.target.tolist(), 1.5, w),
    ),
    'balanced_softmax': (
        lambda k, z, w: L.balanced_softmax_loss(z, k.target, k.counts, w),
        lambda k, z, w: slow_adjusted(z, k.target.tolist(), k.counts.tolist(), 1.0, weights=w),
    ),
    'logit_adjusted': (
        lambda k, z, w: L.logit_adjusted_loss(z, k.target, k.counts, 1.3, w),
        lambda k, z, w: slow_adjusted(z, k.target.tolist(), k.counts.tolist(), 1.3, weights=w),
    ),
    'vs': (
        lambda k, z, w: L.vs_loss(z, k.target, k.counts, 0.2, 0.8, w),
        lambda k, z, w: slow_adjusted(z, k.target.tolist(), k.counts.tolist(), 0.8, 0.2, w),
    ),
    'cdt': (
        lambda k, z, w: L.cdt_loss(z, k.target, k.counts, 0.3, w),
        lambda k, z, w: slow_adjusted(z, k.target.tolist(), k.counts.tolist(), 0.0, 0.3, w),
    ),
    'ldam': (
        lambda k, z, w: L.ldam_loss(z, k.target, k.counts, 0.5, 3, w),
        lambda k, z, w: slow_ldam(z, k.target.tolist(), k.counts.tolist(), 0.5, 3, w),
    ),
    'label_aware_smoothing': (
        lambda k, z, w: L.label_aware_smoothing_loss(z, k.target, k.counts, 0.4, 0.1, w),
        lambda k, z, w: slow_smoothing(z, k.target.tolist(), k.counts.tolist(), 0.4, 0.1, w),
    ),
    'seql': (
        lambda k, z, w: L.seql_loss(z, k.target, k.counts, k.uniform, 0.7, 0.3, w),
        lambda k, z, w: slow_seql(z, k.target.tolist(), k.counts.tolist(), 0.7, 0.3, k.uniform.tolist(), w),
    ),
    'balanced_sigmoid': (
        lambda k, z, w: L.balanced_sigmoid_loss(z, k.multi_hot, k.frequency, k.foreground, w),
        lambda k, z, w: slow_sigmoid(z, k.multi_hot.tolist(), k.frequency.tolist(), k.foreground.tolist(), w),
    ),
    'distillation': (
        lambda k, z, w: L.distillation_loss(z, k.teacher, 2.5),
        lambda k, z, w: slow_kd(z, k.teacher.tolist(), 2.5),
    ),
    'balanced_distillation': (
        lambda k, z, w: L.balanced_distillation_loss(z, k.teacher, k.weights, 2.5),
        lambda k, z, w: slow_kd(z, k.teacher.tolist(), 2.5, k.weights.tolist()),
    ),
}
each_loss = pytest.mark.parametrize('name', LOSSES)


@each_loss
@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_agrees_with_the_slow_reference(name, weighted, seed):
    case = Case(seed)
    fast, slow = LOSSES[name]
    weights = case.weights if weighted else None
    loss = fast(case, case.logits, weights)
    assert loss.shape == () and loss.dtype == D
    expected = slow(case, case.logits.tolist(), case.weights.tolist() if weighted else None)
    assert loss.item() == pytest.approx(expected, abs=1e-9, rel=1e-12)


@each_loss
@pytest.mark.parametrize('weighted', [False, True])
def test_gradient_is_right(name, weighted):
    case = Case(3, size=3, classes=4)
    logits = case.logits.requires_grad_()
    weights = case.weights if weighted else None
    assert gradcheck(lambda z: LOSSES[name][0](case, z, weights), (logits,))


@each_loss
@pytest.mark.parametrize(
    ('dtype', 'expected'),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float32, torch.float32)],
)
def test_half_precision_is_computed_in_float32(name, dtype, expected):
    case = Case(4)
    logits = case.logits.to(dtype)
    case.teacher = case.teacher.to(dtype)
    loss = LOSSES[name][0](case, logits.requires_grad_(), case.weights)
    assert loss.dtype == expected
    case.teacher = case.teacher.double()
    exact = LOSSES[name][0](case, logits.detach().double(), case.weights)  # of the same, rounded, logits
    assert loss.item() == pytest.approx(exact.item(), rel=2e-5, abs=2e-6)
    loss.backward()
    assert logits.grad.dtype == dtype and logits.grad.isfinite().all()


@each_loss
def test_large_logits_stay_finite(name):
    case = Case(5)
    logits = (1e4 * case.logits.float()).requires_grad_()
    case.teacher = 1e4 * case.teacher.float()
    loss = LOSSES[name][0](case, logits, case.weights)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


@each_loss
def test_a_batch_of_one_class_and_of_one_image(name):
    case = Case(6)
    fast, slow = LOSSES[name]
    case.target = torch.full_like(case.target, 3)
    weights = case.weights
    assert fast(case, case.logits, weights).item() == pytest.approx(
        slow(case, case.logits.tolist(), weights.tolist()), rel=1e-10
    )
    case.target, case.teacher, case.uniform = case.target[:1], case.teacher[:1], case.uniform[:1]
    case.multi_hot, case.foreground = case.multi_hot[:1], case.foreground[:1]
    assert fast(case, case.logits[:1], None).item() == pytest.approx(
        slow(case, case.logits[:1].tolist(), None), rel=1e-10
    )


@each_loss
def test_an_empty_class_leaves_loss_and_gradient_finite(name):
    case = Case(7)
    case.counts[2] = 0
    case.target[case.target == 2] = 1  # a class without images is never a target
    logits = case.logits.requires_grad_()
    loss = LOSSES[name][0](case, logits, case.weights)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


@pytest.mark.parametrize(
    'loss',
    [
        lambda z, y, n: L.balanced_softmax_loss(z, y, n),
        lambda z, y, n: L.logit_adjusted_loss(z, y, n, 0.7),
        lambda z, y, n: L.vs_loss(z, y, n, 0.0, 0.7),
    ],
)
def test_an_empty_class_takes_no_part_in_the_adjusted_softmax(loss):
    case = Case(8)
    case.counts[2] = 0
    case.target[case.target == 2] = 1
    logits = case.logits.requires_grad_()
    full = loss(logits, case.target, case.counts)
    keep = [0, 1, 3, 4]
    moved = torch.tensor([0, 1, -1, 2, 3])[case.target]
    assert full.item() == pytest.approx(loss(case.logits[:, keep], moved, case.counts[keep]).item(), abs=1e-12)
    full.backward()
    assert (logits.grad[:, 2] == 0).all()
    assert loss(case.logits, torch.full_like(case.target, 2), case.counts).item() == math.inf


def test_an_empty_class_does_not_move_the_others():
    counts, empty = torch.tensor([50.0, 7.0, 3.0], dtype=D), torch.tensor([50.0, 7.0, 3.0, 0.0], dtype=D)
    assert torch.equal(L.ldam_margins(empty, 0.5)[:3], L.ldam_margins(counts, 0.5))
    assert L.ldam_margins(empty, 0.5)[3] == 0.5
    assert torch.equal(L.smoothing_factors(empty, 0.4, 0.1)[:3], L.smoothing_factors(counts, 0.4, 0.1))
    assert L.smoothing_factors(empty, 0.4, 0.1)[3] == 0.1
    case = Case(9, classes=3)
    assert L.logit_adjusted_loss(case.logits, case.target, [5, 0, 2], 0.0) == L.cross_entropy_loss(
        case.logits, case.target
    )


# ------------------------------------------------------------------ known numbers
def test_numbers_of_balanced_distillation():
    weights = effective_number_weights(COUNTS, 0.9999)
    cross_entropy = L.cross_entropy_loss(STUDENT, TARGET).item()
    balanced = L.balanced_distillation_loss(STUDENT, TEACHER, weights, 2).item()
    plain = L.distillation_loss(STUDENT, TEACHER, 2).item()
    assert cross_entropy == pytest.approx(1.6802696706, abs=1e-9)
    assert balanced == pytest.approx(3.2625246852, abs=1e-9)
    assert balanced / 4 == pytest.approx(0.8156311713, abs=1e-9)
    assert cross_entropy + balanced == pytest.approx(4.9427943559, abs=1e-9)
    assert plain == pytest.approx(0.0764303229, abs=1e-9)
    assert plain / 4 == pytest.approx(0.0191075807, abs=1e-9)
    assert cross_entropy + plain == pytest.approx(1.7566999935, abs=1e-9)


def test_balanced_distillation_gradient_shows_the_weighted_teacher():
    student = STUDENT.clone().requires_grad_()
    L.balanced_distillation_loss(student, TEACHER, effective_number_weights(COUNTS), 2).backward()
    # d(T^2 KL)/dz = T (p_s - q), so both distributions can be read off the gradient.
    q = torch.tensor([0.0229123762, 0.1383471634, 0.8387404604], dtype=D)
    p = torch.tensor([0.4192289516, 0.3264958358, 0.2542752126], dtype=D)
    torch.testing.assert_close(student.grad[0], 2 * (p - q), atol=1e-9, rtol=0)


def test_numbers_of_the_prior_losses():
    assert L.balanced_softmax_loss(STUDENT, TARGET, COUNTS).item() == pytest.approx(5.6675174271, abs=1e-9)
    counts = torch.tensor(COUNTS, dtype=D)
    margins = torch.tensor([0.1581138830, 0.2811706626, 0.5], dtype=D)
    torch.testing.assert_close(L.ldam_margins(counts, 0.5), margins, atol=1e-9, rtol=0)
    cosine = torch.tensor([[0.3, 0.2, 0.1]], dtype=D)
    assert L.ldam_loss(cosine, TARGET, COUNTS, 0.5, 30).item() == pytest.approx(21.0485873523, abs=1e-9)
    smoothing = torch.tensor([0.4, 0.1426944515, 0.1], dtype=D)
    torch.testing.assert_close(L.smoothing_factors(counts, 0.4, 0.1), smoothing, atol=1e-9, rtol=0)


@pytest.mark.parametrize(('frequency', 'shift'), [(0.01, 4.5951), (0.1, 2.1972), (0.9, -2.1972)])
def test_numbers_of_the_sigmoid_shift(frequency, shift):
    # At z = shift the shifted logit is 0, so the loss is log 2; a row in the background is not shifted.
    logits, target = torch.tensor([[shift]], dtype=D), torch.tensor([[1]])
    moved = L.balanced_sigmoid_loss(logits, target, [frequency], torch.tensor([True])).item()
    assert moved == pytest.approx(math.log(2), abs=3e-5)
    unmoved = L.balanced_sigmoid_loss(logits, target, [frequency], torch.tensor([False])).item()
    assert unmoved == pytest.approx(math.log1p(math.exp(-shift)), abs=1e-9)


def test_sigmoid_frequencies_of_zero_and_one_are_clamped():
    logits = torch.zeros(2, 2, requires_grad=True)
    loss = L.balanced_sigmoid_loss(logits, torch.zeros(2, 2), [0.0, 1.0])
    loss.backward()
    assert loss.item() == pytest.approx(math.log1p(1e6), rel=1e-2) and logits.grad.isfinite().all()


# ------------------------------------------------------------------ identities
def test_balanced_distillation_with_equal_weights_is_distillation():
    case = Case(10)
    plain = L.distillation_loss(case.logits, case.teacher, 3.0)
    equal = effective_number_weights([17] * 5)
    torch.testing.assert_close(
        L.balanced_distillation_loss(case.logits, case.teacher, equal, 3.0), plain, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize('scale', [1e-30, 0.2, 1e30])
def test_only_ratios_of_weights_matter_to_balanced_distillation(scale):
    case = Case(11)
    one = L.balanced_distillation_loss(case.logits, case.teacher, case.weights, 2.0)
    other = L.balanced_distillation_loss(case.logits, case.teacher, scale * case.weights, 2.0)
    torch.testing.assert_close(one, other, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    'loss',
    [
        lambda s, t: L.distillation_loss(s, t, 2.0),
        lambda s, t: L.balanced_distillation_loss(s, t, torch.ones(5), 2.0),
    ],
)
def test_no_gradient_reaches_the_teacher_and_an_equal_student_is_at_rest(loss):
    case = Case(12)
    teacher = case.teacher.requires_grad_()
    student = case.teacher.detach().clone().requires_grad_()
    value = loss(student, teacher)
    value.backward()
    assert teacher.grad is None
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert student.grad.abs().max() < 1e-12


def test_a_weight_of_zero_takes_a_class_out_of_the_teacher():
    case = Case(13)
    weights = [1.0, 2.0, 0.0, 1.0, 0.5]
    logits = case.logits.requires_grad_()
    loss = L.balanced_distillation_loss(logits, case.teacher, weights, 2.0)
    assert loss.item() == pytest.approx(slow_kd(case.logits.tolist(), case.teacher.tolist(), 2.0, weights), rel=1e-12)
    loss.backward()
    assert logits.grad.isfinite().all()


def test_the_family_of_adjusted_losses_agrees_with_itself():
    k = Case(14)
    cross_entropy = L.cross_entropy_loss(k.logits, k.target)
    balanced = L.balanced_softmax_loss(k.logits, k.target, k.counts)
    close = dict(rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(L.logit_adjusted_loss(k.logits, k.target, k.counts, 1.0), balanced, **close)
    torch.testing.assert_close(L.vs_loss(k.logits, k.target, k.counts, 0.0, 1.0), balanced, **close)
    torch.testing.assert_close(L.logit_adjusted_loss(k.logits, k.target, k.counts, 0.0), cross_entropy, **close)
    torch.testing.assert_close(L.cdt_loss(k.logits, k.target, k.counts, 0.0), cross_entropy, **close)
    torch.testing.assert_close(L.balanced_softmax_loss(k.logits, k.target, [9] * 5), cross_entropy, **close)
    torch.testing.assert_close(L.balanced_softmax_loss(k.logits, k.target, 1000 * k.counts), balanced, **close)
    torch.testing.assert_close(L.focal_loss(k.logits, k.target, 0.0), cross_entropy, **close)
    torch.testing.assert_close(
        L.ldam_loss(k.cosine, k.target, k.counts, 0.0, 1.0), L.cross_entropy_loss(k.cosine, k.target), **close
    )
    torch.testing.assert_close(L.seql_loss(k.logits, k.target, k.counts, k.uniform, 0.0, 1.0), cross_entropy, **close)
    torch.testing.assert_close(
        L.label_aware_smoothing_loss(k.logits, k.target, k.counts, 0.1, 0.1),
        torch.nn.functional.cross_entropy(k.logits, k.target, label_smoothing=0.1),
        **close,
    )


def test_equal_counts_smooth_every_class_by_the_tail():
    assert torch.equal(L.smoothing_factors(torch.full((3,), 8.0), 0.4, 0.1), torch.full((3,), 0.1))


def test_weighted_mean_is_that_of_torch_and_ignores_the_scale_of_the_weights():
    k = Case(15)
    expected = torch.nn.functional.cross_entropy(k.logits, k.target, weight=k.weights)
    torch.testing.assert_close(L.cross_entropy_loss(k.logits, k.target, 7 * k.weights), expected)
    one_class = torch.full_like(k.target, 4)
    torch.testing.assert_close(
        L.cross_entropy_loss(k.logits, one_class, k.weights), L.cross_entropy_loss(k.logits, one_class)
    )


@pytest.mark.parametrize('gamma', [0.0, 0.5, 1.0, 2.0])
def test_focal_gradient_is_finite_where_the_model_is_certain(gamma):
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    loss = L.focal_loss(logits, torch.tensor([0, 1]), gamma)
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


def test_seql_leaves_out_rare_classes_only_and_never_the_target():
    k = Case(16)
    k.counts = torch.tensor([100, 100, 1, 100, 1])
    logits = k.logits.requires_grad_()
    L.seql_loss(logits, k.target, k.counts, k.uniform, 1.0, 0.01).backward()
    columns = torch.arange(5).expand_as(logits)
    left_out = ((columns == 2) | (columns == 4)) & (columns != k.target[:, None])
    assert torch.equal(logits.grad == 0, left_out)


def test_seql_leaves_out_at_the_rate_gamma():
    uniform = torch.rand(20000, 2, generator=torch.Generator().manual_seed(1))
    target = torch.zeros(20000, dtype=torch.long)
    loss = L.seql_loss(torch.zeros(20000, 2, dtype=D), target, [999, 1], uniform, 0.9, 0.01).item()
    # log 2 where the rare class is kept, 0 where it is left out; four standard errors.
    assert loss == pytest.approx(0.1 * math.log(2), abs=4 * math.log(2) * math.sqrt(0.09 / 20000))


def test_wrong_arguments_are_named():
    k = Case(17)
    for temperature in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match='temperature must be more than 0'):
            L.distillation_loss(k.logits, k.teacher, temperature)
        with pytest.raises(ValueError, match='temperature must be more than 0'):
            L.balanced_distillation_loss(k.logits, k.teacher, k.weights, temperature)
    with pytest.raises(ValueError, match=r'class_counts has the shape \(3,\), but the logits have 5 classes'):
        L.balanced_softmax_loss(k.logits, k.target, [3, 2, 1])
    with pytest.raises(ValueError, match='class_weights has the shape'):
        L.balanced_distillation_loss(k.logits, k.teacher, torch.ones(1), 2.0)


def test_functions_need_neither_registry_nor_runner():
    import subprocess
    import sys

    code = (
        'import sys, importlib.util as u, types\n'
        'for name in ("mmlt.models", "mmlt.models.losses"):\n'  # skips the package mmlt.models, which registers parts
        '    module = types.ModuleType(name); module.__path__ = [u.find_spec("mmlt").submodule_search_locations[0]'
        ' + "/" + "/".join(name.split(".")[1:])]; sys.modules[name] = module\n'
        'import mmlt.priors\n'
        'for name in ("cross_entropy", "distillation", "prior_adjusted", "ldam", "label_aware_smoothing",'
        ' "equalization", "balanced_sigmoid"): __import__("mmlt.models.losses." + name)\n'
        'print([m for m in sys.modules if m.startswith(("mmengine", "mmpretrain", "mmlt.registry"))])'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
