"""The page about one client: why it is, or is not, suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.evidence.context import Peculiarity
from detector.report import night_page, sections, tables, words
from detector.report.charts import bar
from detector.report.client_view import ClientPage, ModelView, NightView, RestView
from detector.report.environment import render
from detector.report.files import write_page
from detector.report.notes import RunNotes
from detector.report.rulebook import base, read_rulebook
from detector.report.visible import name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from detector.config import Settings
    from detector.evidence.explanation import ClientNight, Explanation, Measured
    from detector.model import Incident
    from detector.report.night_view import IncidentLine
    from detector.report.rulebook import Rulebook


_TELLING = 12


def write_client(path: Path, found: Sequence[Explanation], settings: Settings, as_of: datetime) -> None:
    """Write the page of a client.

    Args:
        path: the file; incidents whose pages lie beside it, as `detector run --out` leaves them, are linked.
        found: the client's night on each model.
        settings: of the site.
        as_of: the present.

    Raises:
        ReportError: it cannot be written.
    """
    book = read_rulebook(settings)
    models = tuple(_model(f"m{i}", one, book, path.parent) for i, one in enumerate(found))
    page = ClientPage(name(found[0].client), models, words.minute(as_of), RunNotes().version)
    write_page(path, render("client.html", page=page))


def _model(key: str, one: Explanation, book: Rulebook, folder: Path) -> ModelView:
    known = [m for m in one.features if m.value is not None]
    triggered = {base(trigger.feature) for finding in one.findings for trigger in finding.trigger}
    most = max((night.query_count for night in one.history), default=1)
    return ModelView(
        model=name(one.model),
        night=f"{words.day(one.night)}, {words.plural(one.query_count, 'query', 'queries')}",
        verdict=_verdict(one),
        judged_by=f"Judged by rules and baseline {one.judged_by}." if one.judged_by else "Judged by rules alone.",
        incidents=tuple(_line(incident, folder) for incident in one.incidents),
        findings=tables.findings(one.findings, book),
        nights=tuple(_night(night, most, one) for night in reversed(one.history)),
        telling=tuple(
            sections.strip_of(f"{key}-{i}", _peculiarity(m, triggered)) for i, m in enumerate(known[:_TELLING])
        ),
        rest=tuple(_rest(m) for m in known[_TELLING:]),
        silent=tuple((m.spec.name, m.spec.signal) for m in one.features if m.value is None),
    )


def _verdict(one: Explanation) -> str:
    if one.incidents:
        gravest = max(one.incidents, key=lambda incident: incident.severity.rank)
        what = f"severity {gravest.severity.value}: {words.within(words.technique(gravest.technique.value))}."
        many = len(one.incidents)
        return f"Part of an incident of {what}" if many == 1 else f"Part of {many} incidents, the gravest of {what}"
    if one.findings:
        return "Something was found, but no incident came of it: it is muted, or too little."
    return "No rule or detector spoke of this client in this night."


def _line(incident: Incident, folder: Path) -> IncidentLine:
    """Return an incident that the client is part of; its link is None where its page does not lie beside this one."""
    beside = incident.report is not None and (folder / incident.report).is_file()
    return night_page.line(incident, (), incident.report if beside else None)


def _night(one: ClientNight, most: int, shown: Explanation) -> NightView:
    return NightView(
        night=words.day(one.night),
        queries=words.count(one.query_count),
        bar=bar.draw(one.query_count / max(most, 1), attack=False),
        gravest=one.gravest.value if one.gravest else None,
        is_shown=one.night == shown.night,
    )


def _peculiarity(one: Measured, triggered: set[str]) -> Peculiarity:
    return Peculiarity(
        feature=one.spec.name,
        value=one.value or 0.0,
        peers=one.others,
        below=float((one.others < (one.value or 0.0)).mean()) if len(one.others) else 0.0,
        tail=one.tail,
        triggered=one.spec.name in triggered,
    )


def _rest(one: Measured) -> RestView:
    standing = "no other client" if one.peers is None else f"higher than {words.share(one.peers)}"
    return RestView(one.spec.name, words.number(one.value), words.number(one.own), standing, one.spec.signal)
