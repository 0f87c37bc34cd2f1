"""Item 6: what differential privacy the training declared, and what the model's confidences show of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector.audit import reading, words
from detector.audit.declared import declared_epsilon
from detector.audit.service import DELTA, Audit, Runs, audit, split_canaries
from detector.errors import AuditError
from detector.model import EvidenceItem, EvidenceStatus, Technique

if TYPE_CHECKING:
    from detector.audit.declared import Declared
    from detector.config import ModelSettings, Privacy
    from detector.evidence.context import IncidentContext

NUMBER = 6
TITLE = "Differential privacy audit"
_ABOUT_RECORDS = frozenset({Technique.INVERSION, Technique.ATTRIBUTE, Technique.MEMBERSHIP})

_COLUMNS = (
    "a column confidence (the model's confidence in the record's true class), or probabilities and label, for "
    "every record"
)


@dataclass(frozen=True)
class PrivacyEvidence:
    """Item 6.

    Attributes:
        item: the line of the checklist.
        declared: what the configuration says of the training, None where it says nothing.
        promised: the ε that follows from it, None where it could not be computed.
        audit: what the confidences show, None where there are none.
    """

    item: EvidenceItem
    declared: Privacy | None
    promised: Declared | None = None
    audit: Audit | None = None


@dataclass(frozen=True)
class _Source:
    """Files whose confidences can be audited: canaries alone, or members and hold-out.

    Attributes:
        files: one or two of them.
        stamps: size and time of change of each, so that a file is read once for all incidents of a night.
    """

    files: tuple[Path, ...]
    stamps: tuple[tuple[int, int], ...]


def examine(context: IncidentContext) -> PrivacyEvidence:
    """Return what is known of the training's differential privacy."""
    declared = context.settings.privacy
    if not _ABOUT_RECORDS.intersection(context.incident.techniques):
        reason = (
            "Differential privacy bounds what can be learned about single training records; "
            f"{context.incident.technique.value} does not aim at them."
        )
        return PrivacyEvidence(EvidenceItem(NUMBER, TITLE, EvidenceStatus.NOT_APPLICABLE, reason), declared)
    promised, doubt = _promised(declared)
    found, told = _measured(context, promised)
    promise = f"{_promise(context, declared, promised)}{doubt}"
    reason = f"{promise} {told}" if found is None else f"{told} {promise}"
    facts = words.declared_facts(declared, promised) if declared is not None else ()
    facts += words.audit_facts(found) if found is not None else ()
    status = EvidenceStatus.UNAVAILABLE if promised is None and found is None else EvidenceStatus.CAPTURED
    return PrivacyEvidence(EvidenceItem(NUMBER, TITLE, status, reason, facts), declared, promised, found)


def _promised(declared: Privacy | None) -> tuple[Declared | None, str]:
    """Return the declared ε, or why it could not be computed."""
    if declared is None:
        return None, ""
    try:
        return declared_epsilon(declared), ""
    except AuditError as reason:
        return None, f" {str(reason)[0].upper()}{str(reason)[1:]}."


def _promise(context: IncidentContext, declared: Privacy | None, promised: Declared | None) -> str:
    if declared is None:
        return (
            "Nothing is declared about how the model was trained, so no privacy loss is promised. If it was trained "
            "with differential privacy, add privacy = { noise_multiplier, sampling_rate, steps, delta } under "
            f"{_table(context)} in detector.toml."
        )
    if promised is None:
        return "The declared training parameters are shown."
    return (
        f"The declared parameters promise ε of at most {words.epsilon(promised.epsilon)} (δ = {declared.delta:g}), if "
        "every step drew each record by its own coin; that is a promise, not a measurement."
    )


def _measured(context: IncidentContext, promised: Declared | None) -> tuple[Audit | None, str]:
    """Return what the confidences show with a sentence on it, or what to provide for that."""
    declared = context.settings.privacy
    try:
        source = _source(context.settings)
        if source is None:
            return None, _wanted(context)
        found = _audited(source, declared.delta if declared is not None else DELTA, promised)
    except AuditError as reason:
        return None, f"The empirical lower bound could not be computed: {_named(reason)}."
    names = " and ".join(file.name for file in source.files)
    return found, f"{words.sentence(found)} Computed from {names}. {words.PREMISES[found.runs]}"


def _source(settings: ModelSettings) -> _Source | None:
    """Return the best files at hand: canaries were drawn for this purpose, samples were not.

    Raises:
        AuditError: a file cannot be read.
    """
    canaries, members, others = settings.canaries, settings.training_sample, settings.holdout_sample
    if canaries is not None and reading.INCLUDED in reading.columns_of(canaries) and _tells(canaries):
        return _stamped(canaries)
    if members is not None and others is not None and _tells(members) and _tells(others):
        return _stamped(members, others)
    return None


def _tells(file: Path) -> bool:
    return reading.tells_confidence(reading.columns_of(file))


def _named(error: AuditError) -> str:
    """Return an error with its file's name alone: folders of the site are nothing for a report."""
    where = f"{Path(error.file).name}: " if error.file is not None else ""
    return f"{where}{error.message}{f' (expected {error.expected})' if error.expected else ''}"


def _stamped(*files: Path) -> _Source:
    try:
        return _Source(files, tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in files))
    except OSError as error:
        raise AuditError(f"cannot be read: {error.strerror}", file=error.filename) from error


@lru_cache(maxsize=16)
def _audited(source: _Source, delta: float, promised: Declared | None) -> Audit:
    held = [reading.read_confidences(file) for file in source.files]
    members, others = split_canaries(held[0]) if len(held) == 1 else (held[0].values, held[1].values)
    return audit(members, others, delta=delta, runs=Runs.ONE, declared=promised)


def _wanted(context: IncidentContext) -> str:
    """Return exactly what is missing for a bound."""
    settings = context.settings
    files = {"training_sample": settings.training_sample, "holdout_sample": settings.holdout_sample}
    unnamed = [f"{name} = FILE" for name, file in files.items() if file is None]
    bare = [file.name for file in files.values() if file is not None and not _tells(file)]
    steps = []
    if unnamed:
        steps.append(f"name {' and '.join(unnamed)} under {_table(context)}, with {_COLUMNS}")
    if bare:
        steps.append(f"give {' and '.join(bare)} {_COLUMNS}")
    return (
        f"For an empirical lower bound, {'; '.join(steps)}. Or plant canaries before training, and name them as "
        "canaries = FILE with the same column and included (true for those that a fair coin put into the training)."
    )


def _table(context: IncidentContext) -> str:
    return f'[models."{context.incident.model}"]'
