"""Extraction: teach a copy from the answers to a fixed set of inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.copying import Copy
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle

_PAGE = 50


@dataclass(frozen=True, slots=True)
class Extraction:
    """Query a fixed set of inputs and train a copy on the labels that come back.

    With random inputs: retraining in Tramer et al., "Stealing Machine Learning Models via Prediction APIs", USENIX
    Security 2016. With natural inputs: the random strategy of Orekondy, Schiele and Fritz, "Knockoff Nets: Stealing
    Functionality of Black-Box Models", CVPR 2019.
    """

    technique: ClassVar[Technique] = "extraction"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    source: Literal["random", "natural"]
    """Where the queries come from: uniform over the input's range, or the attacker's own records."""
    budget: int = 2_000
    """Queries. With natural inputs at most as many as there are records of its own."""

    @property
    def family(self) -> str:
        """See Attack."""
        return "extract_knockoff" if self.source == "natural" else "extract_random"

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are the copy's labels of the exam records, shape (m,)."""
        queries = self._queries(knowledge, rng)
        pages = [oracle.ask(queries[start : start + _PAGE]).labels for start in range(0, len(queries), _PAGE)]
        return Outcome(claims=Copy.taught(knowledge, queries, np.concatenate(pages), rng).says(knowledge.exam))

    def _queries(self, knowledge: Knowledge, rng: np.random.Generator) -> FloatArray:
        if self.source == "natural":
            return knowledge.pool[rng.permutation(len(knowledge.pool))[: self.budget]]
        drawn = knowledge.low + (knowledge.high - knowledge.low) * rng.random((self.budget, len(knowledge.low)))
        return np.where(np.array(knowledge.levels) > 0, np.rint(drawn), drawn)
