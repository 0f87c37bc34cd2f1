"""When the next query is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import IntArray
    from detector.redteam.traffic import Pace


@dataclass(slots=True)
class PacedClock:
    """Queries one after the other, as fast as the client goes."""

    pace: Pace
    rng: np.random.Generator
    now: int
    """UTC microseconds of the latest query."""

    def times(self, count: int) -> IntArray:
        """Return the times of the next `count` queries (at least 1), UTC microseconds."""
        times = self.now + np.cumsum(self.pace.gaps(count, self.rng))
        self.now = int(times[-1])
        return times
