"""Slow and low: an attack at the pace of an ordinary client."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.nights import Nights
from detector.redteam.workloads.ordinary import OrdinaryTraffic

if TYPE_CHECKING:
    from detector.redteam.arrays import IntArray


@dataclass(slots=True)
class PatientClock:
    """A few queries a night, at the hours and in the bursts in which ordinary clients send theirs."""

    nightly: float
    """Mean queries a night, above 0."""
    rng: np.random.Generator
    now: int
    """UTC microseconds; nothing is sent before."""
    _ahead: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _habits: OrdinaryTraffic | None = None

    def times(self, count: int) -> IntArray:
        """Return the times of the next `count` queries, UTC microseconds."""
        while len(self._ahead) < count:
            self._ahead = np.concatenate([self._ahead, self._next_night()])
        times, self._ahead = np.split(self._ahead, [count])
        return times

    def _next_night(self) -> IntArray:
        if self._habits is None:
            self._habits = OrdinaryTraffic(self.nightly, busiest_hour=float(self.rng.normal(13.0, 3.0)) % 24)
        today = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self.now)
        night = Nights(today.date(), 1)
        arrivals = self._habits.arrivals(night, self.rng)
        later = arrivals[arrivals >= self.now]
        self.now = night.ends
        # Two sessions of one client may fall on the same microsecond; a sequential one cannot.
        return np.unique(later)
