"""Inversion by covariance matrix adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.errors import SimulationError
from detector.redteam.attacks.climbing import Climb, Start
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class CmaInversion:
    """Climb one class's confidence a generation at a time, learning along the way in which directions to vary.

    Hansen and Ostermeier, "Completely Derandomized Self-Adaptation in Evolution Strategies", Evolutionary Computation
    9(2), 2001, as the library `cma` implements it, with its recommended constants.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_cmaes"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 2_000
    """Queries; it starts anew from other noise where a search has converged before."""
    step: float = 0.15
    """First standard deviation, as a share of each column's range."""
    start: Start = "noise"
    """Where its searches begin."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        return Climb(oracle, knowledge, self.target, self.budget, rng, start=self.start).to_the_end(self._search)

    def _search(self, climb: Climb) -> None:
        try:
            import cma
        except ImportError as error:
            raise SimulationError(
                f"the attack {self.family} needs the package cma", expected="pip install 'inversion-detector[redteam]'"
            ) from error
        # Not a number for a seed: the library would seed the generator that all of numpy shares.
        options = {
            "bounds": [0.0, 1.0],
            "seed": np.nan,
            "randn": lambda *shape: climb.rng.standard_normal(shape),
            "verbose": -9,
            "verb_log": 0,
        }
        strategy = cma.CMAEvolutionStrategy(climb.first(), self.step, options)
        while not strategy.stop():
            points = strategy.ask()
            strategy.tell(points, climb.losses(np.array(points)).tolist())
