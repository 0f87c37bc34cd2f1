"""From the store and a run's notes to what the pages over incidents show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from markupsafe import Markup

from detector.exits import ExitCode
from detector.model import STILL_OPEN, EvidenceStatus, Severity
from detector.report import words
from detector.report.advice import bdi
from detector.report.charts import bar
from detector.report.night_view import FileView, IncidentLine, IndexPage, JudgedView, NightLine, NightPage
from detector.report.visible import name, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from detector.model import EvidenceItem, Incident
    from detector.report.notes import FileNote, NightNote, RunNotes

_NAMED = 2
_MOST_FILES = 200
_MOST_OPEN = 200


def line(incident: Incident, items: Sequence[EvidenceItem], link: str | None) -> IncidentLine:
    """Return one incident as a line of a list."""
    return IncidentLine(
        id=incident.id,
        severity=incident.severity.value,
        status=incident.status.value,
        technique=words.technique(incident.technique.value),
        model=name(incident.model),
        heading=_heading(incident),
        summary=sentence(incident.summary),
        evidence=_evidence(items),
        link=link,
    )


def night_page(
    night: date, notes: RunNotes, judged: Sequence[NightNote], lines: Sequence[IncidentLine], as_of: datetime
) -> NightPage:
    """Return the page of one night."""
    still_open = tuple(one for one in lines if one.status in STILL_OPEN)
    clean, verdict = _verdict(still_open, notes, judged)
    return NightPage(
        night=night.isoformat(),
        day=words.day(night),
        numbers=_numbers(still_open, notes, judged),
        verdict=verdict,
        is_clean=clean,
        open=tuple(one for one in still_open if one.severity != Severity.LOW),
        minor=tuple(one for one in still_open if one.severity == Severity.LOW),
        settled=tuple(one for one in lines if one.status not in STILL_OPEN),
        judged=tuple(_judged(note) for note in judged),
        files=tuple(_file(file) for file in notes.files[:_MOST_FILES]),
        files_told=_files_told(notes),
        as_of=words.minute(as_of),
        version=notes.version,
    )


def night_line(
    night: date, incidents: Sequence[Incident], judged: Sequence[NightNote], files: Sequence[FileNote], busiest: int
) -> NightLine:
    """Return one night as a line of the list of nights; `busiest` is how many queries the fullest of them has."""
    counts = Counter(incident.severity for incident in incidents if incident.status in STILL_OPEN)
    queries = sum(note.queries for note in judged)
    return NightLine(
        night=night.isoformat(),
        day=words.day(night),
        models=words.listed([name(note.model) for note in judged]),
        queries=words.count(queries),
        bar=bar.draw(queries / max(busiest, 1), attack=False),
        counts=tuple((level.value, counts[level]) for level in reversed(Severity) if counts[level]),
        settled=sum(1 for incident in incidents if incident.status not in STILL_OPEN),
        coverage=_coverage(judged),
        quality=_quality(files),
    )


def _coverage(judged: Sequence[NightNote]) -> str:
    """Return what the logs did not show everywhere, as a share of the queries; of several models the least."""
    least: dict[str, float] = {}
    for note in judged:
        for what, value in note.coverage:
            least[what] = min(value, least.get(what, 1.0))
    partial = [f"{what.replace('_', ' ')} ({words.share(value)})" for what, value in least.items() if value < 1]
    return f"all but {words.listed(partial)}" if partial else "all" if least else words.NONE


def _quality(files: Sequence[FileNote]) -> str:
    """Return what of the files could not be used."""
    damaged = sum(1 for file in files if file.damage is not None)
    rejected, read = sum(file.rejected for file in files), sum(file.read for file in files)
    parts = [f"{words.count(rejected)} rejected ({words.share(rejected / max(read, 1))})"] if rejected else []
    parts += [f"{words.plural(damaged, 'file')} damaged"] if damaged else []
    return ", ".join(parts) or ("whole" if files else words.NONE)


def index_page(nights: Sequence[NightLine], lines: Sequence[IncidentLine], as_of: datetime, version: str) -> IndexPage:
    """Return the page over all nights."""
    count = words.plural(len(lines), "open incident") if lines else "No open incident"
    told = f"{count} in {words.plural(len(nights), 'night')}."
    telling = [one for one in lines if one.severity != Severity.LOW]
    left = len(lines) - len(telling[:_MOST_OPEN])
    return IndexPage(told, tuple(telling[:_MOST_OPEN]), left, tuple(nights), words.minute(as_of), version)


def _heading(incident: Incident) -> Markup:
    names = Markup(", ").join(bdi(client) for client in incident.clients[:_NAMED])
    left = len(incident.clients) - _NAMED
    who = Markup("{} and {} more").format(names, left) if left > 0 else names or bdi(incident.entity_id)
    technique = words.within(words.technique(incident.technique.value))
    return Markup("{}: {} of {}").format(who, technique, bdi(incident.model))


def _evidence(items: Sequence[EvidenceItem]) -> str:
    """Return which items of the checklist could be had."""
    parts = []
    for status, told in ((EvidenceStatus.CAPTURED, "captured"), (EvidenceStatus.UNAVAILABLE, "unavailable")):
        numbers = [str(item.number) for item in items if item.status is status]
        if numbers:
            parts.append(f"{told} {words.listed(numbers)}")
    return f"Checklist: {'; '.join(parts)}." if parts else ""


def _verdict(still_open: Sequence[IncidentLine], notes: RunNotes, judged: Sequence[NightNote]) -> tuple[bool, str]:
    damaged = [file for file in notes.files if file.damage is not None or file.status == "failed"]
    if still_open:
        return False, f"{words.plural(len(still_open), 'open incident')}, the gravest first."
    if not judged:
        return False, "Nothing was judged in this night: its logs hold no query."
    if damaged:
        return False, "No open incident in what could be read; but not every file could be (see Files)."
    return True, "No open incident."


def _numbers(
    still_open: Sequence[IncidentLine], notes: RunNotes, judged: Sequence[NightNote]
) -> tuple[tuple[str, str, str], ...]:
    counts = Counter(one.severity for one in still_open)
    told = ", ".join(f"{counts[level]} {level}" for level in reversed(Severity) if counts[level])
    numbers = [
        ("Open incidents", words.count(len(still_open)), told),
        ("Queries judged", words.count(sum(note.queries for note in judged)), words.plural(len(judged), "model")),
    ]
    if notes.files:
        numbers.append(("Queries read", words.count(notes.read), words.plural(len(notes.files), "file")))
    if notes.rejected:
        numbers.append(("Rejected", words.count(notes.rejected), words.share(notes.rejected / max(notes.read, 1))))
    if notes.exit_code is not None:
        meant = ExitCode(notes.exit_code).name.lower().replace("_", " ")
        numbers.append(("Exit code of the run", str(notes.exit_code), meant))
    return tuple(numbers)


def _judged(note: NightNote) -> JudgedView:
    return JudgedView(
        model=name(note.model),
        queries=words.plural(note.queries, "query", "queries"),
        judged_by=sentence(note.judged_by),
        coverage=tuple((what.replace("_", " "), words.share(value)) for what, value in note.coverage),
        silent=tuple((name(rule.title, 200), f"needs {', '.join(rule.missing)}") for rule in note.not_evaluated),
    )


def _file(file: FileNote) -> FileView:
    reasons = [f"{words.count(count)} {reason}" for reason, count in file.rejects]
    why = "; ".join([*([file.damage] if file.damage else []), *reasons])
    return FileView(
        path=name(file.path, 300),
        status=file.status.replace("_", " "),
        read=words.count(file.read),
        stored=words.count(file.stored),
        duplicate=words.count(file.duplicate),
        rejected=words.count(file.rejected),
        why=name(why, 400),
    )


def _files_told(notes: RunNotes) -> str:
    if not notes.files:
        return "No log file is known for this night."
    left = len(notes.files) - _MOST_FILES
    more = f" The first {_MOST_FILES} files are listed." if left > 0 else ""
    return (
        f"{notes.read:,} queries read = {notes.stored:,} stored + {notes.duplicate:,} known already "
        f"+ {notes.rejected:,} rejected.{more}"
    )


def gravest_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Return incidents in the order of lists."""
    return sorted(incidents, key=lambda one: (one.status not in STILL_OPEN, -one.severity.rank, one.first_ts, one.id))
