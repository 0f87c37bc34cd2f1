"""Membership inference from one answer a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class ScoreMembership:
    """Ask for each candidate once and believe that members are those of whose true class the model is surest.

    The loss threshold of Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the
    Connection to Overfitting", CSF 2018. Its queries are natural records, each once: no log shows more of it.
    """

    technique: ClassVar[Technique] = "membership"
    family: ClassVar[str] = "mia_score"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are membership scores of the candidates, shape (n,): the higher the surer."""
        del rng
        people = knowledge.candidates
        scores = oracle.ask(people.rows).probabilities[np.arange(len(people)), people.labels]
        surest = int(scores.argmax())
        return Outcome(best=people.rows[surest], confidence=float(scores[surest]), claims=scores)
