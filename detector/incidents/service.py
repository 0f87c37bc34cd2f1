"""The stage's entry: a night's findings of a model become incidents, in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from detector.incidents.arrivals import prepare
from detector.incidents.building import withdrawn
from detector.incidents.gathering import gather
from detector.incidents.grouping import in_order, listed
from detector.incidents.history import Before, Pen
from detector.incidents.identity import identify
from detector.incidents.suppressing import settle
from detector.incidents.writing import differing, owned, write
from detector.store import incident_changes as changes
from detector.store import incidents as rows
from detector.store.incident_bodies import Event, EventKind, StoredFinding, StoredIncident, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection

    from detector.config import Settings
    from detector.incidents.grouping import Gathered
    from detector.model import Finding, Incident


def apply(
    connection: Connection,
    *,
    model: str,
    night: date,
    findings: Sequence[Finding],
    settings: Settings,
    as_of: datetime,
) -> tuple[Incident, ...]:
    """Replace what is stored of a model's night by `findings`, and bring the model's incidents up to date.

    The same findings a second time change nothing. The clients' windows of the night, where they are stored before this
    is called, give the members of pooled findings their exact query counts.

    Args:
        connection: an open transaction, which the caller commits.
        model: the served model.
        night: the night that was scanned.
        findings: all that was found in it, in any order.
        settings: the site's settings.
        as_of: the time of the scan, with a zone.

    Returns:
        The incidents with a finding in this night and those that the call changed, as they are now, the gravest first.

    Raises:
        IncidentError: a finding is of another model or night, or `as_of` has no zone.
    """
    pen = Pen(stamp(as_of))
    changes.lock(connection)
    settled = settle(connection, settings=settings, as_of=as_of)
    was = _read(connection, model, night)
    arrived = prepare(connection, model, night, findings)
    gathered = gather(connection, model, _loose(was, night, arrived), was.opened)
    named = identify(connection, gathered, was.opened, was.replaced)
    before = _before(was, gathered)
    groups = owned(named.groups, connection, as_of)
    tonight = [one for group in groups for one in group.findings if one.finding.night == night]
    changes.replace_night(connection, model, night, tonight)
    changes.assign(connection, [one for one in differing(groups, before) if one.finding.night != night])
    changed = write(
        connection,
        groups,
        before=before,
        settings=settings,
        pen=pen,
        others=[*(withdrawn(one) for one in named.emptied), *named.repointed],
        events=[_farewell(one.incident.id, before, pen) for one in named.emptied],
    )
    return rows.by_ids(connection, settled | changed | {str(one.incident_id) for one in tonight})


@dataclass(frozen=True)
class _Was:
    """What is stored before a night is replaced.

    Attributes:
        replaced: the night's findings.
        opened: the incidents that these belong to, by id: any of them may fall apart.
        findings: all the findings of these incidents.
    """

    replaced: tuple[StoredFinding, ...]
    opened: Mapping[str, StoredIncident]
    findings: tuple[StoredFinding, ...]


def _read(connection: Connection, model: str, night: date) -> _Was:
    replaced = rows.findings_of_night(connection, model, night)
    opened = rows.load_by_id(connection, {one.incident_id for one in replaced if one.incident_id})
    return _Was(replaced, opened, rows.findings_of(connection, opened))


def _loose(was: _Was, night: date, arrived: Iterable[StoredFinding]) -> tuple[StoredFinding, ...]:
    """Return the findings to be linked anew; those that the night had before still know their incident."""
    owner = {one.finding.id: one.incident_id for one in was.replaced}
    known = (replace(one, incident_id=owner.get(one.finding.id)) for one in arrived)
    return in_order([*(one for one in was.findings if one.finding.night != night), *known])


def _before(was: _Was, gathered: Sequence[Gathered]) -> Before:
    present = [one for group in gathered for one in group.findings]
    joined = [one for one in present if one.incident_id is not None and one.incident_id not in was.opened]
    return Before.of([*was.findings, *joined], present)


def _farewell(incident: str, before: Before, pen: Pen) -> Event:
    return pen.line(incident, EventKind.WITHDRAWN, f"no longer found: {listed(before.lost[incident])}")
