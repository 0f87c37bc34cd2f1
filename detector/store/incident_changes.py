"""What the incidents stage writes: findings of a night, incidents, lines of their records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from detector.store import tables
from detector.store.incident_bodies import clean, finding_body, incident_body
from detector.store.incidents import chunks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import BindParameter, Connection

    from detector.store.incident_bodies import Event, StoredFinding, StoredIncident

_FINDING = tables.finding.c
_INCIDENT = tables.incident.c


def lock(connection: Connection) -> None:
    """Take the right to write before anything is read, so that what is read stays true until the commit."""
    if connection.dialect.name == "sqlite":
        # An update that meets no row takes SQLite's one write lock all the same.
        connection.execute(update(tables.incident).where(_INCIDENT.id.is_(None)).values(heir=None))
    else:
        connection.exec_driver_sql("LOCK TABLE incident IN SHARE ROW EXCLUSIVE MODE")


def replace_night(connection: Connection, model: str, night: date, findings: Sequence[StoredFinding]) -> None:
    """Store `findings` instead of what was stored of the night."""
    where = (_FINDING.model == clean(model), _FINDING.night == night.isoformat())
    connection.execute(delete(tables.finding).where(*where))
    if findings:
        connection.execute(insert(tables.finding), [_finding_row(stored) for stored in findings])


def _finding_row(stored: StoredFinding) -> dict[str, object]:
    finding = stored.finding
    return {
        "id": clean(finding.id),
        "incident_id": stored.incident_id,
        "rule": clean(finding.rule),
        "level": str(finding.level),
        "technique": str(finding.technique),
        "model": clean(finding.model),
        "night": finding.night.isoformat(),
        "entity_kind": str(finding.entity_kind),
        "entity_id": clean(finding.entity_id),
        "suppression_id": stored.suppression_id,
        "body": finding_body(stored),
    }


def assign(connection: Connection, findings: Sequence[StoredFinding]) -> None:
    """Note for stored findings which incident they belong to and what mutes them."""
    rows = [
        {"key": clean(stored.finding.id), "owner": stored.incident_id, "mute": stored.suppression_id}
        for stored in findings
    ]
    statement = (
        update(tables.finding)
        .where(_FINDING.id == bindparam("key"))
        .values(incident_id=bindparam("owner"), suppression_id=bindparam("mute"))
    )
    if rows:
        connection.execute(statement, rows)


def save(connection: Connection, changed: Sequence[StoredIncident]) -> None:
    """Store incidents, new ones and known ones; where their reports lie stays as it is."""
    ids = [stored.incident.id for stored in changed]
    known = {
        one
        for part in chunks(ids)
        for one in connection.execute(select(_INCIDENT.id).where(_INCIDENT.id.in_(part))).scalars()
    }
    fresh = [_incident_row(stored) for stored in changed if stored.incident.id not in known]
    if fresh:
        connection.execute(insert(tables.incident), fresh)
    stale = [{**_incident_row(stored), "key": stored.incident.id} for stored in changed if stored.incident.id in known]
    if stale:
        columns: dict[str, BindParameter[object]] = {
            name: bindparam(name) for name in stale[0] if name not in {"key", "id"}
        }
        statement = update(tables.incident).where(_INCIDENT.id == bindparam("key")).values(columns)
        connection.execute(statement, [{k: v for k, v in row.items() if k != "id"} for row in stale])


def _incident_row(stored: StoredIncident) -> dict[str, object]:
    incident = stored.incident
    return {
        "id": incident.id,
        "status": str(incident.status),
        "severity": str(incident.severity),
        "technique": str(incident.technique),
        "model": clean(incident.model),
        "entity_kind": str(incident.entity_kind),
        "entity_id": clean(incident.entity_id),
        "first_night": incident.nights[0].isoformat(),
        "last_night": incident.nights[-1].isoformat(),
        "heir": incident.heir,
        "body": incident_body(stored),
    }


def record(connection: Connection, lines: Sequence[Event]) -> None:
    """Append to the incidents' records."""
    rows = [
        {
            "incident_id": e.incident_id,
            "at": e.at,
            "who": clean(e.who),
            "what": str(e.what),
            "why": e.why and clean(e.why),
        }
        for e in lines
    ]
    if rows:
        connection.execute(insert(tables.incident_event), rows)
