"""Incidents and suppressions as a person reads them on a terminal."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from detector.cli.terminal import safe, show
from detector.incidents.document import incident_document, moment
from detector.model import EntityKind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from detector.incidents.response import Tick
    from detector.model import Finding, Incident
    from detector.store.incident_bodies import Event
    from detector.store.suppressions import Suppression

# Other commands that print incidents find both forms here, JSON and table.
__all__ = ["incident_document", "page", "playbook", "suppressions", "table"]

_STYLE: Mapping[Severity, str] = {
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}
_ID_WIDTH = 40
_SENTENCE = 2000
_MOST_ROWS = 40
_MOST_VALUES = 6


def table(incidents: Sequence[Incident]) -> None:
    """Print a line for each incident."""
    if not incidents:
        show(Text("no incidents"))
        return
    grid = _grid("incident", "severity", "status", "technique", "model", "who", "nights", "queries", "score")
    for one in incidents:
        grid.add_row(
            Text(one.id),
            Text(one.severity, _STYLE[one.severity]),
            Text(one.status),
            Text(one.technique),
            Text(safe(one.model, _ID_WIDTH)),
            Text(_who(one)),
            Text(_nights(one)),
            Text(f"{one.query_count:,}"),
            Text(_score(one.score)),
        )
    show(grid, Text("1 incident" if len(incidents) == 1 else f"{len(incidents):,} incidents"))


def page(incident: Incident, reasons: Sequence[str], events: Sequence[Event]) -> None:
    """Print everything that is known of one incident."""
    head = Text(f"{incident.id}  ")
    head.append(incident.severity, _STYLE[incident.severity])
    head.append(f"  {incident.status}")
    if incident.heir:
        head.append(f" into {incident.heir}")
    facts = [
        head,
        Text(safe(incident.summary, _SENTENCE)),
        Text(f"seen     {moment(incident.first_ts)} to {moment(incident.last_ts)}"),
        Text(f"ATLAS    {safe(', '.join(incident.atlas), _SENTENCE) or 'none'}"),
        Text(f"report   {safe(incident.report, _SENTENCE) if incident.report else 'none'}"),
        *(Text(f"severity {safe(reason, _SENTENCE)}") for reason in reasons),
    ]
    show(*facts, Text(), _members(incident), Text(), _findings(incident), Text(), _record(events))


def playbook(listed: Sequence[Tick]) -> None:
    """Print a line for each step of the response."""
    grid = _grid("step", "stage", "state", "what")
    for one in listed:
        state = f"done {one.at} by {safe(one.by or '')}" if one.done else "to do"
        told = f"{one.step.text} Deadline: {one.step.deadline}." if one.step.deadline else one.step.text
        note = f" Noted: {safe(one.note, _SENTENCE)}" if one.note else ""
        grid.add_row(Text(one.step.id), Text(one.step.stage), Text(state), Text(told + note))
    show(grid, Text("Deadlines are named, not advised on: ask whoever answers for the law."))


def suppressions(found: Sequence[Suppression], as_of: datetime) -> None:
    """Print a line for each suppression."""
    if not found:
        show(Text("no suppressions"))
        return
    grid = _grid("id", "state", "rule", "client", "network", "until", "author", "reason")
    for one in found:
        state = "removed" if one.removed_at else ("active" if one.holds(as_of) else "expired")
        cells = (str(one.id), state, one.rule, one.client, one.network, one.until.isoformat(), one.author)
        grid.add_row(*(Text(safe(cell or "", _ID_WIDTH)) for cell in cells), Text(safe(one.reason, _SENTENCE)))
    show(grid)


def _grid(*columns: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        right = name in {"queries", "score", "id"}
        # Ids must be copied whole: they fold over lines where there is no room, and are never cut.
        grid.add_column(name, overflow="fold", no_wrap=name == "incident", justify="right" if right else "left")
    return grid


def _score(score: float) -> str:
    # Rounding up to 1.000 would claim a certainty that nothing has.
    return f"{math.floor(score * 1000) / 1000:.3f}"


def _who(incident: Incident) -> str:
    name = safe(incident.entity_id, _ID_WIDTH)
    if incident.entity_kind is EntityKind.CLIENT:
        return name
    number = len(incident.members)
    clients = "1 client" if number == 1 else f"{number:,} clients"
    return f"{incident.entity_kind} {name} ({clients})"


def _nights(incident: Incident) -> str:
    first, last = incident.nights[0], incident.nights[-1]
    return f"{first}" if first == last else f"{first} to {last} ({len(incident.nights)})"


def _members(incident: Incident) -> Table:
    grid = _grid("client", "severity", "nights", "queries")
    for member in incident.members[:_MOST_ROWS]:
        nights = f"{member.nights[0]} to {member.nights[-1]}" if len(member.nights) > 1 else f"{member.nights[0]}"
        grid.add_row(
            Text(safe(member.client)),
            Text(member.severity, _STYLE[member.severity]),
            Text(nights),
            Text(f"{member.query_count:,}"),
        )
    _tell_rest(grid, len(incident.members))
    return grid


def _findings(incident: Incident) -> Table:
    """Return the findings by rule: the one that measured most of it, and how often and where the rule spoke."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in incident.findings:
        by_rule[finding.rule].append(finding)
    rules = sorted(by_rule.values(), key=lambda found: (-max(one.level.rank for one in found), found[0].title))
    grid = _grid("level", "finding", "nights", "about", "measured", "rule")
    for found in rules[:_MOST_ROWS]:
        worst = max(found, key=lambda one: (one.level.rank, -1.0 if one.p is None else 1 - one.p))
        nights = sorted({one.night for one in found})
        about = {one.entity_id for one in found}
        grid.add_row(
            Text(worst.level, _STYLE[worst.level]),
            Text(safe(worst.title)),
            Text(f"{nights[0]}" if len(nights) == 1 else f"{nights[0]} to {nights[-1]}"),
            Text(safe(worst.entity_id, _ID_WIDTH) + (f" and {len(about) - 1:,} more" if len(about) > 1 else "")),
            Text(_measured(worst)),
            Text(safe(worst.rule)),
        )
    _tell_rest(grid, len(rules))
    return grid


def _measured(finding: Finding) -> str:
    parts = []
    for trigger in finding.trigger[:_MOST_VALUES]:
        value = f"{trigger.value:.4g}" if isinstance(trigger.value, (int, float)) else safe(trigger.value, _ID_WIDTH)
        parts.append(f"{safe(trigger.feature)} {value}")
    more = len(finding.trigger) - _MOST_VALUES
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def _record(events: Sequence[Event]) -> Table:
    grid = _grid("when", "who", "what", "why")
    for event in events:
        grid.add_row(Text(event.at), Text(safe(event.who)), Text(event.what), Text(safe(event.why or "", _SENTENCE)))
    return grid


def _tell_rest(grid: Table, number: int) -> None:
    if number > _MOST_ROWS:
        grid.add_row(Text(f"and {number - _MOST_ROWS:,} more; --json shows all"))
