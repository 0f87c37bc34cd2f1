"""From an incident's evidence to what its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.model import EvidenceStatus
from detector.report import advice, beyond, live, sections, story, tables, taxonomy, words
from detector.report.charts import timeline
from detector.report.view import CheckRow, IncidentPage
from detector.report.visible import name, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from detector.config import Settings
    from detector.evidence.checklist import Dossier
    from detector.evidence.context import IncidentContext
    from detector.model import Incident
    from detector.report.rulebook import Rulebook
    from detector.report.view import Fact
    from detector.store.incident_bodies import Event

_ANCHORS = ("queries", "reconstructions", "confidence", "weights", "reconstructions", "checklist")
_MARKS = {
    EvidenceStatus.CAPTURED: "captured",
    EvidenceStatus.UNAVAILABLE: "missing",
    EvidenceStatus.NOT_APPLICABLE: "na",
}


@dataclass(frozen=True)
class Frame:
    """What a page is written with, besides the evidence.

    Attributes:
        settings: of the site.
        book: what the rules say of themselves.
        night: the folder that the page lies in.
        as_of: the present.
        version: of the product.
        redact: leave out inputs and reconstructions.
        sample_rows: how many telling queries to show at most.
    """

    settings: Settings
    book: Rulebook
    night: date
    as_of: datetime
    version: str
    redact: bool
    sample_rows: int = tables.MAX_QUERIES


def build(dossier: Dossier, reasons: Sequence[str], events: Sequence[Event], frame: Frame) -> IncidentPage:
    """Return the page of an incident."""
    context = dossier.context
    incident, clients = context.incident, frame.settings.clients
    head = advice.heading(dossier)
    findings = tables.findings(incident.findings, frame.book)
    queries = tables.queries(dossier, redact=frame.redact, limit=frame.sample_rows)
    return IncidentPage(
        id=incident.id,
        night=frame.night.isoformat(),
        title=head.striptags(),
        heading=head,
        severity=incident.severity.value,
        status=incident.status.value,
        technique=_technique(dossier),
        model=name(incident.model),
        summary=sentence(incident.summary),
        briefs=advice.briefs(dossier, clients),
        actions=advice.actions(dossier),
        reasons=tuple(_sentence(_with_titles(reason, incident)) for reason in reasons),
        checklist=checklist(dossier),
        timeline=timeline.draw("time", context.timeline) if context.timeline is not None else None,
        timeline_told=_timeline_told(context),
        climbs=sections.climbs(dossier, {finding.rule: finding.title for finding in incident.findings}),
        distributions=sections.distributions(dossier),
        distribution_told=dossier.confidence.item.reason,
        reconstructions=() if frame.redact else sections.reconstructions(dossier),
        reconstruction_told=dossier.reconstruction.item.reason,
        portraits=sections.portraits(dossier),
        portrait_told=_portrait_told(context),
        phases=story.phases(dossier, queries),
        preconditions=beyond.preconditions(dossier),
        controls=beyond.controls(dossier),
        response=beyond.response(dossier, events),
        weights=beyond.weights(dossier),
        findings=tuple(one for one in findings if not one.is_minor),
        minor=tuple(one for one in findings if one.is_minor),
        findings_left=0 if len(findings) < tables.MAX_FINDINGS else len(incident.findings) - tables.MAX_FINDINGS,
        queries=queries,
        live=live.build(dossier, queries.picked),
        members=tables.members(incident, clients),
        members_left=max(0, len(incident.members) - tables.MAX_MEMBERS),
        terms=taxonomy.terms(incident.techniques, incident.atlas),
        events=tables.events(events),
        quality=context.coverage,
        shares=tuple((f"Telling queries with {what}", words.share(value)) for what, value in context.shares.items()),
        files=tables.files(context),
        provenance=_provenance(context, frame),
        as_of=words.minute(frame.as_of),
        version=frame.version,
        redacted=frame.redact,
    )


def checklist(dossier: Dossier) -> tuple[CheckRow, ...]:
    """Return the six items."""
    anchors = [one if one != "weights" or dossier.weights.file is not None else "checklist" for one in _ANCHORS]
    return tuple(
        CheckRow(item.number, item.title, item.status.value, _MARKS[item.status], item.reason, item.facts, anchor)
        for item, anchor in zip(dossier.items, anchors, strict=True)
    )


def _technique(dossier: Dossier) -> str:
    first, *others = (words.technique(one.value) for one in dossier.context.incident.techniques)
    return f"{first} (also {words.listed([words.within(one) for one in others])})" if others else first


def _with_titles(text: str, incident: Incident) -> str:
    """Return `text` with rules called by their titles: an id tells a reader nothing."""
    for rule, title in {finding.rule: finding.title for finding in incident.findings}.items():
        text = text.replace(rule, f"“{title}”")
    return text


def _sentence(reason: str) -> str:
    text = sentence(reason[:1].upper() + reason[1:])
    return text if text.endswith(".") else f"{text}."


def _timeline_told(context: IncidentContext) -> str:
    if context.timeline is None:
        return "The queries of these nights are no longer in the store."
    total, telling = int(context.timeline.all.sum()), int(context.timeline.telling.sum())
    rest = total - telling
    if not rest:
        return f"All {total:,} queries that these clients sent to the model in these nights are evidence."
    return f"{telling:,} of {total:,} queries that these clients sent to the model are evidence; {rest:,} are not."


def _portrait_told(context: IncidentContext) -> str:
    if not context.portraits:
        return "No window of these clients is stored for these nights."
    judged = f"baseline {name(context.baseline)}" if context.baseline is not None else "rules alone: no baseline yet"
    return (
        "Each dot is another client of the model that night (in no incident above low), the band holds nine tenths "
        f"of them, the large mark is this one. Values marked “decided” made a rule speak. Judged by {judged}."
    )


def _provenance(context: IncidentContext, frame: Frame) -> tuple[Fact, ...]:
    incident = context.incident
    hashed = sum(1 for pin in context.pinned if pin.raw_sha256 is not None)
    return (
        ("Incident", incident.id),
        ("Baseline", name(context.baseline) if context.baseline is not None else "none yet"),
        ("Raw lines kept", f"{len(context.pinned):,}, {hashed:,} of them hashed from the source"),
        ("Written by", f"inversion-detector {frame.version}"),
        ("As of", words.minute(frame.as_of)),
    )
