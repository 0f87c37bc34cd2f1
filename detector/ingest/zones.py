"""Time zones by name."""

from __future__ import annotations

from detector.errors import UsageError


def check_zone(zone: str | None) -> None:
    """Do nothing if there is such a zone, or none was named.

    Raises:
        UsageError: there is no such zone.
    """
    if zone is None:
        return
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"there is no time zone {zone!r}", expected="an IANA name such as Europe/Berlin") from error
