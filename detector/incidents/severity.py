"""How grave an incident is, and why, in sentences."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from detector.incidents.echoes import without_echoes
from detector.incidents.profile import best_confidence
from detector.model import ANOMALY_PREFIX, Finding, Severity, Technique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.config import Sensitivity

# What a correlation's trigger calls the findings that it rests on.
FINDING = "finding"
HIGH_CONFIDENCE = 0.9
MANY_NIGHTS = 3

# What these techniques tell is about a person whose record the model was trained on.
_PERSONAL = frozenset({Technique.INVERSION, Technique.ATTRIBUTE, Technique.MEMBERSHIP})
_GRAVE_DATA = frozenset({"biometric", "health"})


@dataclass(frozen=True)
class Verdict:
    """A severity and the sentences that explain it."""

    severity: Severity
    reasons: tuple[str, ...]


def judge(findings: Sequence[Finding], technique: Technique, sensitivity: Sensitivity) -> Verdict:
    """Return how grave findings of one actor are together.

    The highest level of a finding is where it starts. Each of these raises it by one: a model of grave data, three
    nights or more, and, where it starts at medium, independent rules that agree: agreement makes surer, and does not by
    itself make critical. Data makes an attack graver and a weak sign no surer: what starts at low is not raised for it.
    An inversion that is known not to have reached high confidence lowers the result by one, to medium at the lowest.
    Anomaly detectors alone are never more than low. Repetition and agreement count findings of
    medium and higher only: rules below have no part in the alarm budget, and many weak signs must not spend it.

    Args:
        findings: at least one, none of them muted.
        technique: the technique best supported by them.
        sensitivity: what the site declares of the model's data.
    """
    spoken = [finding for finding in findings if not finding.rule.startswith(ANOMALY_PREFIX)]
    if not spoken:
        return Verdict(Severity.LOW, ("low: only anomaly detectors spoke, and no rule that knows an attack",))
    firm = [finding for finding in spoken if finding.level.rank >= Severity.MEDIUM.rank]
    best = max(spoken, key=lambda finding: finding.level.rank)
    start = best.level
    reasons = [f"starts at {start}: the highest level of a finding, {best.title}"]
    reasons += [f"{title} is lowered to low: this behaves like {like}" for title, like in _explained(spoken)]
    raises = [
        _agreement(firm) if start is Severity.MEDIUM else None,
        _data(technique, sensitivity) if start.rank >= Severity.MEDIUM.rank else None,
        _repetition(firm),
    ]
    reasons += [f"raised by one: {reason}" for reason in raises if reason]
    severity = Severity.at(start.rank + sum(reason is not None for reason in raises))
    reached = best_confidence(findings, technique) if technique is Technique.INVERSION else None
    if reached is not None and reached >= HIGH_CONFIDENCE:
        reasons.append(f"kept: the climb reached a confidence of {reached:.2f}")
    elif reached is not None and severity.rank > Severity.MEDIUM.rank:
        severity = Severity.at(severity.rank - 1)
        reasons.append(f"lowered by one: the climb ended at a confidence of {reached:.2f}, below {HIGH_CONFIDENCE}")
    return Verdict(severity, tuple(reasons))


def _explained(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return the titles of lowered findings and the workload that each was lowered for, once each."""
    return sorted({(finding.title, finding.explained_by) for finding in findings if finding.explained_by})


def _agreement(findings: Sequence[Finding]) -> str | None:
    """Return why rules corroborate each other: same technique, no measured value in common.

    A correlation, which measured other findings, corroborates nothing.
    """
    measured: dict[tuple[Technique, str], set[str]] = defaultdict(set)
    for finding in findings:
        if any(trigger.feature == FINDING for trigger in finding.trigger):
            continue
        measured[finding.technique, finding.rule].update(trigger.feature for trigger in finding.trigger)
    titles = {finding.rule: finding.title for finding in findings}
    for (one, features), (other, others) in combinations(sorted(measured.items()), 2):
        if one[0] is other[0] and features and others and not features & others:
            return f"two rules agree on {one[0]} from different measurements, {titles[one[1]]} and {titles[other[1]]}"
    return None


def _data(technique: Technique, sensitivity: Sensitivity) -> str | None:
    if sensitivity in _GRAVE_DATA and technique in _PERSONAL:
        return f"the model is declared {sensitivity} data"
    return None


def _repetition(findings: Sequence[Finding]) -> str | None:
    nights = {finding.night for finding in without_echoes(findings)}
    return f"it went on for {len(nights)} nights" if len(nights) >= MANY_NIGHTS else None
