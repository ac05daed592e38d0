"""Breadcrumb's term: the network's head learns on trails of features, by an optimizer and a schedule of its own."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor, nn
from torch.func import functional_call

from mmlt.arguments import number
from mmlt.datasets.samplers.base import Draws
from mmlt.errors import UserError
from mmlt.models.momentum import gather_batch
from mmlt.models.step import Step
from mmlt.models.terms.base import Term
from mmlt.models.trails import FeatureTrails
from mmlt.registry import MODELS, OPTIMIZERS, PARAM_SCHEDULERS


@MODELS.register_module()
class BreadcrumbTrails(Term):
    """The head learns class-balanced batches of detached features; nothing of it reaches the backbone.

    With S steps of B images an epoch and C classes, each class gives `ceil(S * B / C)` rows of its trail (`FeatureTrails`) to
    an epoch; their union, in random order, is cut into as many batches as there are of images. Until every class has its
    trail, the head learns the features of the batches' partners, which a class-aware sampler draws; these pass through the
    network as it trains, so its batch statistics see them. All ranks keep the same trails. The head steps with every batch,
    also where the network adds up gradients over several; either is trained by what the other had before the step.

    Args:
        optimizer: config of the head's optimizer.
        param_scheduler: configs of the schedules of its learning rate, by epoch.
        max_mib: the trails may take so much host memory, in MiB.

    Raises:
        UserError: a schedule by step or of something else than the learning rate; trails that need more memory.

    Source: Liu et al., Breadcrumbs, ECCV 2022, and its code.
    """

    unmixable = 'a trail holds features of one class'
    balanced_by = 'a head that learns class-balanced features'

    def __init__(self, optimizer: dict, param_scheduler: Sequence[dict] = (), max_mib: float = 4096) -> None:
        super().__init__()
        self.optimizer_cfg = dict(optimizer)
        self.schedules = [dict(cfg) for cfg in param_scheduler]
        self.max_mib = number(self, 'max_mib', max_mib, above=0)
        self.trails: FeatureTrails | None = None
        self._rates: list[float] = []
        self._end: int | None = None
        self._held: tuple[Tensor, ...] | None = None
        self._seen: list[tuple[Tensor, Tensor]] = []  # of the epoch under way, on the device
        self._epoch, self._step = -1, 0
        self._union: tuple[Tensor, Tensor] | None = None

    def bind(self, model: nn.Module) -> None:
        """Take over the head: the network's optimizer has no gradient of it."""
        model.refuse_experts(type(self).__name__)
        self._model = (model,)  # a tuple: no sub-module of this one
        model.head.requires_grad_(False)
        self.optimizer = OPTIMIZERS.build(dict(self.optimizer_cfg, params=list(model.head.parameters())))
        self._rate(0)

    def set_length(self, steps: int, batch_size: int, epochs: int) -> None:
        """Lay out the trails; a schedule that names no end runs to the end of the run, as the network's do."""
        self._end, self._rates = epochs, []
        model = self._model[0]
        counts = model.class_counts.tolist()
        quota = math.ceil(steps * batch_size / sum(count > 0 for count in counts))
        self.batch_size = batch_size
        self.trails = FeatureTrails(counts, quota, model.feature_channels)
        if self._mib > self.max_mib:
            raise UserError(
                f'the trails of features need {self._mib:,.0f} MiB of host memory, and model.max_mib allows {self.max_mib:,g}: '
                'raise it, or lower the images an epoch (train_dataloader.sampler.num_samples).'
            )

    @property
    def _mib(self) -> float:
        return self.trails.num_bytes / 2**20

    def notice(self) -> str | None:
        """The size of the trails."""
        if self.trails is None:
            return None
        return (
            f'trails of features: {self.trails.quota:,} rows a class and epoch, {max(self.trails.look_back)} epochs back at '
            f'most, {self._mib:,.1f} MiB of host memory'
        )

    def _rate(self, epoch: int) -> float:
        """The learning rate of an epoch, by schedules that run on a stand-in from the beginning."""
        if epoch >= len(self._rates):
            stand_in = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=self.optimizer.defaults['lr'])
            usual = dict(optimizer=stand_in, **({} if self._end is None else dict(end=self._end)))
            schedules = [PARAM_SCHEDULERS.build(dict(cfg), default_args=usual) for cfg in self.schedules]
            for schedule in schedules:
                if not schedule.by_epoch or schedule.param_name != 'lr':
                    raise UserError(
                        f"{type(self).__name__}: param_scheduler must be schedules of the learning rate by epoch, and "
                        f'{type(schedule).__name__} is none.'
                    )
            self._rates = []
            for _ in range(2 * epoch + 1):
                self._rates.append(stand_in.param_groups[0]['lr'])
                stand_in.step()
                for schedule in schedules:
                    schedule.step()
        return self._rates[epoch]

    def begin_epoch(self, epoch: int) -> None:
        """Take the features of the epoch before into the trails; draw the rows of this one."""
        for group in self.optimizer.param_groups:
            group['lr'] = self._rate(epoch)
        if self.trails is None:
            return
        if self._epoch != epoch:
            if self._seen:
                self.trails.push(*(torch.cat(parts) for parts in zip(*self._seen, strict=True)))
            self._seen, self._epoch, self._step = [], epoch, 0
        self._union = None
        if self.trails.ready:
            model = self._model[0]
            rows, labels = self.trails.union()
            order = torch.from_numpy(Draws(model.data_preprocessor.seed, epoch).permutation(len(rows)))
            device = model.class_counts.device
            self._union = rows[order].to(device), labels[order].to(device)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """No loss of the network's own: what the head needs is held until the end of the step.

        Raises:
            UserError: there are no partners, and not every class has its trail.
        """
        features = step.outputs().features.detach()
        if self._union is not None:
            self._held = features, step.target
            return {}
        partners = step.batch.partners
        if partners is None:
            raise UserError(
                'Breadcrumb learns class-aware images until every class has its trail: set '
                "train_dataloader.partner_sampler=dict(type='ClassAwareSampler', samples_per_class=4)."
            )
        with torch.no_grad():
            balanced = self._model[0].network(partners.images).features
        self._held = features, step.target, balanced, partners.targets
        return {}

    def end_step(self, updated: bool) -> None:
        """The head's step, then the batch's features are put away."""
        if self._held is None:
            return
        features, target, *balanced = self._held
        self._held = None
        self._learn(*(balanced or self._rows(len(features))))
        if self.trails is not None:
            self._seen.append((gather_batch(features.half()), gather_batch(target)))
            self._step += 1

    def _rows(self, count: int) -> tuple[Tensor, Tensor]:
        """This rank's share of the step's batch: of the union's order, as the loader shares out images."""
        places = torch.arange(count, device=self._union[1].device) * get_world_size() + get_rank()
        places = (places + self._step * self.batch_size) % len(self._union[1])
        return self._union[0][places], self._union[1][places]

    def _learn(self, features: Tensor, target: Tensor) -> None:
        head = self._model[0].head
        with torch.enable_grad():
            weights = {name: value.detach().requires_grad_() for name, value in head.named_parameters()}
            loss = F.cross_entropy(functional_call(head, weights, (features.float(),)).float(), target)
            gradients = torch.autograd.grad(loss, list(weights.values()))
        for weight, gradient in zip(head.parameters(), gradients, strict=True):
            if get_world_size() > 1:
                all_reduce(gradient, op='mean')
            weight.grad = gradient
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def kept_state(self) -> dict:
        """Trails, the features of the epoch under way, and the optimizer."""
        kept = dict(optimizer=self.optimizer.state_dict(), epoch=self._epoch, step=self._step)
        if self.trails is not None:
            channels = self.trails.channels
            empty = torch.empty(0, channels, dtype=torch.float16), torch.empty(0, dtype=torch.int64)
            features, labels = (torch.cat(parts) for parts in zip(empty, *self._seen_on_cpu(), strict=True))
            kept.update(trails=self.trails.state(), features=features, labels=labels)
        return kept

    def _seen_on_cpu(self) -> list[tuple[Tensor, Tensor]]:
        return [(features.cpu(), labels.cpu()) for features, labels in self._seen]

    def load_kept_state(self, state: dict) -> None:
        """Go on from `kept_state`."""
        self.trails.load(state['trails'])
        features, labels = state['features'], state['labels']
        if len(features) != len(labels) or features.shape[1:] != (self.trails.channels,):
            raise ValueError('the features of the epoch under way are not those of this run')
        device = self._model[0].class_counts.device
        self._seen = [(features.to(device), labels.to(device))] if len(labels) else []
        self._epoch, self._step = state['epoch'], state['step']
        self.optimizer.load_state_dict(state['optimizer'])
