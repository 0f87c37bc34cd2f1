"""Probabilities: as a reader wants them, and on the scale on which near certainty can be told apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_DOUBT = 1e-9
MOST_DECIMALS = 7
"""Digits after the point that single-precision numbers between 0 and 1 can hold."""
_NEARLY_ALL = 0.99
NONE = "—"
_SURE = 0.9999
_NEVER = 0.0001
_NEAR_ONE = 0.99
_NEAR_NOTHING = 0.01


def probability(value: float) -> str:
    """Return a probability with as many digits as it is worth: it reads 0 or 1 only where it is."""
    if math.isnan(value):
        return NONE
    if value in {0.0, 1.0}:
        return f"{value:.0f}"
    if value > _SURE:
        return "over 0.9999"
    if value < _NEVER:
        return "under 0.0001"
    return f"{value:.4f}" if value > _NEAR_ONE or value < _NEAR_NOTHING else f"{value:.3f}"


def odds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities as log-odds, which set apart what lies near 0 or 1; NaN stays NaN."""
    held = np.clip(np.asarray(values, dtype=np.float64), SMALLEST_DOUBT, 1 - SMALLEST_DOUBT)
    return np.asarray(np.log(held / (1 - held)))


def decimals(values: NDArray[np.floating]) -> int | None:
    """Return the digits after the point that nearly all of some probabilities were given to.

    Zeros and ones have as many digits as one likes and say nothing; None where there are no others.
    """
    known = np.unique(np.asarray(values, dtype=np.float32))
    known = known[(known > 0) & (known < 1)]
    if not len(known):
        return None
    for digits in range(1, MOST_DECIMALS):
        rounded = np.round(known.astype(np.float64), digits).astype(np.float32)
        if float(np.mean(rounded == known)) >= _NEARLY_ALL:
            return digits
    return MOST_DECIMALS
