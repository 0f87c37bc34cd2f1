"""Evasion along an estimated gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.evading import Chase
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class NesEvasion:
    """Mislead the model by descending its margin along gradients estimated from pairs of opposite Gaussian steps.

    Ilyas, Engstrom, Athalye and Lin, "Black-box Adversarial Attacks with Limited Queries and Information", ICML 2018,
    from a natural input, without a bound on the way but in small steps.
    """

    technique: ClassVar[Technique] = "evasion"
    family: ClassVar[str] = "evade_nes_score"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    budget: int = 1_500
    """Queries, spent on one natural input after the other."""
    pairs: int = 12
    """Pairs in one estimate."""
    difference: float = 0.02
    """Standard deviation of the steps to both sides, as a share of each column's range."""
    step: float = 0.015
    """Move of every column in one step, as a share of its range."""
    steps: int = 25
    """Steps after which it gives an input up."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        return Chase(oracle, knowledge, self.budget, rng).to_the_end(self._search)

    def _search(self, chase: Chase) -> None:
        move = np.zeros(chase.width)
        for _ in range(self.steps):
            ways = chase.rng.standard_normal((self.pairs, chase.width))
            there, back = move + self.difference * ways, move - self.difference * ways
            margins = chase.margins(np.stack([there, back], axis=1).reshape(-1, chase.width))
            move = move - self.step * np.sign((margins[::2] - margins[1::2]) @ ways)
            chase.margins(move[None])
