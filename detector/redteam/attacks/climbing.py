"""The query side of an inversion: points of the unit cube go in, confidences in one class come out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle

_FLOOR = 1e-22
# A record of another class is one of which the model is surer that it is something else.
_DOUBT = 0.5
_TRIES = 20
_NEIGHBOURHOOD = 0.1
# How far from the middle a single first point lies, as a share of the unit interval.
_ABOUT = 0.05
# Beyond this share of a normal distribution the attacker's records end.
_TAIL = 1e-4

Start = Literal["noise", "natural", "middle"]
"""Where a search begins: anywhere in the input's range, around a record of another class that the attacker owns, or at
the middle of the attacker's records, whose spread is then its measure of a step."""


@dataclass(frozen=True, slots=True, eq=False)
class _Population:
    """How the attacker's records are spread, column by column."""

    low: FloatArray
    """Shape (width,)."""
    high: FloatArray
    mean: FloatArray
    deviation: FloatArray
    parts: tuple[FloatArray, ...]
    """Of each column the cumulative shares of its levels; empty where it is a number."""

    @classmethod
    def of(cls, knowledge: Knowledge) -> _Population:
        pool = knowledge.pool
        parts = tuple(
            np.cumsum(np.bincount(pool[:, column].astype(np.int64), minlength=size)) / len(pool)
            if size
            else np.empty(0)
            for column, size in enumerate(knowledge.levels)
        )
        return cls(knowledge.low, knowledge.high, pool.mean(axis=0), pool.std(axis=0), parts)

    def inputs(self, inside: FloatArray) -> FloatArray:
        """Return the inputs at the points `inside` the unit cube, shape (n, width)."""
        from scipy.special import ndtri

        far = ndtri(np.clip(inside, _TAIL, 1.0 - _TAIL))
        rows = np.clip(self.mean + self.deviation * far, self.low, self.high)
        for column, shares in enumerate(self.parts):
            if len(shares):
                rows[:, column] = np.minimum(np.searchsorted(shares, inside[:, column]), len(shares) - 1)
        return rows


class SpentError(Exception):
    """The queries have run out in the middle of a search."""


class SummitError(Exception):
    """The model cannot be surer of the target than it has just been."""


class Climb:
    """Asks on behalf of an optimiser that knows the unit cube alone, counts, and keeps the best input.

    Every column has the unit interval, numbers by their range and categories in equal parts for their levels, so that
    one step length suits records of named fields as well as images. A search from the middle has numbers by the normal
    distribution of the attacker's records instead, and categories in parts as large as their shares.

    Attributes:
        width: columns of the input.
        rng: the attacker's chance.
        start: where searches begin.
    """

    def __init__(
        self,
        oracle: Oracle,
        knowledge: Knowledge,
        target: int,
        budget: int,
        rng: np.random.Generator,
        *,
        start: Start = "noise",
    ) -> None:
        self._oracle = oracle
        self._knowledge = knowledge
        self._target = target
        self._left = budget
        self._levels = np.array(knowledge.levels)
        self._best: FloatArray | None = None
        self._reached = -1.0
        self.width = len(knowledge.low)
        self.rng = rng
        self.start: Start = start
        self._population = _Population.of(knowledge) if start == "middle" else None

    def inputs(self, points: FloatArray) -> FloatArray:
        """Return the inputs at `points`, shape (n, width), clipped to the cube."""
        inside = np.clip(points, 0.0, 1.0)
        if self._population is not None:
            return self._population.inputs(inside)
        numbers = self._knowledge.low + (self._knowledge.high - self._knowledge.low) * inside
        return np.where(self._levels > 0, np.minimum(np.floor(inside * self._levels), self._levels - 1), numbers)

    def first(self) -> FloatArray:
        """Return a point to begin at, shape (width,)."""
        if self.start == "middle":
            return 0.5 + _ABOUT * self.rng.standard_normal(self.width)
        return self.rng.random(self.width) if self.start == "noise" else self._stranger()

    def population(self, count: int) -> FloatArray:
        """Return `count` points to begin with, shape (count, width): at random, or a record and its neighbourhood."""
        if self.start in {"noise", "middle"}:
            return self.rng.random((count, self.width))
        spread = _NEIGHBOURHOOD * self.rng.standard_normal((count, self.width))
        spread[0] = 0.0
        return np.clip(self._stranger() + spread, 0.0, 1.0)

    def _stranger(self) -> FloatArray:
        """Return the point of one of the attacker's records that is not, or hardly, of the target class."""
        pool = self._knowledge.pool
        for row in pool[self.rng.integers(len(pool), size=_TRIES)]:
            point = self._point(row)
            if self.confidences(point[None])[0] < _DOUBT:
                break
        return point

    def _point(self, row: FloatArray) -> FloatArray:
        """Return the point at which the input `row`, shape (width,), lies: the middle of its level's part."""
        span = np.maximum(self._knowledge.high - self._knowledge.low, 1e-12)
        shares = (row - self._knowledge.low) / span
        return np.clip(np.where(self._levels > 0, (row + 0.5) / np.maximum(self._levels, 1), shares), 0.0, 1.0)

    def confidences(self, points: FloatArray) -> FloatArray:
        """Ask for `points`, shape (n, width), and return the confidence in the target at each, shape (n,).

        Raises:
            SpentError: the queries ran out; what was asked counts.
        """
        sent = self.inputs(points[: self._left])
        self._left -= len(sent)
        shown = self._oracle.ask(sent).probabilities[:, self._target] if len(sent) else np.empty(0)
        if len(shown) and shown.max() > self._reached:
            self._best, self._reached = sent[shown.argmax()], float(shown.max())
        if len(sent) < len(points):
            raise SpentError
        return shown

    def losses(self, points: FloatArray) -> FloatArray:
        """Return the negative logarithms of the `confidences` at `points`, shape (n,).

        Raises:
            SpentError: the queries ran out; what was asked counts.
            SummitError: there is nothing left to climb.
        """
        shown = self.confidences(points)
        if shown.max() >= 1.0:
            raise SummitError
        return -np.log(np.maximum(shown, _FLOOR))

    def to_the_end(self, search: Callable[[Climb], None]) -> Outcome:
        """Repeat `search` from new starts until the queries have run out, and return what came of it."""
        with suppress(SpentError):
            while True:
                with suppress(SummitError):
                    search(self)
        return Outcome(self._knowledge.classes[self._target], self._best, self._reached)
