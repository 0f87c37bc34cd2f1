"""The nightly job: ingest, scan, report, and what the exit code is to say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from detector.detect.rules import load_rules
from detector.errors import NothingToReadError
from detector.exits import ExitCode
from detector.features.scan import NightBounds
from detector.model import STILL_OPEN, Severity
from detector.store import scanning
from detector.store.incidents import highest_open, list_incidents
from detector.store.runs import record_run
from detector.warming import JUDGING, REPORT, warming

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from detector.config import Settings
    from detector.detect.rules import RuleSet
    from detector.ingest.contents import Looking
    from detector.ingest.options import IngestOptions, IngestResult, Progress
    from detector.jobs.scan import ScanOutcome
    from detector.model import Incident
    from detector.store.engine import Store

    Told = Callable[[str, date], None]

_CODE_OF = {
    Severity.LOW: ExitCode.LOW,
    Severity.MEDIUM: ExitCode.MEDIUM,
    Severity.HIGH: ExitCode.HIGH,
    Severity.CRITICAL: ExitCode.CRITICAL,
}


@dataclass(frozen=True)
class RunOptions:
    """What a nightly run is asked for.

    Attributes:
        out: folder of the reports.
        night: handle this night alone; None handles every night that the files touch.
        max_rejects: share of a file's queries that may be rejected.
        fail_on: lowest severity that changes the exit code.
        as_of: the present.
    """

    out: Path
    night: date | None
    max_rejects: float
    fail_on: Severity
    as_of: datetime


@dataclass(frozen=True)
class RunOutcome:
    """What a nightly run gave.

    `incidents` are the open ones with a finding in a scanned night; `warnings` tells what is missing although the
    night's work was done, in sentences.
    """

    ingested: IngestResult
    scanned: tuple[ScanOutcome, ...]
    incidents: tuple[Incident, ...]
    severity: Severity | None
    code: ExitCode
    report: Path
    warnings: tuple[str, ...] = ()


def run(
    store: Store,
    paths: Sequence[Path],
    settings: Settings,
    reading: IngestOptions,
    options: RunOptions,
    progress: Progress | None = None,
    tell: Told | None = None,
    look: Looking | None = None,
) -> RunOutcome:
    """Do the night's work; killed at any moment and run again, it ends as if it had never been disturbed.

    Raises:
        NothingToReadError: no query in the files, or none in the night asked for.
        DetectorError: a file, setting, rule or the database cannot be used.
    """
    from detector.custody.bundle import custodian
    from detector.ingest.pipeline import ingest

    rules = site_rules(settings)
    beside = custodian(store, settings, rules)
    with warming() as warm:
        warm(*JUDGING)
        ingested = ingest(store, paths, reading, progress, look)
        nights = _nights_to_scan(store, ingested, settings, options)
        warm(*REPORT)
        scanned = scan_nights(store, nights, settings, rules, options.as_of, tell)
    pairs = [(one.model, one.night) for one in scanned]
    severity = highest(store, pairs)
    damaged = bool(ingested.damaged(options.max_rejects))
    code = exit_code(severity, options.fail_on, damaged=damaged)
    index = options.out / "index.html"
    from detector.jobs.notes import run_notes
    from detector.report.writer import write_night

    notes = run_notes(ingested, scanned, options.max_rejects, code)
    write_night(store, settings, out=options.out, nights=pairs, as_of=options.as_of, run_notes=notes, beside=beside)
    with store.begin() as connection:
        record_run(connection, "run", options.as_of, pairs, int(code))
    return RunOutcome(ingested, scanned, open_incidents(store, pairs), severity, code, index, beside.warnings)


def site_rules(settings: Settings) -> RuleSet:
    """Return the built-in rules and those of the site's folder."""
    return load_rules([settings.rules] if settings.rules else [])


