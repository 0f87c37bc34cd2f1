"""Attribute inference: sweep the unknown field of many people's records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class AttributeSweep:
    """Complete each victim's record with every value of one field and believe the value that explains its class best.

    Fredrikson, Lantz, Jha, Lin, Page and Ristenpart, "Privacy in Pharmacogenetics: An End-to-End Case Study of
    Personalized Warfarin Dosing", USENIX Security 2014: the most probable value given the known fields, the model's
    answer for the known outcome, and the value's share in the population.
    """

    technique: ClassVar[Technique] = "attribute"
    family: ClassVar[str] = "attr_fredrikson"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    column: int
    """The field that is not known, by number."""
    prior: tuple[float, ...]
    """Published share of each level in the population."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are the level believed of each candidate, shape (n,)."""
        people = knowledge.candidates
        levels = np.arange(knowledge.levels[self.column])
        claims = np.zeros(len(people), dtype=np.int64)
        best, reached = people.rows[0], -1.0
        for number in rng.permutation(len(people)):
            sweep = np.repeat(people.rows[number][None], len(levels), axis=0)
            sweep[:, self.column] = levels
            shown = oracle.ask(sweep).probabilities[:, people.labels[number]]
            claims[number] = int(np.argmax(shown * np.array(self.prior)))
            if shown[claims[number]] > reached:
                best, reached = sweep[claims[number]], float(shown[claims[number]])
        return Outcome(best=best, confidence=reached, claims=claims)
