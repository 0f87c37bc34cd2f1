"""What the store keeps of findings and incidents, and its JSON: the same bytes on every database."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from detector.errors import IncidentError
from detector.model import (
    EntityKind,
    Finding,
    Horizon,
    Incident,
    IncidentStatus,
    Member,
    Segment,
    Severity,
    Technique,
    Trigger,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class EventKind(StrEnum):
    """What can happen to an incident."""

    OPENED = "opened"
    FINDING_ADDED = "finding added"
    FINDING_WITHDRAWN = "finding withdrawn"
    SEVERITY_CHANGED = "severity changed"
    MERGED = "merged"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    REOPENED = "reopened"
    NOTE = "note"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    WITHDRAWN = "withdrawn"
    STEP_DONE = "step done"
    STEP_UNDONE = "step undone"


@dataclass(frozen=True)
class Event:
    """One line of an incident's append-only record.

    Attributes:
        incident_id: whose record.
        at: when, ISO-8601 UTC with microseconds.
        who: a person's name, or "scan".
        what: the kind.
        why: the reason given, or what the scan saw.
    """

    incident_id: str
    at: str
    who: str
    what: EventKind
    why: str | None = None


@dataclass(frozen=True)
class StoredFinding:
    """A finding with what the incidents stage decided about it when it came.

    Attributes:
        finding: as the detectors made it.
        joins: whether it ties together the incidents of its clients; a crowded network's does not.
        shares: for a pooled window, how many queries each of its clients sent in it.
        incident_id: the incident that it belongs to.
        suppression_id: the suppression that mutes it, where there is one.
    """

    finding: Finding
    joins: bool = True
    shares: tuple[tuple[str, int], ...] = ()
    incident_id: str | None = None
    suppression_id: int | None = None

    @property
    def order(self) -> tuple[date, int, str]:
        """Sort key: by night, then the highest level first, then id; the first of an incident is its seed."""
        return self.finding.night, -self.finding.level.rank, self.finding.id


@dataclass(frozen=True)
class StoredIncident:
    """An incident with what the life cycle must remember.

    Attributes:
        incident: as others see it; its findings are those that were loaded with it.
        standing: what people decided (open, acknowledged, closed), whatever suppressions and merges make of it.
        seed: id of the finding that opened it.
        keys: the clients and networks by which later findings can join it.
        reasons: why its severity is what it is.
        withdrawn: a re-scan left it without findings.
        closed_through: its last night when it was closed.
        closed_severity: its severity when it was closed.
    """

    incident: Incident
    standing: IncidentStatus
    seed: str
    keys: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    withdrawn: bool = False
    closed_through: date | None = None
    closed_severity: Severity | None = None


def clean(text: str) -> str:
    """Return `text` as a column can hold it: NUL and lone surrogates spelled out."""
    return _UNSTORABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def stamp(moment: datetime) -> str:
    """Return `moment` as ISO-8601 UTC with microseconds.

    Raises:
        IncidentError: it has no zone.
    """
    if moment.tzinfo is None:
        raise IncidentError("a time without a zone says nothing", expected="a time in UTC")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def canonical(value: object) -> str:
    """Return `value` as JSON of which there is only one spelling, storable in both databases."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain_number
    )
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain_number(value: Any) -> object:  # noqa: ANN401 - whatever json could not write
    # numpy's scalars reach the triggers of findings; their item() is the plain Python number.
    return _finite(value.item()) if hasattr(value, "item") else str(value)


