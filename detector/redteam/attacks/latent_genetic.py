"""Inversion in a latent space by a genetic search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.breeding import crossed
from detector.redteam.attacks.latent import LatentSpace
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class LatentGenetic:
    """Breed latents in generations of constant size; the best are sent again, unchanged, with each generation.

    The black-box form of An et al., "MIRROR: Model Inversion for Deep Learning Network with High Fidelity", NDSS 2022:
    the first generation is the best of a shared sweep, children mix two parents' latents coordinate by coordinate,
    some coordinates mutate, and latents are clipped to where natural ones lie. The generator here is a principal
    component analysis of the attacker's records.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_latent_genetic"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    sweep: int = 400
    """Random latents queried first, at least `population`."""
    population: int = 50
    """Latents in a generation."""
    generations: int = 30
    elite: int = 8
    """How many of the best go on unchanged, and are asked again; fewer than `population`."""
    mutated: float = 0.15
    """Share of a child's coordinates that mutate, 0 to 1."""
    step: float = 0.5
    """Mutation strength in standard deviations of a latent."""
    size: int = 20
    """Components of the generator."""
    bound: float = 2.5
    """Largest magnitude of a coordinate, in standard deviations."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        space = LatentSpace.learned(knowledge, self.size)
        crowd = np.clip(space.draw(self.sweep, rng), -self.bound, self.bound)
        fitness = np.nan_to_num(oracle.ask(space.decode(crowd)).probabilities[:, self.target])
        for _ in range(self.generations):
            order = np.argsort(-fitness, kind="stable")[: self.population]
            crowd = self._bred(crowd[order], rng)
            fitness = np.nan_to_num(oracle.ask(space.decode(crowd)).probabilities[:, self.target])
        best = int(fitness.argmax())
        return Outcome(knowledge.classes[self.target], space.decode(crowd[[best]])[0], float(fitness[best]))

    def _bred(self, parents: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the next generation of `parents`, best first, shape (population, size)."""
        mixed = crossed(parents, self.population - self.elite, rng)
        change = self.step * rng.standard_normal(mixed.shape) * (rng.random(mixed.shape) < self.mutated)
        return np.vstack([parents[: self.elite], np.clip(mixed + change, -self.bound, self.bound)])
