"""Times as text to UTC microseconds, a column at a time.

Accepted: ISO 8601 dates and times as RFC 3339 profiles them (`2026-11-10T03:14:15.926535Z`, a blank or `t` between
date and time, `.` or `,` before the fraction, seconds optional, zone `Z`, `+hh`, `+hhmm`, `+hh:mm` or `UTC`), and plain
decimal numbers where the layout says in which unit they count from 1970. Digits beyond the microsecond are cut off.
A 60th second is the first of the next minute.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TimeState(IntEnum):
    """What became of a text that should be a time."""

    READ = 0
    UNREADABLE = 1
    WITHOUT_ZONE = 2


_READ, _UNREADABLE, _WITHOUT_ZONE = 0, 1, 2
_DIGITS_OF_MICROSECOND = 6
_SHORTEST = len("2026-11-10T03:14")
_ZERO, _NINE, _DASH, _COLON, _DOT, _COMMA, _PLUS, _BLANK = 48, 57, 45, 58, 46, 44, 43, 32
_UPPER_T, _LOWER_T, _UPPER_Z, _LOWER_Z = 84, 116, 90, 122
_UTC, _GMT = np.frombuffer(b"UTC", np.uint8), np.frombuffer(b"GMT", np.uint8)
# Days before each month of a year that begins with March, so that the leap day comes last.
_MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000
_GREATEST = 253_402_300_800_000_000  # year 10000
# Ten times this and nine fit into 64 bits.
_MOST_BEFORE_A_DIGIT = 922_337_203_685_477_579
_LEAST = -62_135_596_800_000_000  # year 1


def parse_iso(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Read the texts `data[start:end]` as ISO 8601.

    Returns:
        UTC microseconds (local ones where no zone is named), and a `TimeState` each.
    """
    micros, state = np.zeros(len(start), np.int64), np.zeros(len(start), np.int8)
    _parse_iso(data, start, end, micros, state)
    return micros, state


def parse_epoch(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], digits: int
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Read the texts `data[start:end]` as decimal numbers since 1970, in units of 10^-`digits` seconds.

    Returns:
        UTC microseconds, rounded down, and a `TimeState` each.
    """
    micros, state = np.zeros(len(start), np.int64), np.zeros(len(start), np.int8)
    _parse_epoch(data, start, end, digits, micros, state)
    return micros, state


@inner
def _number(data, at, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Read `count` digits; -1 if one of them is none."""
    value = np.int64(0)
    for k in range(count):
        digit = np.int64(data[at + k]) - _ZERO
        if digit < 0 or digit > 9:
            value = np.int64(-1)
            break
        value = value * 10 + digit
    return value


@inner
def _days(year, month, day):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Days from 1970-01-01 in the proleptic Gregorian calendar, in eras of 400 years that begin with March."""
    y = year - (1 if month <= 2 else 0)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@inner
def _date(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return (day number, whether it is a date)."""
    year, month, day = _number(data, at, 4), _number(data, at + 5, 2), _number(data, at + 8, 2)
    fits = year >= 1 and 1 <= month <= 12 and day >= 1 and data[at + 4] == _DASH and data[at + 7] == _DASH
    if fits:
        leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        fits = day <= _MONTH_DAYS[month - 1] + (1 if leap else 0)
    return (_days(year, month, day) if fits else 0), fits