def _finite(value: float | str | None) -> float | str | None:
    """Return `value`, a number that JSON cannot write spelled out."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def finding_body(stored: StoredFinding) -> str:
    """Return the JSON kept of a finding."""
    finding = stored.finding
    segment = finding.segment
    return canonical(
        {
            "id": finding.id,
            "rule": finding.rule,
            "title": finding.title,
            "level": finding.level,
            "technique": finding.technique,
            "family": finding.family,
            "atlas": finding.atlas,
            "model": finding.model,
            "entity_kind": finding.entity_kind,
            "entity_id": finding.entity_id,
            "horizon": finding.horizon,
            "night": finding.night.isoformat(),
            "clients": finding.clients,
            "trigger": [
                [t.feature, _finite(t.value), _finite(t.threshold), _number_or_none(t.tail)] for t in finding.trigger
            ],
            "p": _number_or_none(finding.p),
            "sentence": finding.sentence,
            "query_count": finding.query_count,
            "segment": [segment.first_ts, segment.last_ts, segment.target],
            "baseline": finding.baseline,
            "explained_by": finding.explained_by,
            "joins": stored.joins,
            "shares": stored.shares,
        }
    )


def read_finding(body: str, incident_id: str | None, suppression_id: int | None) -> StoredFinding:
    """Return the finding whose JSON is `body`."""
    data = json.loads(body)
    finding = Finding(
        id=data["id"],
        rule=data["rule"],
        title=data["title"],
        level=Severity(data["level"]),
        technique=Technique(data["technique"]),
        family=data["family"],
        atlas=tuple(data["atlas"]),
        model=data["model"],
        entity_kind=EntityKind(data["entity_kind"]),
        entity_id=data["entity_id"],
        horizon=Horizon(data["horizon"]),
        night=date.fromisoformat(data["night"]),
        clients=tuple(data["clients"]),
        trigger=tuple(Trigger(*parts) for parts in data["trigger"]),
        p=data["p"],
        sentence=data["sentence"],
        query_count=data["query_count"],
        segment=Segment(*data["segment"]),
        baseline=data["baseline"],
        explained_by=data["explained_by"],
    )
    shares = tuple((client, count) for client, count in data["shares"])
    return StoredFinding(finding, data["joins"], shares, incident_id, suppression_id)


def incident_body(stored: StoredIncident) -> str:
    """Return the JSON kept of an incident: what its columns do not say."""
    incident = stored.incident
    return canonical(
        {
            "model": incident.model,
            "entity_id": incident.entity_id,
            "techniques": incident.techniques,
            "members": [[m.client, _dates(m.nights), m.query_count, m.severity] for m in incident.members],
            "first_ts": incident.first_ts,
            "last_ts": incident.last_ts,
            "nights": _dates(incident.nights),
            "query_count": incident.query_count,
            "score": incident.score,
            "atlas": incident.atlas,
            "summary": incident.summary,
            "standing": stored.standing,
            "seed": stored.seed,
            "keys": stored.keys,
            "reasons": stored.reasons,
            "withdrawn": stored.withdrawn,
            "closed_through": stored.closed_through.isoformat() if stored.closed_through else None,
            "closed_severity": stored.closed_severity,
        }
    )


def read_incident(row: Any, findings: Sequence[StoredFinding]) -> StoredIncident:  # noqa: ANN401 - a database row
    """Return the incident of a row of the table `incident`."""
    data = json.loads(row.body)
    incident = Incident(
        id=row.id,
        status=IncidentStatus(row.status),
        severity=Severity(row.severity),
        technique=Technique(row.technique),
        techniques=tuple(Technique(name) for name in data["techniques"]),
        model=data["model"],
        entity_kind=EntityKind(row.entity_kind),
        entity_id=data["entity_id"],
        members=tuple(Member(c, _read_dates(nights), count, Severity(s)) for c, nights, count, s in data["members"]),
        first_ts=data["first_ts"],
        last_ts=data["last_ts"],
        nights=_read_dates(data["nights"]),
        query_count=data["query_count"],
        score=data["score"],
        findings=tuple(stored.finding for stored in findings),
        atlas=tuple(data["atlas"]),
        summary=data["summary"],
        heir=row.heir,
        report=row.report,
    )
    return StoredIncident(
        incident=incident,
        standing=IncidentStatus(data["standing"]),
        seed=data["seed"],
        keys=tuple(data["keys"]),
        reasons=tuple(data["reasons"]),
        withdrawn=data["withdrawn"],
        closed_through=date.fromisoformat(data["closed_through"]) if data["closed_through"] else None,
        closed_severity=Severity(data["closed_severity"]) if data["closed_severity"] else None,
    )


def _dates(nights: Sequence[date]) -> list[str]:
    return [night.isoformat() for night in nights]


def _read_dates(texts: Sequence[str]) -> tuple[date, ...]:
    return tuple(date.fromisoformat(text) for text in texts)
