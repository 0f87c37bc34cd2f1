"""Muting findings until a date: adding a suppression, taking it back, letting it expire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING

from detector.errors import IncidentError
from detector.incidents.history import Pen
from detector.incidents.muting import matches
from detector.incidents.writing import rebuild
from detector.model import IncidentStatus
from detector.store import incident_changes as changes
from detector.store import incidents as rows
from detector.store import suppressions as mutes
from detector.store.incident_bodies import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from detector.config import Settings
    from detector.model import Incident
    from detector.store.suppressions import Suppression


@dataclass(frozen=True)
class Reach:
    """What a suppression did.

    Attributes:
        suppression: the suppression.
        incidents: the incidents that it changed, as they are now.
    """

    suppression: Suppression
    incidents: tuple[Incident, ...]


def add(
    connection: Connection,
    *,
    until: date,
    reason: str,
    by: str,
    settings: Settings,
    as_of: datetime,
    rule: str | None = None,
    client: str | None = None,
    network: str | None = None,
) -> Reach:
    """Mute what matches all the given parts, from now to the end of a UTC day, in open incidents too.

    Args:
        connection: an open transaction.
        until: the last day on which it holds.
        reason: why.
        by: whose word it is.
        settings: the site's settings.
        as_of: the present, with a zone.
        rule: a rule's id.
        client: a client's id.
        network: a network in CIDR notation.

    Raises:
        IncidentError: no part is given, one cannot be read, `until` has passed, or reason or author is missing.
    """
    _check(rule, client, network)
    require(reason, "reason")
    require(by, "author")
    if as_of.astimezone(UTC).date() > until:
        raise IncidentError(f"{until} has passed", expected="a day from today on")
    changes.lock(connection)
    added = mutes.add_suppression(
        connection,
        rule=rule,
        client=client,
        network=network if network is None else _network(network),
        until=until,
        reason=reason,
        author=by,
        created_at=stamp(as_of),
    )
    near = mutes.findings_in_reach(connection, rule=added.rule, client=added.client, network=added.network)
    reached = {str(one.incident_id) for one in near if matches(added, one.finding)}
    pen = Pen(added.created_at, by, f"suppression {added.id} until {until}: {reason}")
    changed = rebuild(connection, reached, settings=settings, as_of=as_of, pen=pen)
    return Reach(added, rows.by_ids(connection, changed))


def _check(*parts: str | None) -> None:
    """Insist on at least one part, and on parts that can match."""
    if all(part is None for part in parts):
        raise IncidentError("a suppression of everything would blind the site", expected="a rule, client or network")
    if "" in parts:
        raise IncidentError("a rule, client or network without a name matches nothing")


def remove(connection: Connection, number: int, *, reason: str, by: str, settings: Settings, as_of: datetime) -> Reach:
    """Take a suppression back; what it muted alarms again at once.

    Raises:
        IncidentError: there is no such suppression, it was taken back before, or reason or author is missing.
    """
    require(reason, "reason")
    require(by, "author")
    changes.lock(connection)
    at = stamp(as_of)
    removed = mutes.mark_removed(connection, number, at=at, by=by, reason=reason)
    pen = Pen(at, by, f"suppression {number} removed: {reason}")
    reached = mutes.muted_by(connection, [number])
    changed = rebuild(connection, reached, settings=settings, as_of=as_of, pen=pen)
    return Reach(removed, rows.by_ids(connection, changed))


def settle(connection: Connection, *, settings: Settings, as_of: datetime) -> frozenset[str]:
    """Let what expired suppressions muted alarm again; return the ids of the incidents that changed.

    Every scan does this first. A run that finds nothing to scan does it too, or an expiry would wait for the next log.
    """
    lapsed = mutes.lapsed_incidents(connection, as_of)
    pen = Pen(stamp(as_of), cause="the suppression has expired")
    return rebuild(connection, lapsed, settings=settings, as_of=as_of, pen=pen)


def current(connection: Connection, incidents: Iterable[Incident], as_of: datetime) -> tuple[Incident, ...]:
    """Return incidents with the status that they have at a time, where only `settle` would bring the store up to it."""
    incidents = tuple(incidents)
    hidden = {one.id for one in incidents if one.status is IncidentStatus.SUPPRESSED}
    due = rows.load_by_id(connection, hidden & mutes.lapsed_incidents(connection, as_of) if hidden else ())
    return tuple(replace(one, status=due[one.id].standing) if one.id in due else one for one in incidents)


def require(text: str, what: str) -> None:
    """Insist on a text that says something.

    Raises:
        IncidentError: it is blank.
    """
    if not text.strip():
        raise IncidentError(f"the {what} is missing", expected=f"a {what} that another person will understand")


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise IncidentError(f"{text[:80]!r} is not a network", expected="CIDR notation like 10.1.2.0/24") from error
