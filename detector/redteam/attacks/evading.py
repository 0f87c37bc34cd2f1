"""The query side of an evasion by scores: one natural input after the other is moved until its label changes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.attacks.base import Outcome
from detector.redteam.attacks.climbing import SpentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Knowledge
    from detector.redteam.oracle import Oracle


class DeceivedError(Exception):
    """The model has been misled about the present source."""


class Chase:
    """Asks on behalf of a search for adversarial examples, counts, and keeps the closest one.

    Inputs are given as moves away from the present source, in shares of each column's range; categories stay.

    Attributes:
        width: columns of the input.
        rng: the attacker's chance.
    """

    def __init__(self, oracle: Oracle, knowledge: Knowledge, budget: int, rng: np.random.Generator) -> None:
        self._oracle = oracle
        self._knowledge = knowledge
        self._left = budget
        self._span = np.where(np.array(knowledge.levels) > 0, 0.0, knowledge.high - knowledge.low)
        self._source = knowledge.pool[0]
        self._label = 0
        self._found: list[tuple[float, FloatArray, FloatArray]] = []
        self.width = len(knowledge.low)
        self.rng = rng

    def margins(self, moves: FloatArray) -> FloatArray:
        """Ask for the source after `moves`, shape (n, width), and return each one's margin, shape (n,).

        The margin is the log-probability of the source's label less that of the likeliest other one.

        Raises:
            SpentError: the queries ran out.
            DeceivedError: one of the answers was another label; the smallest such move is kept.
        """
        sent = np.clip(self._source + moves * self._span, self._knowledge.low, self._knowledge.high)[: self._left]
        self._left -= len(sent)
        if not len(sent):
            raise SpentError
        answer = self._oracle.ask(sent)
        across = np.flatnonzero(answer.labels != self._label)
        if len(across):
            lengths = np.linalg.norm(moves[across], axis=1)
            closest = across[lengths.argmin()]
            self._found.append((float(lengths.min()), sent[closest], self._source))
            raise DeceivedError
        if len(sent) < len(moves):
            raise SpentError
        scores = np.log(np.maximum(answer.probabilities, 1e-22))
        own = scores[:, self._label].copy()
        scores[:, self._label] = -np.inf
        return np.asarray(own - scores.max(axis=1))

    def to_the_end(self, search: Callable[[Chase], None]) -> Outcome:
        """Mislead the model about one source after the other until the queries have run out."""
        with suppress(SpentError):
            while self._left > 0:
                self._source = self._knowledge.pool[self.rng.integers(len(self._knowledge.pool))]
                self._label = int(self._oracle.ask(self._source[None]).labels[0])
                self._left -= 1
                with suppress(DeceivedError):
                    search(self)
        if not self._found:
            return Outcome(source=self._source)
        _, best, source = min(self._found, key=lambda each: each[0])
        return Outcome(best=best, source=source)
