"""Extraction by the natural records of which the copy is least sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.copying import Copy
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class ActiveExtraction:
    """Query, round after round, those of the attacker's records between whose two likeliest labels the copy wavers.

    Chandrasekaran, Chaudhuri, Giacomelli, Jha and Yan, "Exploring Connections Between Active Learning and Model
    Extraction", USENIX Security 2020, with the margin as the measure of uncertainty.
    """

    technique: ClassVar[Technique] = "extraction"
    family: ClassVar[str] = "extract_active"
    asking: ClassVar[Asking] = Asking()

    budget: int = 1_200
    """Queries, at most as many as the attacker has records."""
    page: int = 100
    """Queries of a round; the first round's are drawn at random."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are the copy's labels of the exam records, shape (m,)."""
        left = rng.permutation(len(knowledge.pool))
        asked, left = left[: self.page], left[self.page :]
        answers = oracle.ask(knowledge.pool[asked]).labels
        while len(asked) < self.budget and len(left):
            copy = Copy.taught(knowledge, knowledge.pool[asked], answers, rng, passes=20)
            order = np.argsort(copy.margins(knowledge.pool[left]), kind="stable")
            page, left = np.split(left[order], [min(self.page, self.budget - len(asked))])
            asked, answers = (
                np.concatenate([asked, page]),
                np.concatenate([answers, oracle.ask(knowledge.pool[page]).labels]),
            )
        return Outcome(claims=Copy.taught(knowledge, knowledge.pool[asked], answers, rng).says(knowledge.exam))
