"""Inversion one coordinate at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.climbing import Climb, Start
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class CoordinateInversion:
    """Climb one class's confidence by moving one column up or down, and keeping what helps.

    The exploratory moves of Hooke and Jeeves, "Direct Search Solution of Numerical and Statistical Problems", J. ACM
    8(2), 1961, in random order, with steps that are halved after a round without success; against confidence APIs in
    Guo, Gardner, You, Wilson and Weinberger, "Simple Black-box Adversarial Attacks", ICML 2019.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_coordinate"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 1_500
    """Queries."""
    step: float = 0.34
    """First step, as a share of each column's range."""
    finest: float = 0.02
    """Step below which it starts anew from other noise."""
    start: Start = "noise"
    """Where its searches begin."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        return Climb(oracle, knowledge, self.target, self.budget, rng, start=self.start).to_the_end(self._search)

    def _search(self, climb: Climb) -> None:
        point = climb.first()
        least = float(climb.losses(point[None])[0])
        step = self.step
        while step >= self.finest:
            before = least
            for column in climb.rng.permutation(climb.width):
                point, least = _explored(climb, point, least, column, step)
            step = step if least < before else step / 2


def _explored(climb: Climb, point: FloatArray, least: float, column: int, step: float) -> tuple[FloatArray, float]:
    """Return the better neighbour of `point` along `column` and its loss, or `point` itself."""
    for sign in (1.0, -1.0):
        trial = point.copy()
        trial[column] = np.clip(point[column] + sign * step, 0.0, 1.0)
        if trial[column] == point[column]:
            continue
        loss = float(climb.losses(trial[None])[0])
        if loss < least:
            return trial, loss
    return point, least
