"""Inversion by a particle swarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.climbing import Climb, Start
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle

# The constriction of Clerc and Kennedy for two attractions of 2.05 each.
_INERTIA = 0.7298
_PULL = 1.49618


@dataclass(frozen=True, slots=True)
class ParticleSwarmInversion:
    """Climb one class's confidence with particles, each drawn to its own best place and to that of all.

    Kennedy and Eberhart, "Particle Swarm Optimization", ICNN 1995, with the constants of Clerc and Kennedy, "The
    Particle Swarm: Explosion, Stability, and Convergence in a Multidimensional Complex Space", IEEE Trans. Evolutionary
    Computation 6(1), 2002. A particle that hits the edge of the range stops there.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_pso"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 3_000
    """Queries."""
    particles: int = 25
    """One query each a round."""
    speed: float = 0.2
    """Bound of a first step in every column, as a share of its range."""
    start: Start = "noise"
    """Where its searches begin."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        return Climb(oracle, knowledge, self.target, self.budget, rng, start=self.start).to_the_end(self._search)

    def _search(self, climb: Climb) -> None:
        shape = (self.particles, climb.width)
        places = climb.population(self.particles)
        steps = self.speed * (2 * climb.rng.random(shape) - 1)
        own, least = places, climb.losses(places)
        while True:
            to_own, to_best = climb.rng.random(shape), climb.rng.random(shape)
            pull = to_own * (own - places) + to_best * (own[least.argmin()] - places)
            steps = _INERTIA * steps + _PULL * pull
            moved = np.clip(places + steps, 0.0, 1.0)
            steps = np.where(moved == places + steps, steps, 0.0)
            places = moved
            losses = climb.losses(places)
            better = losses < least
            own, least = np.where(better[:, None], places, own), np.where(better, losses, least)
