"""When a job runs, and how fast: a cron job at two in the morning, a notebook after lunch, a monitor all day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.nights import HOUR, NIGHT, SECOND, Nights
from detector.redteam.traffic import Pace

if TYPE_CHECKING:
    from detector.redteam.arrays import IntArray

# The last moments of a night stay free, so that no pause carries a visit into the next.
_SPARE = HOUR // 2
_LATEST_HOUR = 22.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """At which hours a client runs its job, and in what rhythm it sends."""

    hours: tuple[float, ...]
    """UTC hours at which a visit starts, each 0 to 22, ascending."""
    page: int = 1
    """Queries sent in one go; the client pauses between pages."""
    gap_s: float = 0.1
    """Median seconds between two queries of a page."""
    pause_s: float = 0.0
    """Mean seconds between pages."""
    kept: float = 1.0
    """Share of visits, 0 to 1, that take place."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, visits: int = 1, kept: float = 0.85) -> Schedule:
        """Invent the habits of one client that runs its job `visits` times a day: by hand by day, or by a clock."""
        centre = rng.normal(14.0, 3.0) if rng.random() < 0.6 else rng.uniform(0.0, _LATEST_HOUR)
        if visits == 1:
            hours: tuple[float, ...] = (float(np.clip(centre, 0.0, _LATEST_HOUR)),)
        else:
            every = _LATEST_HOUR / visits
            first = float(rng.uniform(0.0, every))
            hours = tuple(first + number * every for number in range(visits))
        return cls(
            hours=hours,
            page=int(np.exp(rng.uniform(0.0, np.log(200.0)))),
            gap_s=float(np.exp(rng.uniform(np.log(0.01), np.log(0.8)))),
            pause_s=float(np.exp(rng.uniform(np.log(0.2), np.log(20.0)))),
            kept=kept,
        )

    def starts(self, nights: Nights, rng: np.random.Generator) -> list[int]:
        """Return when each visit starts, in UTC microseconds, in order; at least one takes place."""
        starts = [
            nights.midnight(night) + int(hour * HOUR) + int(rng.integers(300 * SECOND))
            for night in range(nights.count)
            for hour in self.hours
        ]
        taken = rng.random(len(starts)) < self.kept
        taken[int(rng.integers(len(starts)))] = True
        return [start for start, here in zip(starts, taken.tolist(), strict=True) if here]

    def times(self, start: int, count: int, nights: Nights, rng: np.random.Generator) -> IntArray:
        """Return when each of `count` queries of the visit at `start` is sent, in UTC microseconds, in order.

        A visit that would run past midnight is hurried up.
        """
        gaps = self.pace.gaps(count, rng).astype(np.float64)
        gaps[:: self.page] += rng.exponential(self.pause_s * SECOND, size=len(gaps[:: self.page]))
        elapsed = np.cumsum(gaps)
        room = self._room(start, nights)
        if count and elapsed[-1] > room:
            elapsed *= room / elapsed[-1]
        return start + elapsed.astype(np.int64)

    @property
    def pace(self) -> Pace:
        """The rhythm within a page."""
        return Pace(self.gap_s, pause_share=0.0)

    def pace_for(self, start: int, count: int, nights: Nights) -> Pace:
        """Return the rhythm of a client that waits for each answer and may ask `count` times from `start` on."""
        # Half of the room is left for the long tail of gaps and pauses.
        fits = 0.4 * self._room(start, nights) / SECOND / max(1, count)
        return Pace(min(self.gap_s, fits), pause_share=min(0.003, 0.01 * fits))

    @staticmethod
    def _room(start: int, nights: Nights) -> int:
        """Return the microseconds that a visit from `start` on may take, at least a second."""
        night = (start - nights.begins) // NIGHT
        return max(SECOND, nights.midnight(night + 1) - _SPARE - start)
