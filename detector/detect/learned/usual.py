"""What is usual for a model: measurements beside their deviation from those of its benign nights.

What is rare on one model is common on another: customers of a motion sensor send sliding windows, each a near copy of
the one before. Trees that see how far a window lies from its model's benign ones need not be told which model it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_WINDOWS = 30
# Of measurements that hardly vary the spread is chance; that of most is a share.
_LEAST_SPREAD = 0.02
_FURTHEST = 20.0


@dataclass(frozen=True)
class Usual:
    """Of each measurement, the middle and the spread over benign windows.

    Attributes:
        middle: float64 (F,), medians.
        spread: float64 (F,), distances between the quartiles, positive.
    """

    middle: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, benign: NDArray[np.float64]) -> Usual | None:
        """Learn from benign windows (n, F), NaN is null; None from fewer than FEWEST_WINDOWS."""
        if len(benign) < FEWEST_WINDOWS:
            return None
        quarters = np.full((3, benign.shape[1]), np.nan)
        known = ~np.isnan(benign).all(axis=0)
        quarters[:, known] = np.nanquantile(benign[:, known], (0.25, 0.5, 0.75), axis=0)
        return cls(quarters[1], np.maximum(quarters[2] - quarters[0], _LEAST_SPREAD))


def beside(rows: NDArray[np.float64], usual: Usual | None) -> NDArray[np.float64]:
    """Return measurements (n, F) with their deviations from what is usual, in spreads: (n, 2F); null without it."""
    if usual is None:
        return np.concatenate([rows, np.full(rows.shape, np.nan)], axis=1)
    deviations = np.clip((rows - usual.middle) / usual.spread, -_FURTHEST, _FURTHEST)
    return np.concatenate([rows, deviations], axis=1)
