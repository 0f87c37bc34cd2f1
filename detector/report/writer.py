"""Writing the reports of nights: a page an incident, a page a night, a page over all nights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from detector.evidence.capture import capture
from detector.model import STILL_OPEN
from detector.report import incident_page, night_page
from detector.report.environment import render
from detector.report.files import MAX_BYTES, page_name, write_page
from detector.report.notes import RunNotes
from detector.report.rulebook import Rulebook, read_rulebook
from detector.report.stored_notes import files_of, judged_of
from detector.store import incidents as incident_rows
from detector.store.evidence import read_items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from detector.config import Settings
    from detector.evidence.checklist import Dossier
    from detector.model import Incident
    from detector.report.incident_page import Frame
    from detector.report.night_view import IncidentLine
    from detector.store.engine import Store
    from detector.store.incident_bodies import Event

# Rows of the queries' table, where long names make a page with all of them too large.
_FEWER_ROWS = (600, 200, 40)


@dataclass(frozen=True, eq=False)
class WrittenPage:
    """An incident's page as it was just written, with what it was made of.

    Attributes:
        path: where it lies.
        page: its bytes.
        dossier: the evidence.
        frame: what it was written with besides.
        reasons: of the severity, sentences.
        events: the incident's record.
    """

    path: Path
    page: bytes
    dossier: Dossier
    frame: Frame
    reasons: Sequence[str]
    events: Sequence[Event]


@dataclass(frozen=True)
class ReportPaths:
    """Where the reports of a run were written.

    Attributes:
        index: the page over all nights.
        nights: by night, its page.
        incidents: by incident, its page, relative to the folder of the index.
    """

    index: Path
    nights: dict[date, Path] = field(default_factory=dict)
    incidents: dict[str, str] = field(default_factory=dict)


def write_night(
    store: Store,
    settings: Settings,
    *,
    out: Path,
    nights: Sequence[tuple[str, date]],
    as_of: datetime,
    redact: bool = False,
    run_notes: RunNotes | None = None,
    only: Sequence[str] | None = None,
    beside: Callable[[WrittenPage], None] | None = None,
) -> ReportPaths:
    """Write the reports of model nights, and note in the store where each incident's report lies.

    The same store and the same `as_of` give the same bytes.

    Args:
        store: the database.
        settings: of the site.
        out: folder of the reports.
        nights: model and night of each scan; the models of one night share its page.
        as_of: the present.
        redact: leave out inputs and reconstructions.
        run_notes: what the run tells of itself; None takes what the store knows.
        only: ids of the incidents whose pages are to be written; None is all that have a finding in these nights.
        beside: called with each page of an incident, to write what belongs beside it.

    Raises:
        ReportError: a page cannot be written.
        StoreError: the store cannot be read.
    """
    by_night = _incidents_by_night(store, nights, only)
    written: dict[str, str] = {}
    book = read_rulebook(settings) if any(by_night.values()) else Rulebook()
    frames = {
        night: incident_page.Frame(
            settings=settings,
            book=book,
            night=night,
            as_of=as_of,
            version=(run_notes or RunNotes()).version,
            redact=redact,
        )
        for night in by_night
    }
    _write_incidents(store, settings, by_night, frames, out, written, beside)
    with store.begin() as connection:
        for incident_id, place in sorted(written.items()):
            incident_rows.set_report(connection, incident_id, place)
    pages = {night: _write_night_page(store, settings, out, night, run_notes, as_of) for night in by_night}
    return ReportPaths(_write_index(store, settings, out, as_of, run_notes), pages, written)


def _incidents_by_night(
    store: Store, nights: Sequence[tuple[str, date]], only: Sequence[str] | None
) -> dict[date, list[Incident]]:
    found: dict[date, list[Incident]] = {night: [] for night in sorted({night for _, night in nights})}
    with store.begin() as connection:
        for model, night in sorted(set(nights), key=lambda pair: (pair[1], pair[0])):
            listed = incident_rows.list_incidents(connection, model=model, night=night)
            found[night] += [one for one in listed if only is None or one.id in only]
    return found


def _write_incidents(
    store: Store,
    settings: Settings,
    by_night: Mapping[date, Sequence[Incident]],
    frames: Mapping[date, Frame],
    out: Path,
    written: dict[str, str],
    beside: Callable[[WrittenPage], None] | None,
) -> None:
    """Write the page of each incident into the folder of every night that it has findings in."""
    incidents = {one.id: one for listed in by_night.values() for one in listed}
    for dossier in capture(store, settings, list(incidents.values())):
        incident = dossier.context.incident
        with store.begin() as connection:
            reasons = incident_rows.severity_reasons(connection, incident.id)
            events = incident_rows.events(connection, incident.id)
        for night, listed in by_night.items():
            if any(one.id == incident.id for one in listed):
                page = _incident_html(dossier, frames[night], reasons, events)
                path = out / night.isoformat() / page_name(incident.id)
                write_page(path, page)
                if beside is not None:
                    data = page.encode("utf-8", "backslashreplace")
                    beside(WrittenPage(path, data, dossier, frames[night], reasons, events))
                written[incident.id] = f"{night.isoformat()}/{page_name(incident.id)}"


def _incident_html(dossier: Dossier, frame: Frame, reasons: Sequence[str], events: Sequence[Event]) -> str:
    html = render("incident.html", page=incident_page.build(dossier, reasons, events, frame))
    for rows in _FEWER_ROWS:
        if len(html.encode("utf-8", "backslashreplace")) <= MAX_BYTES:
            break
        fewer = replace(frame, sample_rows=rows)
        html = render("incident.html", page=incident_page.build(dossier, reasons, events, fewer))
    return html


def _write_night_page(
    store: Store, settings: Settings, out: Path, night: date, run_notes: RunNotes | None, as_of: datetime
) -> Path:
    with store.begin() as connection:
        incidents = incident_rows.list_incidents(connection, night=night)
    notes = run_notes or RunNotes(files=files_of(store, settings, night))
    told = {note.model: note for note in notes.nights if note.night == night}
    judged = [told.get(note.model, note) for note in judged_of(store, night)]
    lines = _lines(store, incidents, out, night=night)
    path = out / night.isoformat() / "index.html"
    write_page(path, render("night.html", page=night_page.night_page(night, notes, judged, lines, as_of)))
    return path


def _write_index(store: Store, settings: Settings, out: Path, as_of: datetime, run_notes: RunNotes | None) -> Path:
    """Write the page over every night that has one in this folder, whichever run wrote it."""
    lines = []
    still_open: dict[str, Incident] = {}
    judged = {night: judged_of(store, night) for night in sorted(_nights_in(out), reverse=True)}
    busiest = max((sum(note.queries for note in notes) for notes in judged.values()), default=0)
    for night, notes in judged.items():
        with store.begin() as connection:
            incidents = incident_rows.list_incidents(connection, night=night)
        lines.append(night_page.night_line(night, incidents, notes, files_of(store, settings, night), busiest))
        still_open.update({one.id: one for one in incidents if one.status in STILL_OPEN})
    listed = _lines(store, list(still_open.values()), out, night=None)
    path = out / "index.html"
    version = (run_notes or RunNotes()).version
    write_page(path, render("index.html", page=night_page.index_page(lines, listed, as_of, version)))
    return path


def _lines(store: Store, incidents: Sequence[Incident], out: Path, *, night: date | None) -> list[IncidentLine]:
    lines = []
    for incident in night_page.gravest_first(incidents):
        place = f"{night.isoformat()}/{page_name(incident.id)}" if night is not None else incident.report
        link = None
        if place is not None and (out / place).is_file():
            link = page_name(incident.id) if night is not None else place
        lines.append(night_page.line(incident, read_items(store, incident.id), link))
    return lines


def _nights_in(out: Path) -> list[date]:
    found = []
    for page in out.glob("*/index.html"):
        try:
            found.append(date.fromisoformat(page.parent.name))
        except ValueError:
            continue
    return found
