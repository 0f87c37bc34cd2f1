"""Simulated time: UTC microseconds, counted in nights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from detector.errors import SimulationError

if TYPE_CHECKING:
    from detector.redteam.arrays import IntArray

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NIGHT = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Nights:
    """The nights of a drill, each a UTC day."""

    first: date
    """The first night."""
    count: int
    """How many nights, at least 1."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SimulationError(f"{self.count} nights", expected="at least 1")
        try:
            self.first + timedelta(days=self.count)
        except OverflowError as error:
            raise SimulationError(f"{self.count} nights from {self.first} leave the calendar") from error

    @property
    def begins(self) -> int:
        """The first microsecond of the first night."""
        midnight = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)
        return (midnight - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    @property
    def ends(self) -> int:
        """The first microsecond after the last night."""
        return self.midnight(self.count)

    def midnight(self, index: int) -> int:
        """Return the microsecond at which night `index` (from 0) begins."""
        return self.begins + index * NIGHT

    def later(self, skipped: int) -> Nights:
        """Return the nights without the first `skipped` of them, fewer than there are."""
        return Nights(self.first + timedelta(days=skipped), self.count - skipped)

    def dates(self) -> list[date]:
        """Return the nights' dates, oldest first."""
        return [self.first + timedelta(days=index) for index in range(self.count)]

    def index_of(self, times: IntArray) -> IntArray:
        """Return which night each of `times` (UTC microseconds) lies in, counted from 0."""
        return (times - self.begins) // NIGHT


def iso(times: IntArray) -> list[str]:
    """Return UTC microseconds as ISO-8601 with six decimals and a Z."""
    stamps = np.datetime_as_string(times.astype("datetime64[us]"), unit="us")
    return [f"{stamp}Z" for stamp in stamps.tolist()]
