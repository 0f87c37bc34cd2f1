"""An incident as the JSON that other people's scripts read: names and shapes are a contract."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from detector.store.incident_bodies import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.incidents.response import Tick
    from detector.model import Finding, Incident
    from detector.store.incident_bodies import Event
    from detector.store.suppressions import Suppression

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def moment(micros: int) -> str:
    """Return UTC microseconds as ISO-8601, held within the years that can be written."""
    try:
        return stamp(_EPOCH + timedelta(microseconds=micros))
    except OverflowError:
        return stamp(_LATEST if micros > 0 else _EARLIEST)


def incident_document(incident: Incident) -> dict[str, object]:
    """Return what `detector incidents list --json` says of an incident."""
    return {
        "id": incident.id,
        "status": str(incident.status),
        "severity": str(incident.severity),
        "technique": str(incident.technique),
        "techniques": [str(technique) for technique in incident.techniques],
        "model": incident.model,
        "entity_kind": str(incident.entity_kind),
        "entity_id": incident.entity_id,
        "clients": list(incident.clients),
        "members": [
            {
                "client": member.client,
                "nights": [night.isoformat() for night in member.nights],
                "query_count": member.query_count,
                "severity": str(member.severity),
            }
            for member in incident.members
        ],
        "first_seen": moment(incident.first_ts),
        "last_seen": moment(incident.last_ts),
        "nights": [night.isoformat() for night in incident.nights],
        "query_count": incident.query_count,
        "score": incident.score,
        "findings": [
            {
                "rule": finding.rule,
                "level": str(finding.level),
                "night": finding.night.isoformat(),
                "trigger": _trigger(finding),
            }
            for finding in incident.findings
        ],
        "atlas": list(incident.atlas),
        "report": incident.report,
    }


def _trigger(finding: Finding) -> dict[str, object]:
    """Return the values that made a finding speak, by feature; a list where a feature has several."""
    values: dict[str, list[float | str]] = defaultdict(list)
    for trigger in finding.trigger:
        values[trigger.feature].append(trigger.value)
    return {feature: found[0] if len(found) == 1 else found for feature, found in values.items()}


def full_document(incident: Incident, reasons: Sequence[str], events: Sequence[Event]) -> dict[str, object]:
    """Return what `detector incidents show --json` says of an incident."""
    return {
        **incident_document(incident),
        "summary": incident.summary,
        "severity_reasons": list(reasons),
        "heir": incident.heir,
        "events": [{"at": e.at, "who": e.who, "what": str(e.what), "why": e.why} for e in events],
    }


def response_document(incident: Incident, listed: Sequence[Tick]) -> dict[str, object]:
    """Return what `detector incidents steps --json` says of the response to an incident."""
    return {
        "id": incident.id,
        "steps": [
            {
                "id": one.step.id,
                "stage": str(one.step.stage).lower(),
                "text": one.step.text,
                "deadline": one.step.deadline or None,
                "done": one.done,
                "at": one.at,
                "by": one.by,
                "note": one.note,
            }
            for one in listed
        ],
    }


def suppression_document(suppression: Suppression, as_of: datetime) -> dict[str, object]:
    """Return what `detector suppress list --json` says of a suppression."""
    return {
        "id": suppression.id,
        "active": suppression.holds(as_of),
        "rule": suppression.rule,
        "client": suppression.client,
        "network": suppression.network,
        "until": suppression.until.isoformat(),
        "reason": suppression.reason,
        "author": suppression.author,
        "created_at": suppression.created_at,
        "removed_at": suppression.removed_at,
        "removed_by": suppression.removed_by,
        "removed_reason": suppression.removed_reason,
    }
