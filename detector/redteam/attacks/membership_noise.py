"""Membership inference from how well an answer withstands noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.oracle import Oracle
    from detector.redteam.recorder import Answer


@dataclass(frozen=True, slots=True)
class NoiseMembership:
    """Ask for noisy copies of each candidate at several radii and believe that members keep their class longest.

    Choquette-Choo, Tramer, Carlini and Papernot, "Label-Only Membership Inference Attacks", ICML 2021: robustness to
    random noise, Gaussian on numbers and flips of categories. With scores, the confidence in the true class is
    averaged instead of its being the answer.
    """

    technique: ClassVar[Technique] = "membership"
    family: ClassVar[str] = "mia_perturb"

    reads: Literal["labels", "scores"] = "labels"
    """What of the answers is used, and asked for."""
    radii: tuple[float, ...] = (0.01, 0.03, 0.08)
    """Standard deviations of the noise, as shares of each column's range, and the shares of categories that change."""
    repeats: int = 6
    """Copies at each radius."""

    @property
    def asking(self) -> Asking:
        """See Attack."""
        return Asking(probabilities=self.reads == "scores")

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are membership scores of the candidates, shape (n,): the higher the surer."""
        people = knowledge.candidates
        scores = np.empty(len(people))
        for number, (record, label) in enumerate(zip(people.rows, people.labels, strict=True)):
            copies = [self._copies(record, radius, knowledge, rng) for radius in self.radii]
            shown = self._shown(oracle.ask(np.vstack([record, *copies])), label)
            # A record that is not given its class is hardly a member, however its neighbours fare.
            scores[number] = shown[0] + shown[1:].mean()
        return Outcome(best=people.rows[scores.argmax()], claims=scores)

    def _shown(self, answer: Answer, label: IntArray) -> FloatArray:
        """Return how far each answer is for the true class, 0 to 1."""
        if self.reads == "scores":
            return np.asarray(answer.probabilities[:, label])
        return np.asarray(answer.labels == label, dtype=np.float64)

    def _copies(self, record: FloatArray, radius: float, knowledge: Knowledge, rng: np.random.Generator) -> FloatArray:
        shape = (self.repeats, len(record))
        levels = np.array(knowledge.levels)
        noisy = record + radius * (knowledge.high - knowledge.low) * rng.standard_normal(shape)
        drawn = np.floor(rng.random(shape) * np.maximum(levels, 1))
        flipped = np.where(rng.random(shape) < radius, drawn, record)
        return np.asarray(np.where(levels > 0, flipped, np.clip(noisy, knowledge.low, knowledge.high)))
