"""Attribute inference that knows how often the model errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class ConfidenceAttribute:
    """Complete each victim's record with every value of one field and weigh the answers by the confusion matrix.

    Fredrikson, Jha and Ristenpart, CCS 2015, weigh each completion by how often the model confuses its answer with the
    victim's class; Mehnaz, Dibbo, Kabir, Li and Bertino, "Are Your Sensitive Attributes Private? Novel Model Inversion
    Attribute Inference Attacks on Classification Models", USENIX Security 2022, add the confidence.
    """

    technique: ClassVar[Technique] = "attribute"
    family: ClassVar[str] = "attr_confidence"
    asking: ClassVar[Asking] = Asking(confidence=True)

    column: int
    """The field that is not known, by number."""
    prior: tuple[float, ...]
    """Published share of each level in the population."""
    confusion: tuple[tuple[float, ...], ...]
    """Published share of each answer (inner) among the records of each class (outer)."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are the level believed of each candidate, shape (n,)."""
        people = knowledge.candidates
        prior, confusion = np.array(self.prior), np.array(self.confusion)
        levels = np.arange(knowledge.levels[self.column])
        claims = np.zeros(len(people), dtype=np.int64)
        for number in rng.permutation(len(people)):
            sweep = np.repeat(people.rows[number][None], len(levels), axis=0)
            sweep[:, self.column] = levels
            answer = oracle.ask(sweep)
            # Sure of the right class speaks for a value, sure of a wrong one against it.
            right = answer.labels == people.labels[number]
            support = np.where(right, answer.confidence, 1 - answer.confidence)
            claims[number] = int(np.argmax(prior * confusion[people.labels[number], answer.labels] * support))
        return Outcome(claims=claims)
