"""Nights as microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, time

DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def night_bounds(night: date, starts: time) -> tuple[int, int]:
    """Return the first microsecond of a night and the first one after it (UTC)."""
    begin = datetime.combine(night, starts, tzinfo=UTC)
    first = (begin - _EPOCH) // timedelta(microseconds=1)
    return first, first + DAY


def moment(ts: int) -> datetime:
    """Return UTC microseconds as a time."""
    return _EPOCH + timedelta(microseconds=int(ts))
