"""Inversion by simulated annealing."""

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
class AnnealingInversion:
    """Climb one class's confidence by jumps that grow rarer and shorter as it cools.

    Xiang, Sun, Fan and Gong, "Generalized Simulated Annealing Algorithm and Its Application to the Thomson Model",
    Physics Letters A 233, 1997, as scipy implements it.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_annealing"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 3_000
    """Queries."""
    heat: float = 1.0
    """First temperature. The losses are logarithms of the order of ten; scipy's 5,230 would be a random walk."""
    visit: float = 1.8
    """Heaviness of the tail of the jumps, above 1, at most 3."""
    polished: bool = False
    """Whether each improvement is followed by a local search with finite differences, as in scipy's default."""
    start: Start = "noise"
    """Where its searches begin."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        return Climb(oracle, knowledge, self.target, self.budget, rng, start=self.start).to_the_end(self._search)

    def _search(self, climb: Climb) -> None:
        from scipy.optimize import Bounds, dual_annealing

        def loss(point: FloatArray) -> float:
            return float(climb.losses(point[None])[0])

        bounds = Bounds(np.zeros(climb.width), np.ones(climb.width))
        # The answers have five digits: scipy's own difference of 1e-8 would drown.
        local = {"method": "L-BFGS-B", "bounds": bounds, "options": {"eps": 0.02}}
        dual_annealing(
            loss,
            bounds,
            maxiter=1_000_000,
            initial_temp=self.heat,
            visit=self.visit,
            minimizer_kwargs=local,  # type: ignore[arg-type]  # the stubs have forgotten the bounds
            no_local_search=not self.polished,
            x0=climb.first(),
            rng=climb.rng,
        )
