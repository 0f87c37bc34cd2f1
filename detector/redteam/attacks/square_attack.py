"""Evasion by squares."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.evading import Chase
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import BoolArray, FloatArray
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.oracle import Oracle

# Shares of the queries spent on one source at which the squares get smaller by half.
_HALVINGS = np.array([0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8])


@dataclass(frozen=True, slots=True)
class SquareEvasion:
    """Mislead the model by moving random squares of an image, or runs of columns, by as much as is allowed.

    Andriushchenko, Croce, Flammarion and Hein, "Square Attack: A Query-Efficient Black-Box Adversarial Attack via
    Random Search", ECCV 2020, under the maximum norm. After each failure the next source may be moved farther, after
    each success less far.
    """

    technique: ClassVar[Technique] = "evasion"
    family: ClassVar[str] = "evade_square"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    budget: int = 1_500
    """Queries, spent on one natural input after the other."""
    each: int = 300
    """Most queries spent on one of them."""
    reach: float = 0.12
    """Largest move of any column at first, as a share of its range."""
    share: float = 0.3
    """Share of the columns in the first square."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        reach = self.reach

        def search(chase: Chase) -> None:
            nonlocal reach
            allowed, reach = reach, reach * 0.8
            self._search(chase, allowed)
            reach = allowed * 1.5

        return Chase(oracle, knowledge, self.budget, rng).to_the_end(search)

    def _search(self, chase: Chase, reach: float) -> None:
        rng, side = chase.rng, _side(chase.width)
        stripes = rng.choice([-reach, reach], size=side or chase.width)
        move: FloatArray = np.tile(stripes, side) if side else stripes
        margin = float(chase.margins(move[None])[0])
        for number in range(self.each - 1):
            share = self.share * 0.5 ** int((number / self.each > _HALVINGS).sum())
            trial = np.where(_window(chase.width, side, share, rng), rng.choice([-reach, reach]), move)
            shown = float(chase.margins(trial[None])[0])
            if shown < margin:
                move, margin = trial, shown


def _side(width: int) -> int:
    """Return the side of the square image that so many columns may be; 0 if they are none."""
    side = isqrt(width)
    return side if side * side == width and side > 3 else 0


def _window(width: int, side: int, share: float, rng: np.random.Generator) -> BoolArray:
    """Return which columns lie in a random square, or run, that covers about `share` of all, shape (width,)."""
    if not side:
        length = max(1, round(share * width))
        return (np.arange(width) - int(rng.integers(width))) % width < length
    length = max(1, round(share**0.5 * side))
    top, left = rng.integers(side - length + 1, size=2)
    inside = np.zeros((side, side), dtype=np.bool_)
    inside[top : top + length, left : left + length] = True
    return inside.ravel()
