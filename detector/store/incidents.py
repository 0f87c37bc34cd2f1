"""Named queries over findings, incidents and their events."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import ColumnElement, exists, func, select, tuple_, update

from detector.errors import IncidentError
from detector.model import STILL_OPEN, EntityKind, Incident, IncidentStatus, Severity
from detector.store import tables
from detector.store.incident_bodies import (
    Event,
    EventKind,
    StoredFinding,
    StoredIncident,
    clean,
    read_finding,
    read_incident,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import date

    from sqlalchemy import Connection

    from detector.model import Horizon

_FINDING = tables.finding.c
_INCIDENT = tables.incident.c
_EVENT = tables.incident_event.c
_WINDOW = tables.window.c

# SQLite binds at most 32,766 values a statement and PostgreSQL 65,535; short lists also plan faster.
_CHUNK = 500
_PREFIX = re.compile("(?:inc-)?([0-9a-f]{1,12})")

T = TypeVar("T")


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield `items` in lists short enough to be bound to one statement."""
    rest = iter(items)
    while part := list(islice(rest, _CHUNK)):
        yield part


# What other stages ask.


def list_incidents(
    connection: Connection,
    *,
    status: IncidentStatus | Collection[IncidentStatus] | None = None,
    model: str | None = None,
    night: date | None = None,
    severity_at_least: Severity | None = None,
) -> tuple[Incident, ...]:
    """Return the incidents that pass every filter given, the gravest first, then by first night and id.

    Args:
        connection: an open transaction.
        status: one status, or several of which any will do.
        model: the served model.
        night: a night in which the incident has a finding.
        severity_at_least: the lowest severity wanted.
    """
    where: list[ColumnElement[bool]] = []
    if status is not None:
        wanted = (status,) if isinstance(status, IncidentStatus) else tuple(status)
        where.append(_INCIDENT.status.in_([str(one) for one in wanted]))
    if model is not None:
        where.append(_INCIDENT.model == clean(model))
    if night is not None:
        in_night = exists().where(_FINDING.incident_id == _INCIDENT.id, _FINDING.night == night.isoformat())
        where.append(in_night)
    if severity_at_least is not None:
        where.append(_INCIDENT.severity.in_([str(one) for one in Severity if one.rank >= severity_at_least.rank]))
    return tuple(sorted((stored.incident for stored in load(connection, *where)), key=_gravest_first))


def by_ids(connection: Connection, ids: Collection[str]) -> tuple[Incident, ...]:
    """Return incidents by their full ids, the gravest first, then by first night and id."""
    found = (stored.incident for part in chunks(sorted(ids)) for stored in load(connection, _INCIDENT.id.in_(part)))
    return tuple(sorted(found, key=_gravest_first))


def _gravest_first(incident: Incident) -> tuple[int, date, str]:
    return -incident.severity.rank, incident.nights[0], incident.id


def get_stored(connection: Connection, incident_id: str) -> StoredIncident:
    """Return the incident of that id, or of the only id that begins so, with what its life cycle remembers.

    Raises:
        IncidentError: there is none, or there are several.
    """
    unknown = IncidentError(
        f"there is no incident {clean(incident_id)[:80]!r}", expected="an id that `detector incidents list` shows"
    )
    match = _PREFIX.fullmatch(incident_id.lower())
    if not match:
        raise unknown
    prefix = f"INC-{match[1]}"
    named = func.substr(_INCIDENT.id, 1, len(prefix)) == prefix
    found = connection.execute(select(_INCIDENT.id).where(named).order_by(_INCIDENT.id).limit(6)).scalars().all()
    if not found:
        raise unknown
    if len(found) > 1:
        raise IncidentError(f"several incidents begin with {prefix}: {', '.join(found)}", expected="more of its digits")
    return next(load(connection, _INCIDENT.id == found[0]))


def get_incident(connection: Connection, incident_id: str) -> Incident:
    """Return the incident of that id, or of the only id that begins so; a merged one names its heir.

    Raises:
        IncidentError: there is none, or there are several.
    """
    return get_stored(connection, incident_id).incident


def severity_reasons(connection: Connection, incident_id: str) -> tuple[str, ...]:
    """Return the sentences that say why an incident has its severity.

    Raises:
        IncidentError: there is no such incident, or there are several.
    """
    return get_stored(connection, incident_id).reasons


def events(connection: Connection, incident_id: str) -> tuple[Event, ...]:
    """Return an incident's record, oldest line first."""
    rows = connection.execute(
        select(tables.incident_event).where(_EVENT.incident_id == incident_id).order_by(_EVENT.id)
    )
    return tuple(Event(row.incident_id, row.at, row.who, EventKind(row.what), row.why) for row in rows)


