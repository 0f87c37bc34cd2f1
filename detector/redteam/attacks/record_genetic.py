"""Inversion by a genetic search among natural records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.breeding import crossed
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class RecordGenetic:
    """Breed records from the attacker's own: children take each column from one of two parents, or from a stranger.

    The synthesis of target-class records by search of Shokri et al., "Membership Inference Attacks Against Machine
    Learning Models", S&P 2017, section V-A, with a population and crossover (Holland, "Adaptation in Natural and
    Artificial Systems", 1975) in the place of its single record. No value is sent that no record holds.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_record_genetic"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    population: int = 40
    """Records in a generation."""
    generations: int = 30
    elite: int = 4
    """How many of the best go on unchanged, and are not asked again; fewer than `population`."""
    mutated: float = 0.1
    """Share of a child's columns, 0 to 1, that come from another of the attacker's records."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        pool = knowledge.pool
        crowd = pool[rng.integers(len(pool), size=self.population)]
        fitness = np.nan_to_num(oracle.ask(crowd).probabilities[:, self.target])
        for _ in range(self.generations):
            order = np.argsort(-fitness, kind="stable")
            children = self._children(crowd[order], pool, rng)
            reached = np.nan_to_num(oracle.ask(children).probabilities[:, self.target])
            crowd = np.vstack([crowd[order[: self.elite]], children])
            fitness = np.concatenate([fitness[order[: self.elite]], reached])
        best = int(fitness.argmax())
        return Outcome(knowledge.classes[self.target], crowd[best], float(fitness[best]))

    def _children(self, parents: FloatArray, pool: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the children of `parents`, best first, shape (population - elite, width)."""
        mixed = crossed(parents, self.population - self.elite, rng)
        strangers = pool[rng.integers(len(pool), size=mixed.shape), np.arange(mixed.shape[1])]
        return np.where(rng.random(mixed.shape) < self.mutated, strangers, mixed)
