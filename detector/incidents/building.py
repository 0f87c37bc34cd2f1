"""From the findings of one actor to the incident that is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.config import ModelSettings
from detector.incidents import profile
from detector.incidents.linking import keys_of
from detector.incidents.severity import judge
from detector.incidents.standing import stand
from detector.incidents.summary import summarise
from detector.model import Incident, IncidentStatus, Severity
from detector.store.incident_bodies import StoredIncident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.config import Settings
    from detector.incidents.grouping import Group
    from detector.model import Finding, Technique


def build(group: Group, settings: Settings) -> StoredIncident:
    """Return the incident that a group of findings makes.

    Muted findings count only where all are muted: what remains decides technique, severity and score.
    """
    weighed = [stored.finding for stored in group.loud or group.findings]
    techniques = profile.rank_techniques(weighed)
    model = weighed[0].model
    verdict = judge(weighed, techniques[0], settings.models.get(model, ModelSettings()).sensitivity)
    standing = stand(group, verdict.severity)
    incident = replace(
        _incident(group, weighed, techniques), status=_status(group, standing.status), severity=verdict.severity
    )
    return StoredIncident(
        incident=replace(incident, summary=summarise(incident, weighed, settings.clients)),
        standing=standing.status,
        seed=_seed(group),
        keys=tuple(sorted({key for stored in group.findings for key in keys_of(stored)})),
        reasons=verdict.reasons,
        closed_through=standing.through,
        closed_severity=standing.severity,
    )


def _incident(group: Group, weighed: Sequence[Finding], techniques: tuple[Technique, ...]) -> Incident:
    """Return what the findings say, before it is judged how grave that is and how it stands."""
    every = [stored.finding for stored in group.findings]
    entity = profile.entity(every)
    members = profile.members(group.findings)
    first, last = profile.span(weighed)
    return Incident(
        id=group.id,
        status=IncidentStatus.OPEN,
        severity=Severity.LOW,
        technique=techniques[0],
        techniques=techniques,
        model=every[0].model,
        entity_kind=entity.kind,
        entity_id=entity.id,
        members=members,
        first_ts=first,
        last_ts=last,
        nights=tuple(sorted({finding.night for finding in every})),
        query_count=profile.query_count(group.findings, members),
        score=profile.score(weighed),
        findings=tuple(every),
        atlas=profile.atlas(weighed, techniques),
        summary="",
        report=group.before.incident.report if group.before else None,
    )


def _seed(group: Group) -> str:
    if group.before and any(stored.finding.id == group.before.seed for stored in group.findings):
        return group.before.seed
    return group.findings[0].finding.id


def _status(group: Group, standing: IncidentStatus) -> IncidentStatus:
    if standing is IncidentStatus.CLOSED or group.loud:
        return standing
    return IncidentStatus.SUPPRESSED


def merged(part: StoredIncident, heir: str) -> StoredIncident:
    """Return an incident as it stands once `heir` has taken over its findings."""
    incident = replace(part.incident, status=IncidentStatus.MERGED, heir=heir, findings=())
    return replace(part, incident=incident)


def withdrawn(stored: StoredIncident) -> StoredIncident:
    """Return an incident as it stands once a re-scan has left it without findings: it keeps what was last known."""
    incident = replace(stored.incident, status=IncidentStatus.CLOSED, findings=())
    return replace(stored, incident=incident, withdrawn=True, keys=())


def without_findings(stored: StoredIncident) -> StoredIncident:
    """Return an incident as its own row holds it."""
    return replace(stored, incident=replace(stored.incident, findings=()))
