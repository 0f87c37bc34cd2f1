"""Numbers and times as a reader wants them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detector.evidence.clock import moment
from detector.evidence.numbers import NONE, probability

if TYPE_CHECKING:
    from datetime import date, datetime

__all__ = ["NONE", "probability"]

_TECHNIQUES = {
    "inversion": "Model inversion",
    "attribute": "Attribute inference",
    "membership": "Membership inference",
    "extraction": "Model extraction",
    "evasion": "Query-based evasion",
    "probing": "Probing",
}

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def technique(value: str) -> str:
    """Return a technique as a reader calls it."""
    return _TECHNIQUES.get(value, value)


def within(text: str) -> str:
    """Return what begins a sentence as it stands within one."""
    return text[0].lower() + text[1:]


def count(number: float) -> str:
    """Return a whole number with thousands set apart."""
    return f"{int(number):,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a counted thing: 1 query, 2 queries."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: list[str] | tuple[str, ...]) -> str:
    """Return words as a list within a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def share(value: float) -> str:
    """Return a share as per cent; what is not all never reads 100 %."""
    if math.isnan(value):
        return NONE
    percent = 100 * value
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.0f} %" if percent == round(percent) or 10 <= percent < 99 else f"{percent:.1f} %"


def number(value: float | str | None) -> str:
    """Return a measured value with four significant digits, without exponent where it fits on a line."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return NONE
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.2e}" if abs(value) >= 1e7 or abs(value) < 1e-4 else f"{value:,.4g}"


def one_in(p: float) -> str:
    """Return a small probability as "about 1 in 50,000"."""
    if p <= 0:
        return "none of the benign windows measured"
    if p > 0.1:
        return f"{p:.0%} of benign windows"
    digits = 10 ** max(0, math.floor(-math.log10(p)) - 1)
    return f"about 1 in {round(1 / p / digits) * digits:,} benign windows"


def size(number_of_bytes: int) -> str:
    """Return a size in the unit that gives it one to three digits."""
    value, unit = float(number_of_bytes), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:,.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def day(night: date) -> str:
    """Return a date as a reader says it."""
    return f"{night.day} {night:%B %Y}"


def clock(ts: int) -> str:
    """Return the time of day of UTC microseconds, to the millisecond."""
    return f"{moment(ts):%H:%M:%S}.{ts % _SECOND // 1000:03d}"


def stamp(ts: int) -> str:
    """Return UTC microseconds in full."""
    return f"{moment(ts):%Y-%m-%dT%H:%M:%S.%f}Z"


def minute(at: datetime) -> str:
    """Return a moment to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def span(first: int, last: int) -> str:
    """Return the stretch between two moments: the date once where it is the same."""
    begin, end = moment(first), moment(last)
    if begin.date() == end.date():
        return f"{day(begin.date())}, {begin:%H:%M:%S} to {end:%H:%M:%S} UTC"
    return f"{day(begin.date())}, {begin:%H:%M} to {day(end.date())}, {end:%H:%M} UTC"


def duration(first: int, last: int) -> str:
    """Return how long that is, in the largest unit that fits."""
    length = max(0, last - first)
    for unit, one, many in ((_DAY, "day", "days"), (_HOUR, "hour", "hours"), (_MINUTE, "minute", "minutes")):
        if length >= 2 * unit or (length >= unit and unit == _MINUTE):
            return plural(round(length / unit), one, many)
    return plural(max(1, round(length / _SECOND)), "second")
