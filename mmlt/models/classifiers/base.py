"""The classifier every method starts from: a network, what mixes its images, and the terms that it learns by."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from mmlt.batch import Batch
from mmlt.draw import Draw
from mmlt.errors import UserError
from mmlt.models.backbones.timm_backbone import TimmBackbone
from mmlt.models.classifiers.network import Network
from mmlt.models.losses.reweighting import ClassReweighting
from mmlt.models.step import Outputs, Prior, Step
from mmlt.models.teachers import Teachers
from mmlt.models.terms import Classification, Term
from mmlt.models.weights import load_agreeing, load_weights
from mmlt.registry import MODELS

DEFAULT_LOSS = dict(type='CrossEntropyLoss')


@MODELS.register_module()
class LongTailedClassifier(Network):
    """Backbone, optional neck, head; trained by a sum of terms, the first of which is the loss of the labels.

    Args:
        backbone, head, neck, data_preprocessor: configs of the network's parts, see `Network`.
        loss: config of the loss of the labels, cross entropy if none is given, or of a term that stands in its place.
        reweighting: keywords of `ClassReweighting` (`beta`, `start_epoch`): class weights for the loss, deferred if wanted.
        mixing: config of a `Mixing`; `train_dataloader.partner_sampler` says where the partners come from.
        terms: configs of further terms.
        distill_heads: configs of further terms, as `terms`.

    Attributes:
        num_images: of the training set, handed over before the run where its images have several labels; else None. It is in
            no checkpoint.
        terms: the terms, in the order in which they are computed.
        corrections: in words, what in these parts moves the class prior of the logits towards a uniform one; distillation
            does not count, unless it is all that the predicting head learns by. Sampling is not among the parts.
        prior_taken: the power of the class prior that its terms take out of the logits; 0 where none does.
        class_weights_beta: of the class weights (`reweighting`); 0 without.
        begun_with: the parts whose weights were given before the run, by a first stage or by a file.

    Raises:
        UserError: parts that do not go together.
    """

    num_images: int | None = None
    settled: tuple[str, ...] = ()  # arguments that a method gives its base itself, so that no config may

    def __init__(
        self,
        backbone: dict,
        head: dict,
        loss: dict | None = None,
        neck: dict | None = None,
        reweighting: dict | None = None,
        mixing: dict | None = None,
        terms: Sequence[dict] = (),
        distill_heads: Sequence[dict] = (),
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, neck, data_preprocessor)
        self.reweighting = ClassReweighting(self.num_classes, **reweighting) if reweighting else None
        self.mixing = MODELS.build(mixing) if mixing else None
        built = [MODELS.build(cfg) for cfg in (loss or DEFAULT_LOSS, *terms, *distill_heads)]
        for place, term in enumerate(built[1:]):
            if not isinstance(term, Term):
                raise UserError(f'model.terms: {type(term).__name__}, at place {place}, is no Term (mmlt.models.terms.Term).')
        self.terms = nn.ModuleList([built[0] if isinstance(built[0], Term) else Classification(built[0]), *built[1:]])
        for term in reversed(self.terms):  # the last draws its weights first: from one seed the same ones as ever
            term.bind(self)
            if self.mixing is not None and term.unmixable:
                raise UserError(
                    f'{type(term).__name__} cannot be mixed: {term.unmixable}; leave out model.mixing.'
                )
        if self.reweighting is not None and not any(term.takes_class_weights for term in self.terms):
            raise UserError(f'no loss of {type(self).__name__} takes class weights: leave out model.reweighting.')
        self.corrections = [term.balanced_by for term in self.terms if term.balanced_by]
        self.prior_taken = max((term.prior_taken for term in self.terms if term.balanced_by), default=0.0)
        self.class_weights_beta = 0.0 if self.reweighting is None else self.reweighting.beta
        if self.class_weights_beta:
            self.corrections.append('class weights (model.reweighting)')
        self.output_scale = self.terms[0].output_scale
        self.begun_with: set[str] = set()
        self._teachers = Teachers()

    @property
    def views(self) -> int:
        """How many views of each image the terms need."""
        return max(term.views for term in self.terms)

    @property
    def roles(self) -> set[str]:
        """The prerequisites that it takes: its terms' teachers, and `init`, the weights to begin with."""
        return {'init'}.union(*(term.roles for term in self.terms))

    def set_class_counts(self, class_counts: Sequence[int]) -> None:
        """Take over the training set's counts.

        Raises:
            UserError: the head has another number of classes than the data.
        """
        if len(class_counts) != self.num_classes:
            raise UserError(
                f'the head has {self.num_classes} classes but the training set {len(class_counts)}: '
                f'set model.head.num_classes={len(class_counts)}.'
            )
        self.class_counts.copy_(torch.as_tensor(class_counts))
        self.refresh_class_counts()

    def set_num_images(self, num_images: int) -> None:
        """Take over the number of training images, which counts of several labels do not add up to."""
        self.num_images = num_images

    def refresh_class_counts(self) -> None:
        """Hand the buffer's counts on to the terms (after loading a checkpoint too)."""
        if self.reweighting is not None:
            self.reweighting.set_class_counts(self.class_counts)
        for term in self.terms:
            term.set_class_counts(self.class_counts)

    def set_epoch(self, epoch: int) -> None:
        """An epoch, counted from 0, begins."""
        for part in (self.reweighting, self.mixing):
            if part is not None:
                part.set_epoch(epoch)
        for term in self.terms:
            term.begin_epoch(epoch)

    def set_length(self, steps: int, batch_size: int, epochs: int) -> None:
        """The run has `epochs` epochs of `steps` steps of `batch_size` images over all ranks."""
        for term in self.terms:
            term.set_length(steps, batch_size, epochs)

    def check_start(self) -> str | None:
        """What a user should know of the weights that a new run begins with, before its first step; None for nothing."""

    def notices(self) -> list[str]:
        """What a user should know before the run: where pretrained weights come from, and what the terms say."""
        found = [part.weights.said for part in self.modules() if isinstance(part, TimmBackbone) and part.pretrained]
        return found + [said for said in (term.notice() for term in self.terms) if said]

    def kept_state(self) -> dict[str, dict]:
        """What a resumed run needs beside parameters and buffers, by the place of the term that needs it."""
        kept = {str(place): term.kept_state() for place, term in enumerate(self.terms)}
        return {place: state for place, state in kept.items() if state}

    def load_kept_state(self, kept: dict[str, dict]) -> None:
        """Go on from `kept_state`."""
        for place, state in kept.items():
            self.terms[int(place)].load_kept_state(state)

    def end_step(self, updated: bool) -> None:
        """A step is done.

        Args:
            updated: whether the weights changed; not so while gradients are added up.
        """
        for term in self.terms:
            term.end_step(updated)

    def init_weights(self) -> None:
        """Initialise the parts of the network that ask for it, once, then the terms."""
        if not self.is_init:
            super().init_weights()
        for term in self.terms:
            term.init_weights()

    def begin_with_file(self, state: dict[str, Tensor], source: str | Path) -> tuple[list[str], list[str]]:
        """Begin with those weights of a file that fit; the class counts are those of this run's training set.

        Args:
            state: tensors by name; a distributed wrapper's `module.` before the names does not count.
            source: the file, for messages.

        Returns:
            See `load_agreeing`.

        Raises:
            UserError: none fits.
        """
        state = self.current_names({name.removeprefix('module.'): value for name, value in state.items()})
        state.pop('class_counts', None)
        taken, left = load_agreeing(self, state, source)
        self.begun_with |= {name.partition('.')[0] for name in taken}
        self.refresh_class_counts()
        for place, term in enumerate(self.terms):
            if not any(name.startswith(f'terms.{place}.') for name in taken):
                term.init_weights()  # a momentum encoder follows from these weights
        return taken, [line for line in left if not line.startswith('class_counts ')]

    def current_names(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A checkpoint's weights by today's names: those of older checkpoints, whose terms had other places, are changed."""
        taught = [place for place, term in enumerate(self.terms) if term.roles]
        names = {f'distill_heads.{number}.': f'terms.{place}.' for number, place in enumerate(taught)}
        for place, term in enumerate(self.terms):
            names.update({old: f'terms.{place}.{new}' for old, new in term.former_names.items()})
        renamed = {}
        for name, value in state.items():
            old = next((old for old in names if name.startswith(old)), None)
            renamed[name if old is None else names[old] + name.removeprefix(old)] = value
        return renamed

    def keep_inference_parts(self) -> None:
        """Drop what serves training alone: the terms with their heads, encoders and queues, mixing, class weights."""
        self.terms, self.mixing, self.reweighting = nn.ModuleList(), None, None

    def attach(self, role: str, models: Sequence['LongTailedClassifier'], classes: Sequence[Sequence[int] | None] = ()) -> None:
        """Take over finished models: teachers (`mmlt.models.teachers`), which see the very images that the student sees, or the
        weights to begin with.

        Args:
            role: of the prerequisite: one of `roles`.
            models: the models.
            classes: for each model this model's class behind each of its own; None, or nothing, for the same classes.

        Raises:
            UserError: a role that nothing takes, or a model of other classes.
        """
        if role not in self.roles:
            raise UserError(
                f'{type(self).__name__} takes no prerequisite called {role!r}, only {", ".join(sorted(self.roles))}: '
                'correct the config.'
            )
        classes = list(classes) or [None] * len(models)
        if role == 'init':
            return self.begin_with(models)
        self._teachers.attach(role, models, classes, self.class_counts, self.memory_format)

    def begin_with(self, models: Sequence['LongTailedClassifier'], parts: Sequence[str] = ()) -> None:
        """Begin with the weights of a finished model.

        Args:
            models: one model.
            parts: names of the parts to take, such as `backbone`; none for the whole network.

        Raises:
            UserError: several models, or parts that differ.
        """
        if len(models) != 1:
            raise UserError(f'{type(self).__name__} begins with the weights of one model, not of {len(models)}.')
        if not self.is_init:  # the parts that initialise themselves must not do so afterwards
            self.init_weights()
        own = parts or [name for name in ('backbone', 'neck', 'head') if getattr(self, name) is not None]
        for name in own:
            part = getattr(models[0], name, None)
            if part is None:
                raise UserError(f'the first stage ({type(models[0]).__name__}) has no {name}, which this stage starts from.')
            load_weights(getattr(self, name), part.state_dict(), f'the first stage: its {name}')
            self.begun_with.add(name)

    @property
    def teachers(self) -> dict[str, list['LongTailedClassifier']]:
        """The frozen teachers by role, those that are attached."""
        return self._teachers.by_role

    def _apply(self, fn, recurse: bool = True):  # noqa: ANN001, ANN202 - the signature is torch's
        self._teachers.move(fn)
        return super()._apply(fn, recurse)

    def teacher_outputs(self, role: str, images: Tensor) -> list[Outputs]:
        """See `Teachers.outputs`."""
        return self._teachers.outputs(role, images)

    def step(self, batch: Batch) -> Step:
        """What the terms learn from: this preprocessed batch, its images mixed where the model mixes.

        Raises:
            UserError: another number of views than the terms need, or no partners to mix with.
        """
        views = list(batch.images) if batch.images.dim() == 5 else [batch.images]
        if len(views) != self.views:
            raise UserError(
                f'{type(self).__name__} learns from {self.views} view(s) of an image and the preprocessor gives '
                f'{len(views)}: correct model.data_preprocessor.extra_views.'
            )
        kind = 'many' if batch.targets.dim() == 2 else 'one'
        for term in self.terms:
            if kind not in term.labels:
                raise UserError(f'{type(term).__name__} takes {term.labels[0]} label(s) an image, the data have {kind}.')
        if self.mixing is not None:  # before any arithmetic: a compiled step is then not compiled for nothing
            self.mixing.check(batch)
        draw = None if batch.keys is None else Draw(self.data_preprocessor.seed, batch.keys)
        mixed = None
        if self.mixing is not None:
            views, mixed = self.mixing.mix_views(views, batch, draw, self.class_counts)
        prior = Prior(self.class_counts, num_images=self.num_images)
        if self.reweighting is not None:
            prior = prior._replace(class_weights=self.reweighting.weights, reweighting=self.reweighting)
        roles = {role: None for term in self.terms for role in term.roles}
        teachers = {role: self.teacher_outputs(role, views[0]) for role in roles}
        together = any(term.together for term in self.terms)
        return Step(batch, views, self.network, self.ensemble, prior, teachers, mixed, draw, together)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """The training losses of a step, a dict of scalars whose names contain `loss`; they are summed.

        The second term that gives a name adds its place to it: nothing replaces another term's loss.
        """
        losses: dict[str, Tensor] = {}
        for place, term in enumerate(self.terms):
            for name, value in term(step).items():
                losses[f'{name}_{place}' if name in losses else name] = value
        return losses

    def forward(
        self,
        images: Tensor,
        targets: Tensor | None = None,
        indices: Tensor | None = None,
        keys: Tensor | None = None,
        partners: Batch | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[dict[str, Tensor]]:
        """MMEngine's three modes on a preprocessed `Batch`.

        Args:
            images: normalised, float (B, C, H, W), or (V, B, C, H, W) of V views.
            targets: int64 (B,), or float (B, K) with several labels an image.
            indices: place of each image in its data set, int64 (B,).
            keys: identities of the draws, int64 (B,); for losses with random numbers and for mixing.
            partners: a partner for each image, for mixing.
            mode: `tensor` gives logits (B, K); `loss` a dict of scalars; `predict` one record
                `[dict(logits, target, indices)]` for the whole batch, logits in float32.
        """
        if mode == 'loss':
            return self.losses(self.step(Batch(images, targets, indices, keys, partners)))
        if mode == 'tensor':
            return self.outputs(images).logits
        if mode == 'predict':
            return [dict(**self.prediction(images), target=targets, indices=indices)]
        raise ValueError(f'mode is tensor, loss or predict, not {mode!r}.')
