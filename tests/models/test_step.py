"""A step and what a classifier adds up from it: views, teachers, names of losses, names in older checkpoints."""

import pytest
import torch
from torch import nn

from mmlt.batch import Batch
from mmlt.errors import UserError
from mmlt.models.terms import Outputs, Term, step_of
from mmlt.registry import MODELS

COUNTS = [60, 20, 6, 2]
BACKBONE = dict(type='ResNetCIFAR', depth=8, base_channels=4)
PREPROCESSOR = dict(type='BatchPreprocessor', mean=(0.5,) * 3, std=(0.25,) * 3)
EXPERTS = dict(type='MultiExpertBackbone', backbone=BACKBONE, num_experts=3)
KD = dict(type='LogitDistillHead')


def build(kind='LongTailedClassifier', classes=4, **settings):
    torch.manual_seed(0)
    head = dict(type='LinearHead', num_classes=classes)
    settings = dict(backbone=BACKBONE, head=head, data_preprocessor=PREPROCESSOR) | settings
    model = MODELS.build(dict(type=kind, **settings))
    if classes == 4:
        model.set_class_counts(COUNTS)
    return model


def batch(views=1, size=5, **more):
    generator = torch.Generator().manual_seed(1)
    shape = (size, 3, 8, 8) if views == 1 else (views, size, 3, 8, 8)
    images = torch.randn(shape, generator=generator)
    return Batch(images, torch.arange(size) % 4, torch.arange(size), torch.arange(size), **more)


@MODELS.register_module(force=True)
class _Views(Term):
    """Asks for the views in an order of its own, some of them twice."""

    def __init__(self, views: int, together: bool = False) -> None:
        super().__init__()
        self.views, self.together = views, together

    def forward(self, step):
        order = [*range(self.views - 1, -1, -1), 0]
        return {'loss_views': sum(step.outputs(view).logits.square().mean() for view in order)}


@pytest.mark.parametrize('together', [False, True])
def test_each_view_passes_the_network_once_together_or_alone(together):
    model = build(terms=[dict(type='_Views', views=3, together=together)]).train()
    seen, whole = [], model.backbone.forward
    model.backbone.forward = lambda images: (seen.append(images), whole(images))[1]
    given = batch(3)
    losses = model(*given, mode='loss')
    assert [len(images) for images in seen] == ([15] if together else [5, 5, 5])
    assert torch.equal(torch.cat(seen), given.images.flatten(0, 1) if together else given.images[[0, 2, 1]].flatten(0, 1))
    assert set(losses) == {'loss_cls', 'loss_views'}
    # Batch normalisation sees the batches that passed: the outputs are those of the same passes by hand.
    other = build().train()
    passes = [given.images.flatten(0, 1)] if together else list(given.images)
    logits = torch.cat([other.outputs(images).logits for images in passes]).chunk(3)
    torch.testing.assert_close(losses['loss_views'], sum(one.square().mean() for one in (*logits, logits[0])))
    torch.testing.assert_close(losses['loss_cls'], nn.functional.cross_entropy(logits[0], given.targets))


def test_a_finished_step_has_its_outputs_and_of_experts_their_mean():
    outputs = [Outputs(torch.randn(5, 3, 7), torch.randn(5, 3, 4)) for _ in range(2)]
    step = step_of(outputs, torch.zeros(5).long(), torch.tensor(COUNTS))
    assert step.outputs(1).logits is outputs[1].logits
    torch.testing.assert_close(step.ensemble(1).logits, outputs[1].logits.mean(1))
    torch.testing.assert_close(step.ensemble().features, outputs[0].features.mean(1))
    single = step_of(Outputs(torch.randn(5, 7), torch.randn(5, 4)), torch.zeros(5).long(), torch.tensor(COUNTS))
    assert single.ensemble().logits is single.outputs().logits


def test_no_loss_replaces_another_of_its_name():
    model = build(terms=[KD, dict(KD, temperature=4.0)], distill_heads=[dict(KD, temperature=1.0)])
    model.attach('teacher', [build(classes=4)])
    nn.init.normal_(model.teachers['teacher'][0].head.weight)
    losses = model(*batch(), mode='loss')
    assert list(losses) == ['loss_cls', 'loss_kd', 'loss_kd_2', 'loss_kd_3']
    assert len({round(value.item(), 5) for value in losses.values()}) == 4
    step = model.eval().step(batch())
    alone = [term(step) for term in model.terms]
    for value, (_, one) in zip(model.losses(step).values(), (item for term in alone for item in term.items()), strict=True):
        assert torch.equal(value, one)