def highest_open(connection: Connection, nights: Collection[tuple[str, date]]) -> Severity | None:
    """Return the highest severity among open incidents with an unmuted finding in one of the (model, night) pairs."""
    pairs = sorted({(clean(model), night.isoformat()) for model, night in nights})
    seen: set[Severity] = set()
    for part in chunks(pairs):
        statement = (
            select(_INCIDENT.severity)
            .join(tables.finding, _FINDING.incident_id == _INCIDENT.id)
            .where(
                _INCIDENT.status.in_([str(status) for status in STILL_OPEN]),
                _FINDING.suppression_id.is_(None),
                tuple_(_FINDING.model, _FINDING.night).in_(part),
            )
            .distinct()
        )
        seen.update(Severity(name) for name in connection.execute(statement).scalars())
    return max(seen, key=lambda severity: severity.rank, default=None)


def set_report(connection: Connection, incident_id: str, path: str | None) -> None:
    """Note where an incident's report lies, relative to the folder of the reports."""
    connection.execute(update(tables.incident).where(_INCIDENT.id == incident_id).values(report=path))


# What the incidents stage asks.


def load_findings(connection: Connection, *where: ColumnElement[bool]) -> tuple[StoredFinding, ...]:
    """Return the findings that meet every condition, in the order of `StoredFinding.order`."""
    rows = connection.execute(select(_FINDING.body, _FINDING.incident_id, _FINDING.suppression_id).where(*where))
    return tuple(sorted((read_finding(*row) for row in rows), key=lambda stored: stored.order))


def findings_of_night(connection: Connection, model: str, night: date) -> tuple[StoredFinding, ...]:
    """Return what is stored of one model's night."""
    return load_findings(connection, _FINDING.model == clean(model), _FINDING.night == night.isoformat())


def findings_of(connection: Connection, incidents: Collection[str]) -> tuple[StoredFinding, ...]:
    """Return the findings of several incidents."""
    parts = [load_findings(connection, _FINDING.incident_id.in_(part)) for part in chunks(sorted(incidents))]
    return tuple(sorted((stored for part in parts for stored in part), key=lambda stored: stored.order))


def load(connection: Connection, *where: ColumnElement[bool], bare: bool = False) -> Iterator[StoredIncident]:
    """Yield the incidents that meet every condition, by id; `bare` leaves their findings unread."""
    rows = connection.execute(select(tables.incident).where(*where).order_by(_INCIDENT.id)).all()
    by_incident: dict[str, list[StoredFinding]] = defaultdict(list)
    for stored in () if bare else findings_of(connection, [row.id for row in rows]):
        by_incident[str(stored.incident_id)].append(stored)
    for row in rows:
        yield read_incident(row, by_incident[row.id])


def load_by_id(connection: Connection, ids: Collection[str]) -> dict[str, StoredIncident]:
    """Return incidents without their findings, by id."""
    found = (stored for part in chunks(sorted(ids)) for stored in load(connection, _INCIDENT.id.in_(part), bare=True))
    return {stored.incident.id: stored for stored in found}


def load_near(connection: Connection, model: str, first: date, last: date) -> dict[str, StoredIncident]:
    """Return, without their findings, a model's incidents that have any and of which a night lies in the span."""
    near = load(
        connection,
        _INCIDENT.model == clean(model),
        _INCIDENT.status != str(IncidentStatus.MERGED),
        _INCIDENT.first_night <= last.isoformat(),
        _INCIDENT.last_night >= first.isoformat(),
        bare=True,
    )
    return {stored.incident.id: stored for stored in near if not stored.withdrawn}


def load_merged_into(connection: Connection, ids: Collection[str]) -> dict[str, StoredIncident]:
    """Return the incidents whose heir is one of `ids`."""
    parts = (load(connection, _INCIDENT.heir.in_(part), bare=True) for part in chunks(sorted(ids)))
    return {stored.incident.id: stored for part in parts for stored in part}


def window_counts(
    connection: Connection, model: str, night: date, horizon: Horizon, clients: Collection[str]
) -> Mapping[str, int]:
    """Return how many queries the clients' own windows of a night hold, as far as they are stored."""
    originals = {clean(client): client for client in clients}
    counts: dict[str, int] = {}
    for part in chunks(sorted(originals)):
        statement = select(_WINDOW.entity_id, _WINDOW.query_count).where(
            _WINDOW.model == clean(model),
            _WINDOW.night == night.isoformat(),
            _WINDOW.horizon == str(horizon),
            _WINDOW.entity_kind == str(EntityKind.CLIENT),
            _WINDOW.entity_id.in_(part),
        )
        counts.update({originals[row.entity_id]: row.query_count for row in connection.execute(statement)})
    return counts