@inner
def _clock(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return (microseconds of the day, where the zone begins); the second is -1 if it is not a time of day."""
    hour, minute = _number(data, at, 2), _number(data, at + 3, 2)
    micros, nxt = 0, -1
    if 0 <= hour <= 23 and data[at + 2] == _COLON and 0 <= minute <= 59:
        micros, nxt = hour * _HOUR + minute * _MINUTE, at + 5
        if nxt < end and data[nxt] == _COLON:
            second = _number(data, nxt + 1, 2) if nxt + 3 <= end else -1
            nxt = nxt + 3 if 0 <= second <= 60 else -1
            micros += second * 1_000_000
            if 0 <= nxt < end and (data[nxt] == _DOT or data[nxt] == _COMMA):
                nxt += 1
                first, scale = nxt, 100_000
                while nxt < end and _ZERO <= data[nxt] <= _NINE:
                    micros += (np.int64(data[nxt]) - _ZERO) * scale
                    scale //= 10
                    nxt += 1
                if nxt == first:
                    nxt = -1
    return micros, nxt


@inner
def _zone(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901 - one branch a form
    """Return (offset in microseconds, state)."""
    offset, state = 0, _UNREADABLE
    left = end - at
    if left == 0:
        state = _WITHOUT_ZONE
    elif left == 1 and (data[at] == _UPPER_Z or data[at] == _LOWER_Z):
        state = _READ
    elif data[at] == _PLUS or data[at] == _DASH:
        hour, minute = (_number(data, at + 1, 2) if left >= 3 else -1), 0
        if left == 5:
            minute = _number(data, at + 3, 2)
        elif left == 6:
            minute = _number(data, at + 4, 2) if data[at + 3] == _COLON else -1
        elif left != 3:
            minute = -1
        if 0 <= hour <= 23 and 0 <= minute <= 59:
            offset, state = hour * _HOUR + minute * _MINUTE, _READ
            if data[at] == _DASH:
                offset = -offset
    elif left == 3:
        utc, gmt = True, True
        for k in range(3):
            utc = utc and data[at + k] == _UTC[k]
            gmt = gmt and data[at + k] == _GMT[k]
        state = _READ if utc or gmt else _UNREADABLE
    return offset, state


@kernel
def _parse_iso(data, start, end, micros, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(len(start)):
        at, stop = start[i], end[i]
        while at < stop and data[at] == _BLANK:
            at += 1
        while stop > at and data[stop - 1] == _BLANK:
            stop -= 1
        state[i] = _UNREADABLE
        if stop - at < _SHORTEST:
            continue
        between = data[at + 10]
        day, fits = _date(data, at)
        if not fits or (between != _UPPER_T and between != _LOWER_T and between != _BLANK):  # noqa: PLR1714
            continue
        of_day, zone_at = _clock(data, at + 11, stop)
        if zone_at < 0:
            continue
        if zone_at < stop and data[zone_at] == _BLANK:
            zone_at += 1
        offset, state[i] = _zone(data, zone_at, stop)
        micros[i] = day * _DAY + of_day - offset


@kernel
def _parse_epoch(data, start, end, digits, micros, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901
    for i in range(len(start)):
        at, stop = start[i], end[i]
        state[i] = _UNREADABLE
        negative = at < stop and data[at] == _DASH
        if negative:
            at += 1
        # `point` counts the decimal places to the left of the point once it is met; we want 6 beyond the second.
        value, places, seen, fraction, lost = np.int64(0), digits, 0, False, False
        while at < stop:
            octet = data[at]
            at += 1
            if octet == _DOT and not fraction:
                fraction = True
                continue
            if octet < _ZERO or octet > _NINE:
                seen = -1
                break
            seen += 1
            if fraction and places >= _DIGITS_OF_MICROSECOND:
                lost = lost or octet != _ZERO
                continue
            if value > _MOST_BEFORE_A_DIGIT:
                seen = -1
                break
            value = value * 10 + (np.int64(octet) - _ZERO)
            places += 1 if fraction else 0
        while places < _DIGITS_OF_MICROSECOND and 0 <= value <= _MOST_BEFORE_A_DIGIT:
            value *= 10
            places += 1
        scale = 1
        while places > _DIGITS_OF_MICROSECOND:
            scale *= 10
            places -= 1
        if negative:
            value = -value - (1 if lost else 0)
        value //= scale
        if seen > 0 and places == _DIGITS_OF_MICROSECOND and _LEAST <= value < _GREATEST:
            micros[i] = value
            state[i] = _READ
