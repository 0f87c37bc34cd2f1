"""Rules over windows: all windows of a model's night at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detector.detect.rules.columns import WindowColumns
from detector.detect.rules.expressions import Evaluation, can_hold, fields_of
from detector.detect.rules.findings import chance, finding_id, in_order, triggers
from detector.detect.rules.model import Excluded, NotEvaluated, RuleResult
from detector.detect.rules.vocabulary import Category, base_field, trajectory_fields
from detector.model import EntityKind, Finding, Horizon, Segment

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from numpy.typing import NDArray

    from detector.detect.rules.expressions import Reason
    from detector.detect.rules.model import Rule, RuleSet
    from detector.model import Windows

# what a finding takes from a window beside measured values
_IDENTITY = (
    "entity_kind", "entity_id", "horizon", "query_count", "first_ts", "last_ts", "clients", "segment_first",
    "segment_last",
)  # fmt: skip

# features that are measured over the steepest segment; the other trajectory features are about the whole window
_OF_THE_SEGMENT = frozenset({"confidence_ascent", "confidence_rise", "target_concentration"})


def evaluate_windows(rules: RuleSet, windows: Windows) -> RuleResult:
    """Ask every window rule about every window.

    Returns:
        The findings; the rules that could not have spoken because a field that they need is null in every window; and
        what filters kept back.
    """
    if windows.frame.empty:
        return RuleResult()
    spoken: list[tuple[Rule, int]] = []
    silent: list[NotEvaluated] = []
    excluded: list[Excluded] = []
    evaluation = Evaluation(WindowColumns(windows))
    for rule in rules.of(Category.WINDOW):
        missing = not_evaluated(rule, evaluation.blind(fields_of(rule.condition)))
        if missing is not None:
            silent.append(missing)
            continue
        fired, kept_back = standing(rule, evaluation)
        excluded += kept_back
        spoken += ((rule, int(row)) for row in np.flatnonzero(fired))
    identities = _identities(windows, sorted({row for _, row in spoken}))
    findings = (_finding(rule, windows, evaluation, row, identities[row]) for rule, row in spoken)
    return RuleResult(in_order(findings), tuple(silent), tuple(excluded))


def _identities(windows: Windows, rows: list[int]) -> dict[int, Mapping[Hashable, Any]]:
    """Return what identifies the windows at `rows`; read together, because reading rows of a frame is slow."""
    known = [column for column in _IDENTITY if column in windows.frame]
    return dict(zip(rows, windows.frame[known].iloc[rows].to_dict("records"), strict=True))


def not_evaluated(rule: Rule, blind: frozenset[str]) -> NotEvaluated | None:
    """Return that a rule could not have spoken, given the fields that no row has; None where it could."""
    if can_hold(rule.condition, blind):
        return None
    return NotEvaluated(rule.id, rule.title, tuple(sorted(blind)))


def standing(rule: Rule, evaluation: Evaluation) -> tuple[NDArray[np.bool_], list[Excluded]]:
    """Return the rows of which a rule speaks once filters had their say, and what each filter kept back."""
    fired = evaluation.truth(rule.condition).yes
    excluded = []
    for exclusion in rule.filters:
        if not fired.any():
            break
        denied = fired & evaluation.truth(exclusion.condition).no
        if denied.any():
            excluded.append(Excluded(rule.id, exclusion.id, int(denied.sum())))
            fired = fired & ~denied
    return fired, excluded


def _finding(rule: Rule, windows: Windows, evaluation: Evaluation, row: int, window: Mapping[Hashable, Any]) -> Finding:
    def value_of(field: str) -> float | str | None:
        return evaluation.columns.column(field).at(row)

    kind, horizon = EntityKind(window["entity_kind"]), Horizon(window["horizon"])
    entity = str(window["entity_id"])
    reasons = tuple(dict.fromkeys(evaluation.reasons(rule.condition, row)))
    found = triggers(reasons, value_of, has_tail=True)
    return Finding(
        id=finding_id(rule.id, windows.model, entity_kind=kind, entity_id=entity, horizon=horizon, night=windows.night),
        rule=rule.id,
        title=rule.title,
        level=rule.level,
        technique=rule.technique,
        model=windows.model,
        entity_kind=kind,
        entity_id=entity,
        horizon=horizon,
        night=windows.night,
        clients=tuple(window.get("clients", ())),
        trigger=found,
        sentence=rule.sentence.render({field: value_of(field) for field in rule.sentence.fields}),
        query_count=int(window["query_count"]),
        segment=_segment(reasons, window, value_of("target")),
        atlas=rule.atlas,
        family=rule.family,
        p=chance(found),
        baseline=windows.baseline,
    )


def _segment(reasons: Iterable[Reason], window: Mapping[Hashable, Any], target: float | str | None) -> Segment:
    """Return where in the window the evidence lies: in the best segment only where that is what the rule speaks of."""
    fields = {base_field(reason.leaf.field) for reason in reasons if not reason.denied}
    first, last = window.get("segment_first"), window.get("segment_last")
    pursued = str(target) if target is not None and fields & trajectory_fields() else None
    if fields & _OF_THE_SEGMENT and first is not None and last is not None and not np.isnan([first, last]).any():
        return Segment(int(first), int(last), pursued)
    return Segment(int(window["first_ts"]), int(window["last_ts"]), pursued)
