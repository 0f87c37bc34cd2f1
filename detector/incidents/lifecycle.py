"""What people decide about incidents, each decision with a name, a time and, where it matters, a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.errors import IncidentError
from detector.incidents.building import without_findings
from detector.incidents.history import Pen
from detector.incidents.suppressing import require
from detector.incidents.writing import rebuild
from detector.model import Incident, IncidentStatus
from detector.store import incident_changes as changes
from detector.store import incidents as rows
from detector.store.incident_bodies import EventKind, StoredIncident, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from detector.config import Settings


def acknowledge(
    connection: Connection, incident_id: str, *, by: str, as_of: datetime, reason: str | None = None
) -> Incident:
    """Note that somebody looks after an incident, which stays open.

    Raises:
        IncidentError: there is no such incident, or it is merged, closed or acknowledged already.
    """
    stored, pen = _take(connection, incident_id, by, as_of)
    if stored.standing is not IncidentStatus.OPEN or stored.withdrawn:
        raise _refused(stored, "an open incident")
    return _decide(connection, _standing(stored, IncidentStatus.ACKNOWLEDGED), EventKind.ACKNOWLEDGED, reason, pen)


def close(connection: Connection, incident_id: str, *, by: str, reason: str, as_of: datetime) -> Incident:
    """Close an incident; a finding in a later night, or one that makes it graver, opens it again.

    Raises:
        IncidentError: there is no such incident, it is merged or closed already, or the reason is missing.
    """
    require(reason, "reason")
    stored, pen = _take(connection, incident_id, by, as_of)
    if stored.standing is IncidentStatus.CLOSED or stored.withdrawn:
        raise _refused(stored, "an incident that is not closed")
    closed = replace(
        _standing(stored, IncidentStatus.CLOSED),
        closed_through=stored.incident.nights[-1],
        closed_severity=stored.incident.severity,
    )
    return _decide(connection, closed, EventKind.CLOSED, reason, pen)


def reopen(
    connection: Connection,
    incident_id: str,
    *,
    by: str,
    settings: Settings,
    as_of: datetime,
    reason: str | None = None,
) -> Incident:
    """Open a closed incident again, as its findings and the suppressions of today make it.

    Raises:
        IncidentError: there is no such incident, it is not closed, or no finding of it is left.
    """
    stored, pen = _take(connection, incident_id, by, as_of)
    if stored.standing is not IncidentStatus.CLOSED or stored.withdrawn:
        raise _refused(stored, "a closed incident that has findings")
    reopened = replace(_standing(stored, IncidentStatus.OPEN), closed_through=None, closed_severity=None)
    _decide(connection, reopened, EventKind.REOPENED, reason, pen)
    rebuild(connection, [stored.incident.id], settings=settings, as_of=as_of, pen=pen)
    return rows.get_incident(connection, stored.incident.id)


def note(connection: Connection, incident_id: str, *, by: str, text: str, as_of: datetime) -> Incident:
    """Add a line to an incident's record, whatever its status.

    Raises:
        IncidentError: there is no such incident, or the text or the author is missing.
    """
    require(text, "text")
    require(by, "author")
    incident = rows.get_incident(connection, incident_id)
    changes.record(connection, [Pen(stamp(as_of), by).line(incident.id, EventKind.NOTE, text)])
    return incident


def _take(connection: Connection, incident_id: str, by: str, as_of: datetime) -> tuple[StoredIncident, Pen]:
    """Return an incident, kept from changing until the commit, and the pen that writes its record."""
    require(by, "author")
    changes.lock(connection)
    stored = rows.get_stored(connection, incident_id)
    if stored.incident.status is IncidentStatus.MERGED:
        raise IncidentError(
            f"{stored.incident.id} was merged into {stored.incident.heir}", expected=f"{stored.incident.heir}"
        )
    return stored, Pen(stamp(as_of), by)


def _standing(stored: StoredIncident, standing: IncidentStatus) -> StoredIncident:
    # What is suppressed stays so: people's decisions show again when the suppression ends.
    hidden = stored.incident.status is IncidentStatus.SUPPRESSED and standing is not IncidentStatus.CLOSED
    status = IncidentStatus.SUPPRESSED if hidden else standing
    return replace(stored, incident=replace(stored.incident, status=status), standing=standing)


def _decide(connection: Connection, stored: StoredIncident, what: EventKind, reason: str | None, pen: Pen) -> Incident:
    changes.save(connection, [without_findings(stored)])
    changes.record(connection, [pen.line(stored.incident.id, what, reason)])
    return stored.incident


def _refused(stored: StoredIncident, expected: str) -> IncidentError:
    state = "has no finding left" if stored.withdrawn else f"is {stored.standing}"
    return IncidentError(f"{stored.incident.id} {state}", expected=expected)
