"""The tables of an incident page: findings, sample queries, members, files, events."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from detector.model import Horizon, InputKind, Severity
from detector.report import rulebook, story, words
from detector.report.view import EventRow, FileRow, FindingView, MemberRow, QueryRow, QueryTable, TriggerRow
from detector.report.visible import name, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from detector.config import ClientSettings
    from detector.evidence.checklist import Dossier
    from detector.evidence.context import IncidentContext
    from detector.model import Finding, Incident, Trigger
    from detector.report.rulebook import Rulebook
    from detector.store.evidence import PinnedLine
    from detector.store.incident_bodies import Event

MAX_QUERIES = 2_000
ON_PAPER = 200
MAX_FINDINGS = 60
MAX_MEMBERS = 200
MAX_EVENTS = 200
_VALUES_SHOWN = 4
_LONGEST_INPUT = 90
_HASH_SHOWN = 16
_NAMED = 3
_HORIZONS = {Horizon.NIGHT: "that night alone", Horizon.TRAILING: "seven nights together"}


def findings(found: Sequence[Finding], book: Rulebook) -> tuple[FindingView, ...]:
    """Return findings, the gravest first; what a rule says of several windows of a night is told once."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in sorted(found, key=_gravest_first):
        key = (finding.rule, finding.entity_kind, finding.night)
        groups.setdefault(key, []).append(finding)
    return tuple(_finding(group, book) for group in list(groups.values())[:MAX_FINDINGS])


def _gravest_first(finding: Finding) -> tuple[object, ...]:
    return -finding.level.rank, finding.night, finding.rule, finding.horizon is not Horizon.NIGHT, finding.id


def _finding(group: Sequence[Finding], book: Rulebook) -> FindingView:
    finding = group[0]
    features = tuple(trigger.feature for trigger in finding.trigger)
    target = finding.segment.target
    stretch = words.span(finding.segment.first_ts, finding.segment.last_ts)
    about = list(dict.fromkeys(name(one.entity_id) for one in group))
    horizons = list(dict.fromkeys(_HORIZONS[one.horizon] for one in group))
    rarest = min((one.p for one in group if one.p is not None), default=None)
    return FindingView(
        title=name(finding.title, 200),
        rule=name(finding.rule),
        level=finding.level.value,
        technique=finding.technique.value,
        night=f"{finding.night.isoformat()}, {words.listed(horizons)}",
        entity=f"{finding.entity_kind.value} {_some(about)}",
        told=sentence(finding.sentence),
        rare=f"{words.one_in(rarest)} looks like this" if rarest is not None else "not measured",
        stretch=f"{stretch}, towards {name(target)}" if target is not None else stretch,
        triggers=_triggers(finding.trigger),
        innocent=book.causes(finding.rule, features),
        is_minor=finding.level is Severity.LOW,
    )


def _triggers(triggers: Sequence[Trigger]) -> tuple[TriggerRow, ...]:
    """Return a row a field: a correlation names each of its findings, which is one row too."""
    by_field: dict[str, list[Trigger]] = {}
    for trigger in triggers:
        by_field.setdefault(trigger.feature, []).append(trigger)
    return tuple(_trigger(group) for group in by_field.values())


def _trigger(group: Sequence[Trigger]) -> TriggerRow:
    first = group[0]
    values = list(dict.fromkeys(_told(one.value) for one in group))
    rare = words.one_in(10.0**-first.tail) if first.tail is not None else words.NONE
    return TriggerRow(name(first.feature), _some(values), _told(first.threshold), rare, rulebook.meaning(first.feature))


def _told(value: float | str | None) -> str:
    return name(value) if isinstance(value, str) else words.number(value)


def _some(texts: Sequence[str]) -> str:
    left = len(texts) - _NAMED
    return f"{', '.join(texts[:_NAMED])} and {left:,} more" if left > 0 else words.listed(list(texts))


def queries(dossier: Dossier, *, redact: bool, limit: int = MAX_QUERIES) -> QueryTable:
    """Return the telling queries, at most `limit`: the reconstructions, the first of each phase, evenly spaced ones."""
    context = dossier.context
    first = _first(context)
    rows = _sampled(np.arange(len(context.queries)), first, limit)
    printed = set(_sampled(np.array(rows, dtype=np.int64), first, ON_PAPER))
    phase = np.full(len(context.queries), -1, dtype=np.int64)
    for i, one in enumerate(dossier.phases):
        phase[one.rows] = i
    begun: set[int] = set()
    pins = {(pin.file_sha256, pin.line, pin.row_index): pin for pin in context.pinned}
    hashes = {file.id: file.sha256 for file in context.files}
    shown = []
    for row in rows:
        place = (hashes.get(int(context.queries.file_id[row]), ""), int(context.queries.line[row]))
        pin = pins.get((*place, int(context.queries.row_index[row])))
        own = int(phase[row])
        anchor = story.rows_key(own) if own >= 0 and own not in begun else ""
        begun.add(own)
        links = (anchor, story.key(own) if own >= 0 else "")
        shown.append(_query(context, int(row), pin, links, redact=redact, on_paper=row in printed))
    return QueryTable(
        rows=tuple(shown),
        picked=tuple(rows),
        told=_shown_of(len(shown), context.query_total),
        on_paper=sum(row.on_paper for row in shown),
        with_client=len(context.incident.clients) > 1,
        with_probability=any(row.probability != words.NONE for row in shown),
        with_input=not redact and any(row.input for row in shown),
    )


