"""Inversion by differential evolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.climbing import Climb, Start
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class DifferentialEvolutionInversion:
    """Climb one class's confidence with a population whose differences are its steps.

    Storn and Price, "Differential Evolution: A Simple and Efficient Heuristic for Global Optimization over Continuous
    Spaces", J. Global Optimization 11, 1997, as scipy implements it, in the variant best/1/bin.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_de"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 3_000
    """Queries."""
    population: int = 30
    """Members, each of which is challenged once a generation; at least 5."""
    immediate: bool = False
    """Whether a better member takes its place at once, and not with its generation."""
    start: Start = "noise"
    """Where its searches begin."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        return Climb(oracle, knowledge, self.target, self.budget, rng, start=self.start).to_the_end(self._search)

    def _search(self, climb: Climb) -> None:
        from scipy.optimize import Bounds, differential_evolution

        def generation(points: FloatArray) -> FloatArray:
            """Ask for `points`, shape (width, n), as scipy arranges them."""
            return climb.losses(points.T)

        def one(point: FloatArray) -> float:
            return float(climb.losses(point[None])[0])

        differential_evolution(
            one if self.immediate else generation,  # type: ignore[arg-type]  # the stubs know of single points alone
            Bounds(np.zeros(climb.width), np.ones(climb.width)),
            init=climb.population(self.population),
            maxiter=1_000_000,
            polish=False,
            updating="immediate" if self.immediate else "deferred",
            vectorized=not self.immediate,
            rng=climb.rng,
        )
