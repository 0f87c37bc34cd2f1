"""Inversion by finite differences and a quasi-Newton method."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle

_FLOOR = 1e-22


@dataclass(frozen=True, slots=True)
class FiniteDifferenceInversion:
    """Descend the cost of one class with gradients estimated one coordinate at a time.

    Gradient descent over numerical gradients of a confidence API is the black-box form of MI-Face in Fredrikson, Jha
    and Ristenpart, CCS 2015; the descent here is L-BFGS-B (Byrd, Lu, Nocedal and Zhu, "A Limited Memory Algorithm for
    Bound Constrained Optimization", SIAM J. Sci. Comput. 16, 1995), as scipy implements it.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_lbfgsb"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 1_300
    """Queries; it starts anew from other noise until they run out."""
    enough: float = 0.999
    """Confidence at which one descent has done its work."""
    difference: float = 0.02
    """Coordinate step, as a share of the column's range. The answers have five digits: scipy's 1e-8 would drown."""
    grid: float = 16.0
    """Units in each column's range; the first step of a descent is one unit long in all columns together."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        from scipy.optimize import Bounds, minimize

        unit = (knowledge.high - knowledge.low) / self.grid
        seen: list[tuple[float, FloatArray]] = []

        def cost(point: FloatArray) -> float:
            """Ask for `point`, in units of the grid, and return its cost."""
            if len(seen) >= self.budget:
                raise _SpentError
            confidence = float(oracle.ask((knowledge.low + unit * point)[None]).probabilities[0, self.target])
            seen.append((confidence, knowledge.low + unit * point))
            return -float(np.log(max(confidence, _FLOOR)))

        def enough(intermediate_result: OptimizeResult) -> None:
            """Stop the descent under way; scipy calls this by the name of its argument."""
            if intermediate_result.fun <= -np.log(self.enough):
                raise StopIteration

        with suppress(_SpentError):
            while True:
                minimize(
                    cost,
                    self.grid * rng.random(len(unit)),
                    method="L-BFGS-B",
                    bounds=Bounds(0.0, self.grid),
                    callback=enough,
                    options={"eps": self.difference * self.grid},
                )
        reached, best = max(seen, key=lambda pair: pair[0])
        return Outcome(knowledge.classes[self.target], best, reached)


class _SpentError(Exception):
    """The queries have run out in the middle of a descent."""
