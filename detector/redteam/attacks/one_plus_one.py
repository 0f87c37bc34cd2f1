"""Inversion by a (1+1) evolution strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.oracle import Oracle

# Success rate at which the mutation strength stays, and how fast the estimate of that rate forgets.
_WANTED = 2 / 11
_MEMORY = 1 / 12


@dataclass(frozen=True, slots=True)
class OnePlusOneInversion:
    """Climb one class's confidence from random noise by mutation and selection.

    The goal is that of Fredrikson, Jha and Ristenpart, "Model Inversion Attacks that Exploit Confidence Information
    and Basic Countermeasures", CCS 2015: the input that the model holds to be most typical of a class. The search is
    the (1+1) evolution strategy with the one-fifth success rule of Rechenberg, "Evolutionsstrategie", 1973, smoothed as
    in Igel, Suttorp and Hansen, "A Computational Efficient Covariance Matrix Update and a (1+1)-CMA for Evolution
    Strategies", GECCO 2006, with its recommended constants and no covariance.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_oneplusone"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 1_500
    """Queries, the starting point included."""
    step: float = 0.02
    """First mutation strength, as a share of each column's range."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        span = knowledge.high - knowledge.low
        best = knowledge.low + span * rng.random(len(span))
        reached = float(oracle.ask(best[None]).probabilities[0, self.target])
        step, successes = self.step, _WANTED
        for _ in range(self.budget - 1):
            mutant = np.clip(best + step * span * rng.standard_normal(len(span)), knowledge.low, knowledge.high)
            confidence = float(oracle.ask(mutant[None]).probabilities[0, self.target])
            # A tie moves on too: five digits make plateaus, and standing still would shrink the steps to nothing.
            better = confidence >= reached
            if better:
                best, reached = mutant, confidence
            successes += _MEMORY * (better - successes)
            step *= float(np.exp((successes - _WANTED) / (1 - _WANTED) / (1 + len(span) / 2)))
        return Outcome(knowledge.classes[self.target], best, reached)
