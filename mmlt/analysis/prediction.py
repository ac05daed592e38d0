"""What a model says of a picture."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Classes:
    """What a model knows of its classes.

    Attributes:
        names: K names.
        counts: K training images.
        groups: the shot group of each, by its training images.
        convention: of the shot groups.
        cuts: (K,) float64 probabilities from which on a class of several is predicted; None of one label an image.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    groups: tuple[str, ...]
    convention: str
    cuts: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one picture.

    Attributes:
        picture: its path, or `picture 3` for one that is no file.
        classes: what the model knows of its classes.
        probabilities: (K,) float64; they sum to 1, or are one number a class where a picture has several labels. None for
            a picture that cannot be read.
        problem: why it cannot be read; None for one that can.
    """

    picture: str
    classes: Classes
    probabilities: np.ndarray | None
    problem: str | None = None

    @property
    def places(self) -> list[int]:
        """The predicted classes, the most probable first: one, or of several labels any number."""
        if self.probabilities is None:
            return []
        if self.classes.cuts is None:
            return [int(self.probabilities.argmax())]
        order = np.argsort(-self.probabilities, kind='stable')
        return [int(place) for place in order if self.probabilities[place] >= self.classes.cuts[place]]

    @property
    def labels(self) -> list[str]:
        """Names of the predicted classes."""
        return [self.classes.names[place] for place in self.places]

    @property
    def label(self) -> str | None:
        """Name of the predicted class, of several those joined by `|`; None for a picture that cannot be read."""
        return None if self.probabilities is None else '|'.join(self.labels)

    @property
    def probability(self) -> float | None:
        """How sure the model is, in [0, 1]: the probability of the predicted class.

        Of several labels that of the class it is least sure of to be decided rightly, where the class's threshold counts as
        an even chance.
        """
        if self.probabilities is None:
            return None
        if self.classes.cuts is None:
            return float(self.probabilities.max())
        return float(1 / (1 + np.exp(-np.abs(_logit(self.probabilities) - _logit(self.classes.cuts)).min())))

    @property
    def group(self) -> str | None:
        """Shot group of the predicted class (of several joined by `|`): how many training images stand behind it."""
        return None if self.probabilities is None else '|'.join(self.classes.groups[place] for place in self.places)

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The most probable classes and their probabilities, falling."""
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind='stable')[:count]
        return [(self.classes.names[place], float(self.probabilities[place])) for place in order]

    def __repr__(self) -> str:
        said = self.problem if self.problem else f'{self.label} ({self.probability:.3f}, {self.group})'
        return f'{self.picture}: {said}'


def _logit(probability: np.ndarray) -> np.ndarray:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.log(inside) - np.log1p(-inside)
