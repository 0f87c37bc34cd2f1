"""Membership inference by the shape of the loss around a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.oracle import Oracle

_FLOOR = 1e-22


@dataclass(frozen=True, slots=True)
class MerlinMembership:
    """Ask for each candidate record, then for noisy copies of it, and count how often the loss grows.

    A member sits near a local minimum of the loss, so noise makes it worse more often than it does for others:
    MERLIN in Jayaraman, Wang, Knipmeyer, Gu and Evans, "Revisiting Membership Inference Under Realistic Assumptions",
    PoPETs 2021(2). Ties, which five digits make common, are broken by the confidence itself, as in the score attack
    of Yeom, Giacomelli, Fredrikson and Jha, CSF 2018.
    """

    technique: ClassVar[Technique] = "membership"
    family: ClassVar[str] = "mia_merlin"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    repeats: int = 15
    """Noisy copies of each candidate."""
    noise: float = 0.02
    """Standard deviation of the noise, as a share of each column's range."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are membership scores of the candidates, shape (n,): the higher the surer."""
        span = np.where(np.array(knowledge.levels) > 0, 0.0, knowledge.high - knowledge.low)
        people = knowledge.candidates
        scores = np.empty(len(people))
        confidences = np.empty(len(people))
        for number, (record, label) in enumerate(zip(people.rows, people.labels, strict=True)):
            noise = self.noise * span * rng.standard_normal((self.repeats, len(span)))
            around = np.clip(record + noise, knowledge.low, knowledge.high)
            shown = oracle.ask(np.vstack([record, around])).probabilities[:, label]
            losses = -np.log(np.maximum(shown, _FLOOR))
            confidences[number] = shown[0]
            scores[number] = np.mean(losses[1:] > losses[0]) + 1e-3 * shown[0]
        surest = int(scores.argmax())
        return Outcome(best=people.rows[surest], confidence=float(confidences[surest]), claims=scores)