def _shown_of(shown: int, total: int) -> str:
    if shown >= total:
        return "All of them"
    return (
        f"{shown:,} of {words.plural(total, 'query', 'queries')}: where the climbs converged, the first of each phase, "
        "and evenly spaced ones; the rest is in the evidence bundle"
    )


def _first(context: IncidentContext) -> NDArray[np.int64]:
    """Return the queries that are shown before all others: where climbs converged, and the first of each phase."""
    best = [row for pursuit in context.pursuits for row in pursuit.best[:1]]
    best += [int(phase.rows[0]) for phase in context.phases]
    return np.unique(np.array(best, dtype=np.int64))


def _sampled(rows: NDArray[np.int64], first: NDArray[np.int64], limit: int) -> list[int]:
    """Return at most `limit` of ascending `rows`: `first`, and evenly spaced ones."""
    if len(rows) <= limit:
        return [int(row) for row in rows]
    chosen = first[:limit]
    others = np.setdiff1d(rows, chosen)
    even = others[np.linspace(0, len(others) - 1, limit - len(chosen)).astype(np.int64)]
    return [int(row) for row in np.union1d(even, chosen)]


def _query(
    context: IncidentContext,
    row: int,
    pin: PinnedLine | None,
    links: tuple[str, str],
    *,
    redact: bool,
    on_paper: bool,
) -> QueryRow:
    queries = context.queries
    file = context.file(int(queries.file_id[row]))
    place = f"{PurePath(file.path).name if file else 'unknown file'}:{queries.line[row]:,}".replace(",", "")
    if queries.row_index[row]:
        place += f" (part {queries.row_index[row] + 1})"
    label = queries.label[row]
    return QueryRow(
        anchor=links[0],
        phase=links[1],
        time=words.clock(int(queries.ts[row])),
        client=name(str(queries.client[row])),
        place=name(place),
        pattern=name(str(context.patterns[row])),
        label=name(str(label), 60) if label is not None else words.NONE,
        confidence=words.probability(float(queries.confidence[row])),
        probability=words.probability(_pursued(context, row)),
        input="" if redact else _input(context, row),
        sha256=(pin.raw_sha256 or "")[:_HASH_SHOWN] if pin is not None else "",
        on_paper=on_paper,
    )


def _pursued(context: IncidentContext, row: int) -> float:
    """Return the probability of the class that was being pursued with a query, NaN where none was or it is not told."""
    for pursuit in context.pursuits:
        place = int(np.searchsorted(pursuit.rows, row))
        if place < len(pursuit.rows) and pursuit.rows[place] == row:
            return float(pursuit.probability[place])
    return float("nan")


def _input(context: IncidentContext, row: int) -> str:
    vector, payload = context.inputs.vector(row), context.inputs.payload(row)
    if vector is not None:
        start = " ".join(f"{value:.3g}" for value in vector[:_VALUES_SHOWN])
        return f"{start} … ({len(vector):,} values)" if len(vector) > _VALUES_SHOWN else start
    if payload is None:
        return ""
    text = payload[: 4 * _LONGEST_INPUT].decode("utf-8", "replace")
    if context.inputs.kind is InputKind.RECORD and len(payload) <= 4 * _LONGEST_INPUT:
        text = _flat(text)
    return name(text, _LONGEST_INPUT)


def _flat(text: str) -> str:
    try:
        loaded = json.loads(text)
    except ValueError:
        return text
    return ", ".join(f"{key}: {value}" for key, value in loaded.items()) if isinstance(loaded, dict) else text


def members(incident: Incident, clients: Mapping[str, ClientSettings]) -> tuple[MemberRow, ...]:
    """Return the clients of the incident, those that sent most first."""
    ordered = sorted(incident.members, key=lambda member: (-member.query_count, member.client))
    return tuple(
        MemberRow(
            client=name(member.client),
            queries=words.count(member.query_count),
            nights=words.listed([night.isoformat() for night in member.nights[:3]])
            + (f" and {len(member.nights) - 3} more" if len(member.nights) > 3 else ""),
            severity=member.severity.value,
            workload=name(clients[member.client].workload) if member.client in clients else "",
        )
        for member in ordered[:MAX_MEMBERS]
    )


def events(lines: Sequence[Event]) -> tuple[EventRow, ...]:
    """Return the latest lines of the incident's record, in order of time."""
    return tuple(
        EventRow(one.at, name(one.who), one.what.value, sentence(one.why or "")) for one in lines[-MAX_EVENTS:]
    )


def files(context: IncidentContext) -> tuple[FileRow, ...]:
    """Return the log files that the evidence comes from."""
    lines = Counter(pin.file_sha256 for pin in context.pinned)
    return tuple(
        FileRow(
            path=name(file.path, 300),
            format=name(file.format),
            size=words.size(file.size_bytes),
            sha256=file.sha256,
            lines=words.count(lines[file.sha256]),
        )
        for file in context.files
    )
