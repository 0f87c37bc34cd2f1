"""Small neural networks: scikit-learn trains them, a few lines of numpy answer for them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The fitted weights of an MLPClassifier with one hidden layer of rectifiers.

    Attacks ask for one input at a time, thousands of times; scikit-learn's checks of each call would be most of a
    drill's time.
    """

    labels: IntArray
    """The labels learned, in the order of the outputs."""
    weights: tuple[FloatArray, FloatArray]
    """Input to hidden, shape (d, hidden), and hidden to output, shape (hidden, outputs)."""
    offsets: tuple[FloatArray, FloatArray]

    def predict_proba(self, rows: FloatArray) -> FloatArray:
        """Return the probabilities of `rows`, shape (n, d), as shape (n, labels): softmax, or a logistic for two."""
        hidden = np.maximum(rows @ self.weights[0] + self.offsets[0], 0.0)
        return _shares(hidden @ self.weights[1] + self.offsets[1])

    def predict(self, rows: FloatArray) -> IntArray:
        """Return the most probable label of each of `rows`, shape (n, d)."""
        chosen: IntArray = self.labels[self.predict_proba(rows).argmax(axis=1)]
        return chosen


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """The fitted weights of a LogisticRegression."""

    labels: IntArray
    """The labels learned, in the order of the outputs."""
    weights: FloatArray
    """Shape (d, outputs)."""
    offsets: FloatArray

    def predict_proba(self, rows: FloatArray) -> FloatArray:
        """Return the probabilities of `rows`, shape (n, d), as shape (n, labels): softmax, or a logistic for two."""
        return _shares(rows @ self.weights + self.offsets)


def _shares(scores: FloatArray) -> FloatArray:
    """Return probabilities in proportion to the exponentials of `scores`; a single column is a score against zero."""
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def regressed(rows: FloatArray, labels: IntArray, *, looseness: float) -> Regression:
    """Fit a logistic regression.

    Args:
        rows: training inputs, shape (n, d).
        labels: shape (n,), at least two different ones.
        looseness: above 0; the larger, the less the squared weights cost, and the surer the answers.
    """
    from sklearn.linear_model import LogisticRegression

    learner = LogisticRegression(C=looseness, max_iter=2_000).fit(rows, labels)
    return Regression(learner.classes_.astype(np.int64), learner.coef_.T, learner.intercept_)


def fitted(rows: FloatArray, labels: IntArray, *, hidden: int, passes: int, decay: float, seed: int) -> Network:
    """Train a network for a fixed number of passes: to stop there is meant, and no failure to converge.

    Args:
        rows: training inputs, shape (n, d).
        labels: shape (n,), at least two different ones.
        hidden: units in the hidden layer.
        passes: passes over the data.
        decay: weight of the squared weights in the loss; the smaller, the surer the network is of what it has seen.
        seed: 0 to 2**32 - 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    learner = MLPClassifier(
        (hidden,),
        alpha=decay,
        batch_size=min(100, len(rows)),
        learning_rate_init=0.003,
        max_iter=passes,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner.fit(rows, labels)
    first, second = learner.coefs_
    return Network(learner.classes_.astype(np.int64), (first, second), tuple(learner.intercepts_))
