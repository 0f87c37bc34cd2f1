"""Inversion by a natural evolution strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.climbing import Climb, Start
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class NaturalEvolutionInversion:
    """Climb one class's log-confidence along a gradient estimated from pairs of opposite Gaussian steps.

    Wierstra, Schaul, Glasmachers, Sun, Peters and Schmidhuber, "Natural Evolution Strategies", JMLR 15, 2014, with the
    antithetic pairs and the momentum with which Ilyas, Engstrom, Athalye and Lin, "Black-box Adversarial Attacks with
    Limited Queries and Information", ICML 2018, query classifiers.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_nes"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 2_000
    """Queries."""
    pairs: int = 15
    """Pairs in one estimate; the point reached is asked for besides."""
    reach: float = 0.05
    """Standard deviation of the steps to both sides, as a share of a column's range; four times that on categories."""
    step: float = 0.08
    """Root mean square of a move over all columns, as a share of their ranges."""
    momentum: float = 0.5
    """Share of the last direction that is kept, 0 to below 1."""
    start: Start = "noise"
    """Where its searches begin."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        # A level is wide: steps that never leave it would tell nothing about the others.
        reach = self.reach * np.where(np.array(knowledge.levels) > 0, 4.0, 1.0)

        def search(climb: Climb) -> None:
            point, direction = climb.first(), np.zeros(climb.width)
            while True:
                ways = climb.rng.standard_normal((self.pairs, climb.width))
                there = point + reach * ways
                back = point - reach * ways
                losses = climb.losses(np.stack([there, back], axis=1).reshape(-1, climb.width))
                pull = (losses[1::2] - losses[::2]) @ ways
                direction = self.momentum * direction + (1 - self.momentum) * pull
                length = max(float(np.sqrt(np.mean(direction**2))), 1e-12)
                point = np.clip(point + self.step * direction / length, 0.0, 1.0)
                climb.losses(point[None])

        return Climb(oracle, knowledge, self.target, self.budget, rng, start=self.start).to_the_end(search)
