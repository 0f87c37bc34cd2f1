"""What a drill needs of any model: a classifier in service and the samples that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from detector.redteam.forms import InputForm, TextForm
from detector.redteam.randomness import stream
from detector.redteam.rounding import significant

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.redteam.arrays import FloatArray, IntArray

Sensitivity = Literal["none", "personal", "biometric", "health"]


class Classifier(Protocol):
    """What the drill needs of a trained model."""

    def predict_proba(self, rows: FloatArray) -> FloatArray:
        """Return probabilities, shape (n, classes)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Records with their true classes."""

    rows: FloatArray
    """Shape (n, width)."""
    labels: IntArray
    """Class numbers, shape (n,)."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: IntArray) -> Sample:
        """Return the records at `index`, in that order."""
        return Sample(self.rows[index], self.labels[index])


@dataclass(frozen=True, slots=True, eq=False)
class TargetModel:
    """A trained model in service, with the samples it belongs to."""

    name: str
    version: str
    form: InputForm
    classes: tuple[str, ...]
    classifier: Classifier
    encode: Callable[[FloatArray], FloatArray]
    """Input rows to what the classifier takes."""
    vary: Callable[[FloatArray, np.random.Generator], FloatArray]
    """Records like the given ones, as the world would send them: never quite the same twice."""
    train: Sample
    """The members: what the classifier learned from."""
    holdout: Sample
    """Non-members that the site keeps for comparison."""
    field: Sample
    """Further non-members: what clients and attackers hold."""
    sensitivity: Sensitivity
    image_shape: tuple[int, int] | None = None

    def predict(self, rows: FloatArray) -> FloatArray:
        """Return the probabilities of input `rows`, shape (n, width), as shape (n, classes)."""
        return np.asarray(self.classifier.predict_proba(self.encode(rows)), dtype=np.float64)

    def position(self, rows: FloatArray) -> FloatArray:
        """Return coordinates between which Euclidean distances mean something, shape (n, d).

        Columns count as shares of their range; the numbers of a text's words mean nothing, so that texts lie where
        their model sees them.
        """
        if isinstance(self.form, TextForm):
            return self.encode(self.form.clean(rows))
        return np.asarray(rows / np.maximum(self.form.high - self.form.low, 1e-12))

    def accuracy(self, sample: Sample) -> float:
        """Return the share, 0 to 1, of `sample` to which the model gives the true class."""
        return float(np.mean(self.predict(sample.rows).argmax(axis=1) == sample.labels))


def split(rows: FloatArray, labels: IntArray, members: int, kept: int, seed: int) -> tuple[Sample, Sample, Sample]:
    """Shuffle and split into `members` members, `kept` hold-out records and, with the rest, field records."""
    order = stream(seed, "split").permutation(len(labels))
    whole = Sample(significant(rows), labels.astype(np.int64))
    first, second, third = np.split(order, [members, members + kept])
    return whole.take(first), whole.take(second), whole.take(third)


def as_it_is(rows: FloatArray) -> FloatArray:
    """Return `rows` themselves: for classifiers that take inputs as they come."""
    return rows
