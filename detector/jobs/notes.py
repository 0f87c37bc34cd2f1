"""What a run tells its report: files, nights, what could not be judged."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from detector.report.notes import FileNote, NightNote, RunNotes, SilentRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.exits import ExitCode
    from detector.ingest.options import FileResult, IngestResult
    from detector.jobs.scan import ScanOutcome


def run_notes(ingested: IngestResult, scanned: Sequence[ScanOutcome], max_rejects: float, code: ExitCode) -> RunNotes:
    """Return the notes of a nightly run."""
    return RunNotes(
        files=tuple(_file_note(one, max_rejects) for one in ingested.files),
        nights=tuple(_night_note(one) for one in scanned),
        exit_code=int(code),
    )


def _file_note(one: FileResult, max_rejects: float) -> FileNote:
    beyond = one.damaged(max_rejects) and one.damage is None
    return FileNote(
        path=str(one.path),
        status=one.status.value,
        read=one.read,
        stored=one.stored,
        duplicate=one.duplicate,
        rejected=one.rejected,
        rejects=tuple(sorted(one.rejects.items(), key=lambda pair: (-pair[1], pair[0]))),
        damage=f"more than {max_rejects:.2%} of its queries were rejected" if beyond else one.damage,
    )


def _night_note(one: ScanOutcome) -> NightNote:
    return NightNote(
        model=one.model,
        night=one.night,
        queries=one.queries,
        judged_by=one.judged_by,
        not_evaluated=tuple(SilentRule(rule.rule, rule.title, rule.missing) for rule in one.not_evaluated),
        coverage=tuple(asdict(one.coverage).items()),
    )
