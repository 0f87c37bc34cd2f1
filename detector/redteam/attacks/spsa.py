"""Inversion by simultaneous perturbation."""

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
class SpsaInversion:
    """Climb one class's log-confidence with two queries a step, on both sides of the current point.

    Spall, "Multivariate Stochastic Approximation Using a Simultaneous Perturbation Gradient Approximation", IEEE
    Trans. Automatic Control 37(3), 1992, with the gain sequences of Spall, "Implementation of the Simultaneous
    Perturbation Algorithm for Stochastic Optimization", IEEE Trans. Aerospace and Electronic Systems 34(3), 1998;
    against classifiers: Uesato et al., "Adversarial Risk and the Dangers of Evaluating Against Weak Attacks", ICML
    2018.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_spsa"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 1_600
    """Queries, an even number: two a step."""
    gain: float = 0.02
    """First step length, as a share of each column's range."""
    perturbation: float = 0.05
    """First distance from the point to each of its two queries in every column, as a share of the range."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        span = knowledge.high - knowledge.low
        point = rng.random(len(span))
        best, reached = point, -1.0
        stability = 0.1 * self.budget / 2
        for step in range(self.budget // 2):
            signs = rng.choice([-1.0, 1.0], size=len(span))
            reach = self.perturbation / (step + 1) ** 0.101
            pair = np.clip(point + reach * np.vstack([signs, -signs]), 0.0, 1.0)
            shown = oracle.ask(knowledge.low + span * pair).probabilities[:, self.target]
            if shown.max() > reached:
                best, reached = pair[shown.argmax()], float(shown.max())
            up, down = np.log(np.maximum(shown, _FLOOR))
            gain = self.gain * ((stability + 1) / (stability + step + 1)) ** 0.602
            point = np.clip(point + gain * (up - down) / (2 * reach) * signs, 0.0, 1.0)
        return Outcome(knowledge.classes[self.target], knowledge.low + span * best, reached)