def _nights_to_scan(
    store: Store, ingested: IngestResult, settings: Settings, options: RunOptions
) -> list[tuple[str, NightBounds]]:
    """Return the model nights to scan, oldest first: those that the files touch, or those of the night asked for."""
    if options.night is None:
        found = [(model, NightBounds.of(night, settings.night_starts)) for model, night in ingested.nights]
    else:
        found = nights_between(store, options.night, options.night, settings)
    if not found and not ingested.damaged(options.max_rejects):
        what = f"the night {options.night}" if options.night else "these files"
        raise NothingToReadError(f"there is no query in {what}", expected="at least one query")
    return sorted(found, key=lambda pair: (pair[1].night, pair[0]))


def nights_between(store: Store, since: date, until: date, settings: Settings) -> list[tuple[str, NightBounds]]:
    """Return every (model, night) with a query from `since` to `until`, both included, oldest first."""
    found: list[tuple[str, NightBounds]] = []
    with store.begin() as connection:
        held = scanning.night_range(connection)
        if held is None:
            return found
        # Whoever asks for all nights may name the ends of the calendar; a night may begin the day before its queries.
        first, last = max(since.toordinal(), held[0].toordinal() - 1), min(until.toordinal(), held[1].toordinal())
        for day in range(first, last + 1):
            bounds = NightBounds.of(date.fromordinal(day), settings.night_starts)
            found.extend((m, bounds) for m in scanning.models_between(connection, bounds.first_ts, bounds.last_ts))
    return found


def scan_nights(
    store: Store,
    nights: Sequence[tuple[str, NightBounds]],
    settings: Settings,
    rules: RuleSet,
    as_of: datetime,
    tell: Told | None = None,
) -> tuple[ScanOutcome, ...]:
    """Scan nights in order; then later nights whose trailing windows these made stale, which are not returned."""
    from detector.jobs.scan import scan_night

    outcomes = []
    for model, bounds in nights:
        if tell is not None:
            tell(model, bounds.night)
        outcomes.append(scan_night(store, model, bounds, settings, rules, as_of))
    _scan_stale(store, settings, rules, as_of)
    return tuple(outcomes)


def _scan_stale(store: Store, settings: Settings, rules: RuleSet, as_of: datetime) -> None:
    """Judge anew the nights that late records touched; where raw queries are gone, the windows stay as they were."""
    from detector.jobs.scan import scan_night

    with store.begin() as connection:
        stale = scanning.stale_nights(connection)
    for model, name in stale:
        bounds = NightBounds.of(date.fromisoformat(name), settings.night_starts)
        with store.begin() as connection:
            held = scanning.count_queries(connection, model, bounds.first_ts, bounds.last_ts)
            known = next(row for row in scanning.scanned_nights(connection, model) if row.night == name)
            if held < known.query_count:
                scanning.replace_night(connection, replace(known, stale=False))
                continue
        scan_night(store, model, bounds, settings, rules, as_of)


def open_incidents(store: Store, pairs: Collection[tuple[str, date]]) -> tuple[Incident, ...]:
    """Return the open incidents with a finding in one of these nights, the gravest first."""
    found: dict[str, Incident] = {}
    with store.begin() as connection:
        for model, night in pairs:
            some = list_incidents(connection, status=STILL_OPEN, model=model, night=night)
            found |= {one.id: one for one in some}
    return tuple(sorted(found.values(), key=lambda one: (-one.severity.rank, one.nights[0], one.id)))


def highest(store: Store, pairs: Collection[tuple[str, date]]) -> Severity | None:
    """Return the highest severity of open incidents with a finding in one of these nights."""
    with store.begin() as connection:
        return highest_open(connection, pairs)


def exit_code(severity: Severity | None, fail_on: Severity, *, damaged: bool) -> ExitCode:
    """Return what the process says: severity wins over damage, and damage over clean."""
    if severity is not None and severity >= fail_on:
        return _CODE_OF[severity]
    return ExitCode.DAMAGED if damaged else ExitCode.CLEAN
