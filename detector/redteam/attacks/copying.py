"""The copy of a model that its thief trains on the answers, offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.networks import Network, fitted

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.attacks.base import Knowledge

# A column with more levels than this holds words: they count wherever they stand, and not by their numbers.
_WORDS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What a copy learns from: shares of the range, a block of indicators for each category, or counts of words."""

    low: FloatArray
    """Shape (width,)."""
    span: FloatArray
    """Range of each input column, shape (width,), above 0."""
    levels: tuple[int, ...]

    @classmethod
    def of(cls, knowledge: Knowledge) -> Features:
        """Return the features of the inputs that `knowledge` describes."""
        return cls(knowledge.low, np.maximum(knowledge.high - knowledge.low, 1e-12), knowledge.levels)

    def unfold(self, rows: FloatArray) -> FloatArray:
        """Return the features of `rows`, shape (n, width), as shape (n, d)."""
        if min(self.levels) > _WORDS:
            return self._counts(rows)
        shares = (rows - self.low) / self.span
        whole = np.clip(np.rint(rows), 0, None).astype(np.int64)
        blocks = [
            np.eye(size)[np.minimum(whole[:, column], size - 1)] if size else shares[:, [column]]
            for column, size in enumerate(self.levels)
        ]
        return np.hstack(blocks)

    def fold(self, slopes: FloatArray) -> FloatArray:
        """Return what a change of each input column is worth where features have `slopes`, shape (n, d) to (n, width).

        A category is worth the slope from its first level to its last.
        """
        ends = np.cumsum([max(size, 1) for size in self.levels])
        starts = ends - [max(size, 1) for size in self.levels]
        first = np.where(np.array(self.levels) > 0, slopes[:, starts], 0.0)
        return np.asarray(slopes[:, ends - 1] - first)

    def _counts(self, rows: FloatArray) -> FloatArray:
        counts = np.zeros((len(rows), max(self.levels)))
        np.add.at(counts, (np.arange(len(rows))[:, None], np.rint(rows).astype(np.int64)), 1.0)
        counts[:, 0] = 0.0
        return counts


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """A network trained to answer like the model that was queried."""

    features: Features
    network: Network | None
    """None where every answer was the same."""
    usual: int
    """The commonest answer."""

    @classmethod
    def taught(
        cls, knowledge: Knowledge, rows: FloatArray, answers: IntArray, rng: np.random.Generator, *, passes: int = 40
    ) -> Copy:
        """Train a copy on input `rows`, shape (n, width), and the labels that came back, shape (n,)."""
        features = Features.of(knowledge)
        usual = int(np.bincount(answers).argmax())
        if len(np.unique(answers)) == 1:
            return cls(features, None, usual)
        seed = int(rng.integers(2**31))
        unfolded = features.unfold(rows)
        return cls(features, fitted(unfolded, answers, hidden=48, passes=passes, decay=1e-4, seed=seed), usual)

    def says(self, rows: FloatArray) -> IntArray:
        """Return the copy's labels of `rows`, shape (n,)."""
        if self.network is None:
            return np.full(len(rows), self.usual)
        return self.network.predict(self.features.unfold(rows))

    def margins(self, rows: FloatArray) -> FloatArray:
        """Return how much surer the copy is of its first choice than of its second, 0 to 1, shape (n,)."""
        if self.network is None:
            return np.zeros(len(rows))
        shares = np.sort(self.network.predict_proba(self.features.unfold(rows)), axis=1)
        return np.asarray(shares[:, -1] - shares[:, -2])

    def slopes(self, rows: FloatArray, labels: IntArray) -> FloatArray:
        """Return how the score of each row's label grows with each input column, shape (n, width)."""
        if self.network is None:
            return np.zeros(rows.shape)
        first, second = self.network.weights
        active = self.features.unfold(rows) @ first + self.network.offsets[0] > 0
        at = np.searchsorted(self.network.labels, labels)
        towards = np.where(at[:, None] > 0, second[:, 0], -second[:, 0]) if second.shape[1] == 1 else second.T[at]
        return self.features.fold((active * towards) @ first.T)
