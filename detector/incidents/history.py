"""The lines that a scan or a suppression adds to incidents' records: what differs between before and after."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.incidents.grouping import listed
from detector.incidents.standing import stand
from detector.model import IncidentStatus
from detector.store.incident_bodies import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detector.incidents.grouping import Group
    from detector.model import Finding
    from detector.store.incident_bodies import StoredFinding, StoredIncident

SCAN = "scan"


@dataclass(frozen=True)
class Before:
    """What was stored of the findings that a change touches.

    Attributes:
        owner: the incident that each finding belonged to, by finding id.
        mutes: what muted each finding, by finding id.
        lost: findings that are no more, by the incident that they belonged to.
    """

    owner: Mapping[str, str | None]
    mutes: Mapping[str, int | None]
    lost: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Iterable[StoredFinding], now: Iterable[StoredFinding]) -> Before:
        """Return what `stored` says, where `now` is what there is afterwards."""
        stored = tuple(stored)
        present = {one.finding.id for one in now}
        lost: dict[str, list[Finding]] = defaultdict(list)
        for one in stored:
            if one.finding.id not in present and one.incident_id is not None:
                lost[one.incident_id].append(one.finding)
        return cls(
            owner={one.finding.id: one.incident_id for one in stored},
            mutes={one.finding.id: one.suppression_id for one in stored},
            lost={key: tuple(findings) for key, findings in lost.items()},
        )


@dataclass(frozen=True)
class Pen:
    """Who writes, when, and why where the cause lies outside the findings.

    Attributes:
        at: the time, ISO-8601 UTC.
        who: a person's name or "scan".
        cause: the reason given for muting or unmuting.
    """

    at: str
    who: str = SCAN
    cause: str | None = None

    def line(self, incident_id: str, what: EventKind, why: str | None) -> Event:
        """Return a line for an incident's record."""
        return Event(incident_id, self.at, self.who, what, why)


def lines(group: Group, after: StoredIncident, before: Before, pen: Pen) -> list[Event]:
    """Return what to add to the record of a group's incident, and of the parts that it took over."""
    key = group.id
    added = [stored.finding for stored in group.findings if stored.finding.id not in before.owner]
    known = group.before
    what: list[tuple[EventKind, str]] = []
    if known is None:
        what.append((EventKind.OPENED, f"{listed(added)}; severity {after.incident.severity}"))
        if after.incident.status is IncidentStatus.SUPPRESSED:
            what.append((EventKind.SUPPRESSED, "every finding is muted"))
        return [pen.line(key, kind, why) for kind, why in what]
    if added:
        what.append((EventKind.FINDING_ADDED, listed(added)))
    if key in before.lost:
        what.append((EventKind.FINDING_WITHDRAWN, f"no longer found: {listed(before.lost[key])}"))
    what += [(EventKind.MERGED, f"took over {part.incident.id}") for part in group.parts]
    if known.incident.status is IncidentStatus.MERGED:
        kind = EventKind.NOTE if after.standing is IncidentStatus.CLOSED else EventKind.REOPENED
        what.append((kind, f"stands alone again: what joined it to {known.incident.heir} is no longer found"))
    elif known.withdrawn and after.standing is not IncidentStatus.CLOSED:
        what.append((EventKind.REOPENED, "found again"))
    elif reopened := stand(group, after.incident.severity).reopened:
        what.append((EventKind.REOPENED, reopened))
    if known.incident.severity is not after.incident.severity:
        change = f"{known.incident.severity} -> {after.incident.severity}"
        what.append((EventKind.SEVERITY_CHANGED, f"{change}: {'; '.join(after.reasons)}"))
    what += _muting(group, before, pen)
    own = [pen.line(key, kind, why) for kind, why in what]
    return own + [pen.line(part.incident.id, EventKind.MERGED, f"into {key}") for part in group.parts]


def departures(groups: Iterable[Group], before: Before, pen: Pen) -> list[Event]:
    """Return a line for each incident that goes on without some of its findings, which are another one's now."""
    moved: dict[tuple[str, str], int] = defaultdict(int)
    for group in groups:
        taken = {part.incident.id for part in group.parts}
        for stored in group.findings:
            owner = before.owner.get(stored.finding.id)
            if owner is not None and owner != group.id and owner not in taken:
                moved[owner, group.id] += 1
    return [
        pen.line(owner, EventKind.NOTE, f"{_count(number)} now {'belongs' if number == 1 else 'belong'} to {heir}")
        for (owner, heir), number in sorted(moved.items())
    ]


def _count(number: int) -> str:
    return "1 finding" if number == 1 else f"{number:,} findings"


def _muting(group: Group, before: Before, pen: Pen) -> list[tuple[EventKind, str]]:
    """Return what changed for findings that were there before: new ones arrive muted without a word."""
    old = {stored.finding.id: stored for stored in group.findings if stored.finding.id in before.owner}
    now = {key for key, stored in old.items() if stored.suppression_id is not None}
    then = {key for key in old if before.mutes[key] is not None}
    cause = f": {pen.cause}" if pen.cause else ""
    what = []
    if now - then:
        what.append((EventKind.SUPPRESSED, f"{len(now - then):,} of {_count(len(group.findings))} muted{cause}"))
    if then - now:
        what.append((EventKind.UNSUPPRESSED, f"{_count(len(then - now))} no longer muted{cause}"))
    return what
