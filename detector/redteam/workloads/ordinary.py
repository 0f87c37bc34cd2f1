"""Clients that classify what they come across."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.nights import HOUR, NIGHT, SECOND, Nights
from detector.redteam.recorder import refusals
from detector.redteam.traffic import Asking, Plan

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class OrdinaryTraffic:
    """Bursts of unrelated records, mostly by day.

    A client has a share of the world's records (its own customers), works in sessions, and keeps hours around a
    busiest one.
    """

    family: ClassVar[str] = "benign_ordinary"

    volume: float
    """Mean queries a night, above 0."""
    busiest_hour: float = 13.0
    """UTC hour, 0 to 24, around which its day lies."""
    night_share: float = 0.15
    """Activity at the quietest hour as a share of that at the busiest, 0 to 1."""
    session: float = 12.0
    """Mean queries in one burst, 1 or more."""
    gap_s: float = 6.0
    """Mean seconds between two queries of a burst."""
    asking: Asking = field(default_factory=Asking)
    refused: float = 0.004
    """Share of queries that the service refuses."""
    tail: float | None = None
    """Exponent, above 1, of a burst's heavy-tailed size and of a gap's; None for geometric bursts, exponential gaps."""
    weekend: float = 1.0
    """Volume on a Saturday or Sunday as a share of the other days'."""

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """See Workload."""
        times = self.arrivals(nights, rng)
        records = own_records(model, rng)
        inputs = model.vary(records[rng.integers(len(records), size=len(times))], rng)
        return Plan(times, inputs, refusals(len(times), self.refused, rng), self.asking)

    def arrivals(self, nights: Nights, rng: np.random.Generator) -> IntArray:
        """Return the times of all queries in UTC microseconds, in order."""
        hours = np.arange(24) + 0.5
        daylight = 0.5 * (1 + np.cos((hours - self.busiest_hour) * np.pi / 12))
        weight = self.night_share + (1 - self.night_share) * daylight
        times = [np.empty(0, dtype=np.int64)]
        for night in range(nights.count):
            free = nights.dates()[night].weekday() >= 5
            wanted = int(rng.poisson(self.volume * (self.weekend if free else 1.0)))
            bursts = self._bursts(wanted, rng)
            bursts = bursts[: int(np.searchsorted(np.cumsum(bursts), wanted)) + 1]
            starts = rng.choice(24, size=len(bursts), p=weight / weight.sum()) * HOUR
            starts = starts + rng.integers(HOUR, size=len(bursts))
            for start, size in zip(starts, bursts, strict=True):
                gaps = self._gaps(size, rng) * SECOND
                times.append(nights.midnight(night) + (start + np.cumsum(gaps).astype(np.int64)) % NIGHT)
        return np.sort(np.concatenate(times))

    def _bursts(self, count: int, rng: np.random.Generator) -> IntArray:
        """Draw `count` sizes of bursts, each 1 or more, with about the mean `session`."""
        if self.tail is None:
            return np.asarray(rng.geometric(1 / self.session, size=count), dtype=np.int64)
        excess = (self.session - 1) * (self.tail - 1) * rng.pareto(self.tail, size=count)
        return np.asarray(np.minimum(1 + excess, max(1.0, self.volume)), dtype=np.int64)

    def _gaps(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw `count` gaps in seconds with the mean `gap_s`."""
        if self.tail is None:
            return np.asarray(rng.exponential(self.gap_s, size=count))
        return np.asarray(np.minimum(self.gap_s * (self.tail - 1) * rng.pareto(self.tail, size=count), 3_600.0))


def own_records(model: TargetModel, rng: np.random.Generator) -> FloatArray:
    """Return the records that one client comes across, shape (n, width): a part of the field, some classes more."""
    taste = rng.dirichlet(np.full(len(model.classes), 2.0))[model.field.labels]
    size = min(len(model.field), int(rng.integers(60, 240)))
    chosen = rng.choice(len(model.field), size=size, replace=False, p=taste / taste.sum())
    return model.field.rows[chosen]
