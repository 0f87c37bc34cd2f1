"""Extraction by inputs that are moved across the copy's own boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.copying import Copy
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class JacobianExtraction:
    """Teach a copy from a few natural records, ask for them again moved along the copy's gradient, and repeat.

    Jacobian-based data-set augmentation in Papernot, McDaniel, Goodfellow, Jha, Celik and Swami, "Practical Black-Box
    Attacks against Machine Learning", AsiaCCS 2017. The step changes its sign every three rounds, as there.
    """

    technique: ClassVar[Technique] = "extraction"
    family: ClassVar[str] = "extract_jbda"
    asking: ClassVar[Asking] = Asking()

    seeds: int = 150
    """Natural records of the first round; the queries double with every round."""
    budget: int = 2_000
    """Queries."""
    step: float = 0.1
    """How far every number moves in a round, as a share of its column's range; so many categories change a level."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Claims are the copy's labels of the exam records, shape (m,)."""
        rows = knowledge.pool[rng.permutation(len(knowledge.pool))[: min(self.seeds, self.budget)]]
        answers = oracle.ask(rows).labels
        rounds = 0
        while len(rows) < self.budget:
            copy = Copy.taught(knowledge, rows, answers, rng, passes=20)
            moved = self._moved(copy, rows, answers, knowledge, rng, forward=rounds % 6 < 3)
            moved = moved[rng.permutation(len(moved))[: self.budget - len(rows)]]
            rows, answers = np.vstack([rows, moved]), np.concatenate([answers, oracle.ask(moved).labels])
            rounds += 1
        return Outcome(claims=Copy.taught(knowledge, rows, answers, rng).says(knowledge.exam))

    def _moved(
        self,
        copy: Copy,
        rows: FloatArray,
        answers: IntArray,
        knowledge: Knowledge,
        rng: np.random.Generator,
        *,
        forward: bool,
    ) -> FloatArray:
        signs = np.sign(copy.slopes(rows, answers)) * (1.0 if forward else -1.0)
        levels = rng.random(rows.shape) < self.step
        lengths = np.where(np.array(knowledge.levels) > 0, levels, self.step * (knowledge.high - knowledge.low))
        return np.clip(rows + lengths * signs, knowledge.low, knowledge.high)
