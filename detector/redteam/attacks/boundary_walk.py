"""Evasion from labels alone: a random walk along the decision boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Outcome
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Knowledge, Technique
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class BoundaryEvasion:
    """Walk from a record of another class towards a natural input, and never leave that other class.

    Brendel, Rauber and Bethge, "Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box Machine
    Learning Models", ICLR 2018: a step along the sphere around the source, a step towards it, and both lengths adapted
    so that about half of the former and a quarter of the latter stay across.
    """

    technique: ClassVar[Technique] = "evasion"
    family: ClassVar[str] = "evade_boundary"
    asking: ClassVar[Asking] = Asking()

    budget: int = 2_000
    """Queries."""
    sideways: float = 0.1
    """First step along the sphere, as a share of the distance to the source."""
    onward: float = 0.1
    """First step towards the source, as a share of the distance to it."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        span = np.maximum(knowledge.high - knowledge.low, 1e-12)
        source = knowledge.pool[rng.integers(len(knowledge.pool))]
        label = oracle.ask(source[None]).labels[0]
        asked = 1

        def across(point: FloatArray) -> bool:
            nonlocal asked
            asked += 1
            return bool(oracle.ask((source + span * point)[None]).labels[0] != label)

        # Points are moves away from the source in shares of the range; the source itself is 0.
        point = next((each for each in self._others(knowledge, source, span, rng) if across(each)), None)
        if point is None:
            return Outcome(source=source)
        sideways, onward = self.sideways, self.onward
        while asked < self.budget:
            beside = _turned(point, sideways, rng)
            beside = np.clip(beside, (knowledge.low - source) / span, (knowledge.high - source) / span)
            stayed = across(beside)
            sideways *= 1.1 if stayed else 0.9
            if not stayed:
                continue
            nearer = (1 - onward) * beside
            stayed = across(nearer)
            onward = min(onward * (1.3 if stayed else 0.9), 0.5)
            point = nearer if stayed else min(point, beside, key=lambda each: float(np.linalg.norm(each)))
        return Outcome(best=source + span * point, source=source)

    @staticmethod
    def _others(
        knowledge: Knowledge, source: FloatArray, span: FloatArray, rng: np.random.Generator
    ) -> list[FloatArray]:
        """Return up to fifty of the attacker's records as moves away from the source."""
        rows = knowledge.pool[rng.permutation(len(knowledge.pool))[:50]]
        return list((rows - source) / span)


def _turned(point: FloatArray, share: float, rng: np.random.Generator) -> FloatArray:
    """Return `point` after a random step along the sphere around 0, `share` of its radius long."""
    radius = max(float(np.linalg.norm(point)), 1e-12)
    way = rng.standard_normal(len(point))
    way -= (way @ point) / radius**2 * point
    turned: FloatArray = point + share * radius * way / max(float(np.linalg.norm(way)), 1e-12)
    return turned * (radius / float(np.linalg.norm(turned)))
