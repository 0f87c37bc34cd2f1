"""Building incidents from groups and storing what changed, with the lines for their records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from detector.incidents.building import build, merged, without_findings
from detector.incidents.grouping import Group
from detector.incidents.history import Before, departures, lines
from detector.incidents.muting import mute
from detector.store import incident_changes as changes
from detector.store import incidents as rows
from detector.store.suppressions import suppressions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from detector.config import Settings
    from detector.incidents.history import Pen
    from detector.store.incident_bodies import Event, StoredFinding, StoredIncident


def owned(groups: Iterable[Group], connection: Connection, as_of: datetime) -> tuple[Group, ...]:
    """Return the groups with their findings marked: whose they are, and what mutes them at a time."""
    known = suppressions(connection)
    return tuple(
        replace(
            group,
            findings=tuple(replace(one, incident_id=group.id) for one in mute(group.findings, known, as_of)),
        )
        for group in groups
    )


def write(
    connection: Connection,
    groups: Sequence[Group],
    *,
    before: Before,
    settings: Settings,
    pen: Pen,
    others: Sequence[StoredIncident] = (),
    events: Sequence[Event] = (),
) -> frozenset[str]:
    """Store the incidents of groups whose findings are stored already; return the ids of those that changed.

    Args:
        connection: an open transaction.
        groups: marked by `owned`.
        before: what was stored of their findings.
        settings: the site's settings.
        pen: who writes into the records.
        others: further incidents to store as they are.
        events: further lines for the records.
    """
    changed = list(others)
    told: list[Event] = []
    for group in groups:
        after = without_findings(build(group, settings))
        if after != group.before:
            changed.append(after)
        changed += [merged(part, group.id) for part in group.parts]
        told += lines(group, after, before, pen)
    told += departures(groups, before, pen)
    changes.save(connection, changed)
    changes.record(connection, [*told, *events])
    return frozenset(stored.incident.id for stored in changed)


def differing(groups: Iterable[Group], before: Before) -> list[StoredFinding]:
    """Return the findings that were stored with another incident or under another mute than they have now."""
    return [
        stored
        for group in groups
        for stored in group.findings
        if before.owner.get(stored.finding.id) != stored.incident_id
        or before.mutes.get(stored.finding.id) != stored.suppression_id
    ]


def rebuild(
    connection: Connection, ids: Collection[str], *, settings: Settings, as_of: datetime, pen: Pen
) -> frozenset[str]:
    """Bring incidents up to date with the suppressions that hold at a time; return the ids of those that changed."""
    known = rows.load_by_id(connection, ids)
    findings: dict[str, list[StoredFinding]] = defaultdict(list)
    for stored in rows.findings_of(connection, ids):
        findings[str(stored.incident_id)].append(stored)
    made = owned((Group(key, tuple(findings[key]), known[key]) for key in sorted(findings)), connection, as_of)
    present = [stored for key in sorted(findings) for stored in findings[key]]
    before = Before.of(present, present)
    changes.assign(connection, differing(made, before))
    return write(connection, made, before=before, settings=settings, pen=pen)
