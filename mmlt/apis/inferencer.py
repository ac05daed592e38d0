"""Predict pictures with finished models: names, probabilities, shot groups, for the class prior where they are used."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmlt.analysis.prediction import Classes, Prediction
from mmlt.apis.ensemble import mean_of_sigmoids, mean_of_softmaxes
from mmlt.apis.target_prior import target_prior
from mmlt.datasets.pictures import Seen, batches_of, find_pictures
from mmlt.engine.agreement import check_classes
from mmlt.engine.inference import Predictor
from mmlt.errors import UserError
from mmlt.evaluation import posthoc
from mmlt.priors import GROUPS, shot_groups


class Inferencer:
    """Finished models, ready for pictures; called with pictures it gives a `Prediction` for each.

    The model is rebuilt from the checkpoint alone, nothing in which is executed: pictures are read, cut, scaled and
    normalised as its test set was.

    Args:
        checkpoint: a checkpoint of mmlt, or a file that `tools/publish_model.py` wrote; several for an ensemble, whose
            probabilities are the mean of theirs.
        prior: the class prior where the model is used, by which probabilities are corrected (Saerens et al., 2002):
            `uniform`; `estimate`, from the pictures themselves, unlabelled; a share by class name; K shares; or a JSON file
            with either. None for no correction.
        batch_size: pictures at once.
        precision: `fp32` or `bf16`; the one it was trained in by default.
        image_size: see `Predictor`.
        convention: of the shot groups, see `mmlt.priors.CONVENTIONS`.

    Attributes:
        classes: what the model knows of its classes, see `Classes`.
        estimated: (K,) float64, the class prior that the last call with `estimate` found; else None.

    Raises:
        UserError: a checkpoint that cannot be used, several that do not agree, a prior that does not fit.
    """

    def __init__(
        self,
        checkpoint: str | Path | Sequence[str | Path],
        prior: str | Path | Sequence[float] | dict[str, float] | None = None,
        batch_size: int = 64,
        precision: str | None = None,
        image_size: int | None = None,
        convention: str = 'standard',
    ) -> None:
        files = [checkpoint] if isinstance(checkpoint, (str, Path)) else list(checkpoint)
        if not files:
            raise UserError('no checkpoint is named: give one, or several for an ensemble.')
        self.models = [Predictor(file, precision, image_size) for file in files]
        self.batch_size = batch_size
        first = self.models[0]
        for other in self.models[1:]:
            _check_alike(first, other)
        counts = tuple(first.class_counts)
        cuts = self._cuts() if first.several else None
        try:
            groups = shot_groups(counts, convention)
        except ValueError as error:
            raise UserError(f'the shot groups cannot be told: {error}') from error
        group_of = {int(place): name for name in GROUPS for place in groups[name]}
        self.classes = Classes(first.classes, counts, tuple(group_of[c] for c in range(len(counts))), convention, cuts)
        self.prior = self._target(prior)
        self.estimated: np.ndarray | None = None

    @property
    def several(self) -> bool:
        """Whether a picture has several labels."""
        return self.classes.cuts is not None

    def __call__(self, pictures: Any) -> list[Prediction]:
        """A prediction for each picture, in order; a picture that cannot be read has a `problem` in place of probabilities.

        Args:
            pictures: paths of files, folders or lists (see `find_pictures`), PIL pictures, read as their files are (see
                `read_rgb`; a JPEG that Pillow has decoded already may differ, for its file is decoded smaller where that is
                enough), uint8 arrays (H, W, 3) or tensors (3, H, W), taken to be upright; one or several.
        """
        return list(self.stream(pictures))

    def stream(self, pictures: Any) -> Iterator[Prediction]:
        """See `__call__`, one after the other: two batches of pictures are in memory at a time, whatever their number.

        Where the prior is estimated, all logits (N, K) are computed before the first prediction is given.
        """
        yield from self.stream_files(_named(pictures))

    def stream_files(self, pictures: Sequence[Any]) -> Iterator[Prediction]:
        """See `stream`; paths are those of files, as `find_pictures` gives them: one that is not there has a `problem`."""
        scored = self._scored(pictures)
        if isinstance(self.prior, str):
            scored = list(scored)
            self.estimated = self._estimate([scores for _, scores in scored if len(scores)])
        for seen, scores in scored:
            rows = iter(self._probabilities(scores))
            for one in seen:
                yield Prediction(one.name, self.classes, None if one.problem else next(rows), one.problem)

    def _scored(self, pictures: Sequence[Any]) -> Iterator[tuple[list[Seen], Tensor]]:
        """Batch by batch what is seen, without its pixels, and the scores (B, K) of those that can be read: logits, of an
        ensemble the logarithm of its mean probabilities."""
        views = list(dict.fromkeys(model.view for model in self.models))  # pictures are read once where models agree
        for batches in zip(*(batches_of(pictures, view, self.batch_size) for view in views), strict=True):
            problems = [next((one.problem for one in seen if one.problem), None) for seen in zip(*batches, strict=True)]
            good = [place for place, problem in enumerate(problems) if problem is None]
            scores = torch.zeros(0, len(self.classes.names))
            if good:
                images = {
                    view: torch.stack([batch[place].image for place in good])
                    for view, batch in zip(views, batches, strict=True)
                }
                scores = self._ensemble([model.logits(images[model.view]) for model in self.models])
            yield [Seen(one.name, None, problem) for one, problem in zip(batches[0], problems, strict=True)], scores

    def _ensemble(self, logits: list[Tensor]) -> Tensor:
        if len(logits) == 1:
            return logits[0]
        mean = mean_of_sigmoids if self.several else mean_of_softmaxes
        return mean(torch.stack([one.double() for one in logits]))

    def _probabilities(self, scores: Tensor) -> np.ndarray:
        """float64 (B, K)."""
        if self.several:
            return scores.double().sigmoid().numpy()
        target = torch.as_tensor(self.estimated) if isinstance(self.prior, str) else self.prior
        if target is not None and len(scores):
            scores = posthoc.correct_prior(scores, self.models[0].prior_of_outputs, target)
        return scores.double().softmax(1).numpy()

    def _estimate(self, scores: list[Tensor]) -> np.ndarray:
        """The class prior (K,) of the pictures, or the one of training where none can be read."""
        counts = self.models[0].prior_of_outputs
        return (posthoc.estimate_prior(torch.cat(scores), counts) if scores else posthoc.log_prior(counts).exp()).numpy()

    def _cuts(self) -> np.ndarray:
        """Of several models the mean of the thresholds, as probabilities."""
        zero = torch.zeros(len(self.models[0].classes))
        cuts = [zero if model.thresholds is None else model.thresholds for model in self.models]
        return torch.stack([cut.double().sigmoid() for cut in cuts]).mean(0).numpy()

    def _target(self, prior: Any) -> Tensor | str | None:
        if prior is None:
            return None
        if self.several:
            raise UserError('a class prior is of pictures with one label each, and these have several: leave out --prior.')
        if any(not np.allclose(model.prior_of_outputs, self.models[0].prior_of_outputs) for model in self.models[1:]):
            raise UserError(
                'of these models some were balanced in training otherwise than others: leave out --prior, which cannot correct '
                'both.'
            )
        return target_prior(prior, self.classes.names)


def _check_alike(first: Predictor, other: Predictor) -> None:
    """Refuse an ensemble of models that know other classes, or were trained on other counts."""
    folders = (first.meta.get('class_folders'), other.meta.get('class_folders'))
    check_classes(first.classes, other.classes, f'{first.checkpoint}', *folders, tested_on=f'{other.checkpoint}')
    if first.several != other.several:
        raise UserError(f'{first.checkpoint} and {other.checkpoint}: one has several labels an image; give models of a kind.')
    if list(first.class_counts) != list(other.class_counts):
        raise UserError(
            f'{first.checkpoint} and {other.checkpoint} were trained on other numbers of images a class, so that shot '
            'groups and priors differ: give models of one training set.'
        )


def _named(pictures: Any) -> list[Any]:
    """One picture or several as a list: paths as the files they name, what is no path as it is."""
    alone = isinstance(pictures, (str, Path, Image.Image)) or getattr(pictures, 'ndim', 4) < 4
    found: list[Any] = []
    for one in [pictures] if alone else list(pictures):
        found += find_pictures([one]) if isinstance(one, (str, Path)) else [one]
    return found