def test_terms_of_other_roles_have_teachers_of_their_own():
    model = build(terms=[KD, dict(KD, role='expert')])
    assert model.roles == {'init', 'teacher', 'expert'}
    first, second = build(), build()
    nn.init.normal_(first.head.weight)
    model.attach('teacher', [first])
    with pytest.raises(UserError, match=r'the student has no expert: name one in the config \(prerequisites.expert\)'):
        model(*batch(), mode='loss')
    model.attach('expert', [second])
    assert model.teachers == {'teacher': [first], 'expert': [second]}
    step = model.eval().step(batch())
    assert torch.equal(step.teachers['teacher'][0].logits, first(batch().images))
    assert torch.equal(step.teachers['expert'][0].logits, second(batch().images))
    with pytest.raises(UserError, match=r"takes no prerequisite called 'tutor', only expert, init, teacher"):
        model.attach('tutor', [first])


def test_teachers_see_the_first_view_as_the_student_does_mixed_where_it_is():
    terms = [KD, dict(type='_Views', views=2)]
    model = build(terms=terms, mixing=dict(type='Mixup')).eval()
    teacher = build()
    model.attach('teacher', [teacher])
    given = batch(2)
    step = model.step(given._replace(partners=batch(2)._replace(images=given.images.flip(1), targets=given.targets.flip(0))))
    assert not torch.equal(step.images[0], given.images[0])
    assert torch.equal(step.teachers['teacher'][0].logits, teacher(step.images[0]))
    share = step.mixed.weight[:, None, None, None]
    for view in range(2):  # both views of an image are mixed alike
        expected = share * given.images[view] + (1 - share) * given.images[view].flip(0)
        torch.testing.assert_close(step.images[view], expected)


def test_a_teacher_of_some_classes_is_attached_by_their_places():
    model = build(terms=[KD])
    teacher = build(classes=2)
    teacher.set_class_counts([6, 60])
    model.attach('teacher', [teacher], [[2, 0]])
    step = model.eval().step(batch())
    assert step.teachers['teacher'][0].classes.tolist() == [2, 0]
    nn.init.normal_(teacher.head.weight)
    student, teacher_logits = model(batch().images)[:, [2, 0]], teacher(batch().images)
    p, q = (logits.div(2).log_softmax(1) for logits in (student, teacher_logits))
    expected = 4 * (q.exp() * (q - p)).sum(1).mean()
    torch.testing.assert_close(model(*batch(), mode='loss')['loss_kd'], expected)
    for classes, words in (([1, 0], 'other class counts'), ([2, 0, 1], '2 classes and the student')):
        other = build(classes=2)
        other.set_class_counts([6, 60])
        with pytest.raises(UserError, match=words):
            model.attach('teacher', [other], [classes])


def test_a_loss_that_scales_cosines_has_its_predictions_scaled_alike():
    """As a prediction, a teacher and one of several experts; RIDE's way, a head that scales, predicts and learns the same."""
    head = dict(type='CosineHead', num_classes=4)
    for network in (BACKBONE, EXPERTS):
        plain = build(backbone=network, head=dict(head, scale=1.0), loss=dict(type='LDAMLoss', scale=30.0)).eval()
        loss = dict(type='Classification', loss=dict(type='LDAMLoss', scale=30.0), logit_scale=30.0)
        scaled = build(backbone=network, head=dict(head, scale=30.0), loss=loss).eval()
        scaled.load_state_dict(plain.state_dict())
        given = batch()
        cosines = plain.network(given.images).logits
        assert cosines.abs().max() <= 1.0001
        for model in (plain, scaled):
            (record,) = model(*given, mode='predict')
            wanted = 30 * (cosines.mean(1) if network is EXPERTS else cosines)
            assert torch.allclose(record['logits'], wanted, atol=1e-4)
            assert torch.allclose(model.outputs(given.images).logits, wanted, atol=1e-4)
            if network is EXPERTS:
                assert torch.allclose(record['expert_logits'], 30 * cosines, atol=1e-4)
        losses = [model(*given, mode='loss')['loss_cls'] for model in (plain, scaled)]
        assert torch.allclose(*losses, atol=1e-4)


