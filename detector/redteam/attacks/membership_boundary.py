"""Membership inference from the distance to the decision boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class BoundaryMembership:
    """Bisect from each candidate to where its label changes and believe that members lie farthest from there.

    The label-only boundary distance of Choquette-Choo, Tramer, Carlini and Papernot, ICML 2021, and of Li and Zhang,
    "Membership Leakage in Label-Only Exposures", CCS 2021. The boundary is sought on the lines to a few of the
    attacker's records that have another label, the nearest first, which takes less than a hundred queries a record.
    """

    technique: ClassVar[Technique] = "membership"
    family: ClassVar[str] = "mia_boundary"
    asking: ClassVar[Asking] = Asking()

    lines: int = 4
    """Lines searched from each candidate."""
    halvings: int = 7
    """Queries on each line."""
    known: int = 120
    """Records of the attacker's own whose labels it asks for first: the far ends of the lines."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are membership scores of the candidates, shape (n,): the higher the surer."""
        people = knowledge.candidates
        span = np.maximum(knowledge.high - knowledge.low, 1e-12)
        ends = knowledge.pool[rng.permutation(len(knowledge.pool))[: self.known]]
        labels = oracle.ask(ends).labels
        scores = np.zeros(len(people))
        for number in rng.permutation(len(people)):
            record, label = people.rows[number], people.labels[number]
            if oracle.ask(record[None]).labels[0] != label:
                continue
            across = ends[labels != label]
            away = np.linalg.norm((across - record) / span, axis=1)
            nearest = np.argsort(away, kind="stable")[: self.lines]
            reached = [self._bisected(oracle, record, across[end], int(label)) * away[end] for end in nearest]
            scores[number] = min(reached, default=0.0)
        return Outcome(best=people.rows[scores.argmax()], claims=scores)

    def _bisected(self, oracle: Oracle, record: FloatArray, end: FloatArray, label: int) -> float:
        """Return the share of the way from `record` to `end` at which the label changes."""
        near, far = 0.0, 1.0
        for _ in range(self.halvings):
            middle = (near + far) / 2
            if oracle.ask(((1 - middle) * record + middle * end)[None]).labels[0] == label:
                near = middle
            else:
                far = middle
        return far
