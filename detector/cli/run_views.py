"""What `run` and `scan` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.cli.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.jobs.nightly import RunOutcome
    from detector.jobs.scan import ScanOutcome
    from detector.model import Incident


def night_document(outcome: ScanOutcome) -> dict[str, Any]:
    """Return one scanned night as JSON values."""
    return {
        "model": outcome.model,
        "night": outcome.night.isoformat(),
        "queries": outcome.queries,
        "findings": len(outcome.findings),
        "judged_by": outcome.judged_by,
        "coverage": {
            "inputs": round(outcome.coverage.inputs, 6),
            "labels": round(outcome.coverage.labels, 6),
            "scores_known": round(outcome.coverage.scores_known, 6),
            "statuses": round(outcome.coverage.statuses, 6),
        },
        "rules_not_evaluated": [{"rule": one.rule, "missing": list(one.missing)} for one in outcome.not_evaluated],
    }


def run_document(outcome: RunOutcome) -> dict[str, Any]:
    """Return a nightly run as JSON values."""
    from detector.incidents.document import incident_document

    return {
        "nights": [night_document(one) for one in outcome.scanned],
        "incidents": [incident_document(one) for one in outcome.incidents],
        "severity": outcome.severity.value if outcome.severity else None,
        "report": outcome.report.as_posix(),
        "warnings": list(outcome.warnings),
    }


def scan_lines(scanned: Sequence[ScanOutcome], incidents: Sequence[Incident]) -> Iterator[str]:
    """Yield what was scanned and found, a line each."""
    for one in scanned:
        counts = f"{one.queries:>10,} queries  {len(one.findings):>4} findings"
        yield f"{one.night}  {safe(one.model, 40):<16} {counts}  {one.judged_by}"
        for rule in one.not_evaluated:
            yield f"    could not be judged: {safe(rule.title, 80)} (nothing logged for {', '.join(rule.missing)})"
    for incident in incidents:
        yield f"  {incident.severity.upper():<9}{incident.id}  {incident.technique:<11} {safe(incident.summary, 160)}"
    if scanned and not incidents:
        yield "  no open incident"


def run_lines(outcome: RunOutcome, code: int) -> Iterator[str]:
    """Yield what a nightly run gave, a line each."""
    i = outcome.ingested
    yield f"read {i.read:,} = stored {i.stored:,} + duplicate {i.duplicate:,} + rejected {i.rejected:,}"
    yield from scan_lines(outcome.scanned, outcome.incidents)
    yield f"report: {outcome.report}"
    yield f"exit code: {code}"