def test_an_image_of_several_labels_is_refused_by_terms_of_one():
    given = batch()._replace(targets=torch.zeros(5, 4))
    with pytest.raises(UserError, match=r'Classification takes one label\(s\) an image, the data have many'):
        build()(*given, mode='loss')


@pytest.mark.parametrize(
    'kind, settings',
    [
        ('SADEClassifier', dict(backbone=EXPERTS)),
        ('BalPoEClassifier', dict(backbone=EXPERTS)),
        ('GPaCoClassifier', dict(projector=dict(hidden=[8], out_channels=6))),
    ],
)
def test_class_weights_that_nothing_takes_are_refused(kind, settings):
    with pytest.raises(UserError, match=f'no loss of {kind} takes class weights: leave out model.reweighting'):
        build(kind, reweighting=dict(beta=0.9), **settings)


def test_what_is_no_term_is_refused():
    with pytest.raises(UserError, match='model.terms: CrossEntropyLoss, at place 1, is no Term'):
        build(terms=[KD, dict(type='CrossEntropyLoss')])


@MODELS.register_module(force=True)
class _OwnLoss(nn.Module):
    """A plain module with a weight, as a user's."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits, target, class_counts, class_weights=None):
        return nn.functional.cross_entropy(self.scale * logits, target, class_weights)


PROJECTOR = dict(hidden=[8], out_channels=6)
BRIDGE = dict(type='FeatureDistillHead', teacher_channels=5)
CONTRAST = dict(dim=8, queue_size=16)
# A model, and the names that parts of it had before they stood in terms, as (today's, the older one).
OLDER = {
    'a loss': (dict(kind='LongTailedClassifier', loss=dict(type='_OwnLoss')), [('terms.0.loss.loss.', 'loss.')]),
    'Seesaw': (dict(loss=dict(type='SeesawLoss', num_classes=4)), [('terms.0.loss.', 'loss.')]),
    'heads': (dict(distill_heads=[KD, BRIDGE]), [('terms.2.', 'distill_heads.1.')]),
    'BKD': (dict(kind='BKDClassifier', distill_heads=[BRIDGE]), [('terms.2.', 'distill_heads.1.')]),
    'RIDE': (
        dict(kind='RIDEDistillationClassifier', backbone=EXPERTS, head=dict(type='CosineHead', num_classes=4),
             distill_heads=[BRIDGE]),
        [('terms.2.', 'distill_heads.0.')],
    ),
    'NCL': (dict(kind='NCLClassifier', backbone=EXPERTS, contrast=CONTRAST), [('terms.2.', 'contrast.')]),
    'ECL': (
        dict(kind='ECLClassifier', backbone=EXPERTS, contrast=CONTRAST),
        [('terms.1.head.', 'distilled_head.'), ('terms.1.confidence.', 'confidence.'), ('terms.3.', 'contrast.')],
    ),
    'PaCo': (
        dict(kind='PaCoClassifier', projector=PROJECTOR),
        [(f'terms.0.{part}.', f'{part}.') for part in ('projector', 'queue', 'encoder_k')],
    ),
    'GPaCo': (
        dict(kind='GPaCoClassifier', projector=PROJECTOR),
        [(f'terms.0.{part}.', f'{part}.') for part in ('projector', 'queue')],
    ),
    'BCL': (
        dict(kind='BCLClassifier', projector=PROJECTOR),
        [(f'terms.1.{part}.', f'{part}.') for part in ('projector', 'prototype_projector')],
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', OLDER)
def test_a_checkpoint_from_before_terms_is_read(name):
    settings, names = OLDER[name]
    model = build(**settings)
    state = model.state_dict()
    older = {}
    for key, value in state.items():
        new, old = next(((new, old) for new, old in names if key.startswith(new)), ('', ''))
        older[old + key.removeprefix(new)] = value
    assert [key for key in older if key.startswith('terms.')] == [] and older.keys() != state.keys()
    assert model.current_names(older).keys() == state.keys()
    assert all(value is state[key] for key, value in model.current_names(older).items())
    assert model.current_names(state) == state  # today's names stay
