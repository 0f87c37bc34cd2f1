"""Named queries over suppressions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, insert, or_, select, update

from detector.errors import IncidentError
from detector.model import STILL_OPEN, EntityKind, IncidentStatus
from detector.store import tables
from detector.store.incident_bodies import clean
from detector.store.incidents import chunks, load_findings

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from detector.store.incident_bodies import StoredFinding

_FINDING = tables.finding.c
_INCIDENT = tables.incident.c
_TABLE = tables.suppression.c


@dataclass(frozen=True)
class Suppression:
    """What shall not alarm until a date: everything that matches all of the parts that are given.

    Attributes:
        id: number by which it is removed.
        rule: a rule's id.
        client: a client's id.
        network: a network in CIDR notation.
        until: the last day on which it holds.
        reason, author: why, and whose word it is.
        created_at: when, ISO-8601 UTC.
        removed_at, removed_by, removed_reason: when, by whom and why it was taken back, where it was.
    """

    id: int
    rule: str | None
    client: str | None
    network: str | None
    until: date
    reason: str
    author: str
    created_at: str
    removed_at: str | None = None
    removed_by: str | None = None
    removed_reason: str | None = None

    def holds(self, as_of: datetime) -> bool:
        """Return whether it mutes anything at a time; the whole of `until`, a UTC day, counts."""
        return self.removed_at is None and as_of.astimezone(UTC).date() <= self.until


def _read(row: Any) -> Suppression:  # noqa: ANN401 - a database row
    return Suppression(**{**row._mapping, "until": date.fromisoformat(row.until)})  # noqa: SLF001 - its public name


def suppressions(connection: Connection) -> tuple[Suppression, ...]:
    """Return every suppression ever made, oldest first."""
    return tuple(_read(row) for row in connection.execute(select(tables.suppression).order_by(_TABLE.id)))


def add_suppression(
    connection: Connection,
    *,
    rule: str | None,
    client: str | None,
    network: str | None,
    until: date,
    reason: str,
    author: str,
    created_at: str,
) -> Suppression:
    """Store a suppression and return it with its number."""
    statement = insert(tables.suppression).values(
        rule=rule if rule is None else clean(rule),
        client=client if client is None else clean(client),
        network=network,
        until=until.isoformat(),
        reason=clean(reason),
        author=clean(author),
        created_at=created_at,
    )
    key = connection.execute(statement).inserted_primary_key
    return _get(connection, int(key[0]) if key else 0)


def mark_removed(connection: Connection, number: int, *, at: str, by: str, reason: str | None) -> Suppression:
    """Note that a suppression was taken back and return it.

    Raises:
        IncidentError: there is no such suppression, or it was taken back before.
    """
    found = _get(connection, number)
    if found.removed_at is not None:
        raise IncidentError(f"suppression {number} was already removed by {found.removed_by} at {found.removed_at}")
    connection.execute(
        update(tables.suppression)
        .where(_TABLE.id == number)
        .values(removed_at=at, removed_by=clean(by), removed_reason=None if reason is None else clean(reason))
    )
    return _get(connection, number)


def lapsed_incidents(connection: Connection, as_of: datetime) -> frozenset[str]:
    """Return the incidents, other than closed ones, that hold a finding muted by what no longer holds."""
    return muted_by(connection, [one.id for one in suppressions(connection) if not one.holds(as_of)])


def muted_by(connection: Connection, numbers: Collection[int]) -> frozenset[str]:
    """Return the incidents, other than closed ones, that hold a finding muted by one of the suppressions."""
    return frozenset(
        key
        for part in chunks(numbers)
        for key in connection.execute(_affected(_FINDING.suppression_id.in_(part))).scalars()
    )


def findings_in_reach(
    connection: Connection, *, rule: str | None, client: str | None, network: str | None
) -> tuple[StoredFinding, ...]:
    """Return the findings of incidents, other than closed ones, among which are all that a suppression can match."""
    where: list[ColumnElement[bool]] = []
    if rule is not None:
        where.append(_FINDING.rule == rule)
    if client is not None:
        # Whether a pooled window rests on one client alone is for its body to say.
        where.append(or_(_FINDING.entity_id == client, _FINDING.entity_kind != str(EntityKind.CLIENT)))
    if network is not None:
        where.append(_FINDING.entity_kind == str(EntityKind.NETWORK))
    return load_findings(connection, _FINDING.incident_id.in_(_affected(*where)), *where)


def _affected(*where: ColumnElement[bool]) -> Select[str]:
    return (
        select(_INCIDENT.id)
        .join(tables.finding, _FINDING.incident_id == _INCIDENT.id)
        .where(_INCIDENT.status.in_([str(one) for one in (*STILL_OPEN, IncidentStatus.SUPPRESSED)]), *where)
        .distinct()
    )


def _get(connection: Connection, number: int) -> Suppression:
    # Neither database can compare with a number beyond 64 bits.
    row = None
    if 0 < number < 1 << 63:
        row = connection.execute(select(tables.suppression).where(_TABLE.id == number)).one_or_none()
    if row is None:
        raise IncidentError(
            f"there is no suppression {number}", expected="a number that `detector suppress list` shows"
        )
    return _read(row)
