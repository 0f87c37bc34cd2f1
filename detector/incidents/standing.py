"""What becomes of people's decisions when findings come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.incidents.echoes import without_echoes
from detector.incidents.grouping import listed
from detector.model import Finding, IncidentStatus, Severity

if TYPE_CHECKING:
    from datetime import date

    from detector.incidents.grouping import Group


@dataclass(frozen=True)
class Standing:
    """What people decided of an incident, and up to where that goes.

    Attributes:
        status: open, acknowledged or closed.
        through: its last night when it was closed.
        severity: its severity when it was closed.
        reopened: why it is open although it was closed.
    """

    status: IncidentStatus
    through: date | None = None
    severity: Severity | None = None
    reopened: str | None = None


def stand(group: Group, severity: Severity) -> Standing:
    """Return how a group's incident stands.

    What was closed stays closed while nothing says more than was known then: no unmuted finding in a later night, other
    than an echo, and no graver incident. A closed incident joined with one that is not is open.
    """
    closed = [one for one in group.sources if one.standing is IncidentStatus.CLOSED]
    others = [one for one in group.sources if one.standing is not IncidentStatus.CLOSED]
    if not group.before or group.before not in closed:
        kept = group.before is not None and group.before.standing is IncidentStatus.ACKNOWLEDGED
        return Standing(IncidentStatus.ACKNOWLEDGED if kept else IncidentStatus.OPEN)
    if others:
        names = ", ".join(one.incident.id for one in others)
        return Standing(IncidentStatus.OPEN, reopened=f"joined with {names}, not closed")
    later = _later(group)
    if later:
        return Standing(IncidentStatus.OPEN, reopened=f"since it was closed: {listed(later)}")
    gravest = Severity.at(max(one.closed_severity.rank for one in closed if one.closed_severity))
    if group.loud and severity.rank > gravest.rank:
        return Standing(IncidentStatus.OPEN, reopened=f"{severity}, and {gravest} when it was closed")
    through = max(one.closed_through for one in closed if one.closed_through)
    return Standing(IncidentStatus.CLOSED, through, gravest)


def _later(group: Group) -> list[Finding]:
    """Return what is not muted and says something new of a night that those who closed did not know."""
    bounds = [(one, one.closed_through) for one in group.sources if one.closed_through]
    first = min(through for _, through in bounds)
    # Incidents joined with each other may have been closed at different nights; what each had then was known.
    known = {night for one, through in bounds for night in one.incident.nights if night <= through}
    loud = {stored.finding.id for stored in group.loud}
    new = without_echoes(stored.finding for stored in group.findings)
    return [one for one in new if one.id in loud and one.night > first and one.night not in known]
