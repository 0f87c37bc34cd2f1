"""Findings for windows that resemble attacks; names for those that a benign workload explains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.detect.learned.forest import shipped
from detector.detect.learned.words import BENIGN, family_words, workload_words
from detector.features.registry import BY_NAME
from detector.hashing import short_id
from detector.model import (
    ATLAS_BY_TECHNIQUE,
    RESEMBLANCE,
    EntityKind,
    Finding,
    Horizon,
    Segment,
    Severity,
    Technique,
    Trigger,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.detect.learned.resemblance import Resemblance
    from detector.model import Windows

TITLE = "Behaves like an attack in the laboratory"
SURE = 0.8
# Counterfactual search is an optimiser that somebody has a right to: it is said, and sites can allow-list it.
_LIKE_AN_ATTACK = BENIGN + "counterfactual"
_POSSIBLE = 0.1
_NAMED = 5
# Measurements that no benign workload explains.
_HARD = frozenset(
    {"canary_hits", "training_hit_ratio", "training_distance_trend", "gradient_ratio", "explain_ratio", "thread_ascent"}
)


def suspects(windows: Windows, found: Sequence[Resemblance]) -> tuple[Finding, ...]:
    """Return a finding for each window that resembles attacks more than the bar allows."""
    return findings_of(windows, [one for one in found if one.suspicious])


def findings_of(windows: Windows, chosen: Sequence[Resemblance]) -> tuple[Finding, ...]:
    """Return a finding for each of some windows, with what made it resemble attacks.

    That of a network is low: strangers at one address were not taught, and who shares an attack is in a campaign.
    """
    if not chosen:
        return ()
    credit = shipped().reasons(np.stack([one.seen for one in chosen]))
    return tuple(_finding(windows, one, credit[i]) for i, one in enumerate(chosen))


def _finding(windows: Windows, one: Resemblance, credit: NDArray[np.float64]) -> Finding:
    features, values = shipped().features, one.seen
    row = pd.Series(windows.frame.loc[one.row])
    strongest = [i for i in np.argsort(-credit, kind="stable")[:_NAMED] if credit[i] > 0 and not np.isnan(values[i])]
    triggers = tuple(_trigger(row, features[i], float(values[i])) for i in strongest)
    kind, horizon, entity = EntityKind(row["entity_kind"]), Horizon(row["horizon"]), str(row["entity_id"])
    words = ", ".join(f"{t.feature.replace('_', ' ')} ({BY_NAME[t.feature].signal})" for t in triggers[:3])
    grave = one.attack >= SURE and one.technique is Technique.INVERSION
    level = Severity.LOW if kind is EntityKind.NETWORK else Severity.HIGH if grave else Severity.MEDIUM
    return Finding(
        id=short_id(RESEMBLANCE, windows.model, kind, entity, horizon, windows.night.isoformat()),
        rule=RESEMBLANCE,
        title=TITLE,
        level=level,
        technique=one.technique,
        model=windows.model,
        entity_kind=kind,
        entity_id=entity,
        horizon=horizon,
        night=windows.night,
        clients=tuple(row["clients"]),
        trigger=triggers,
        sentence=f"{one.attack:.0%} of what this window resembles are attacks, most of all {one.technique} by "
        f"{family_words(one.family)}: {words}.",
        query_count=int(row["query_count"]),
        segment=_segment(row, one.technique),
        atlas=ATLAS_BY_TECHNIQUE[one.technique],
        family=family_words(one.family),
        p=one.p,
        baseline=windows.baseline,
    )


def _trigger(row: pd.Series, feature: str, value: float) -> Trigger:
    tail = row.get(f"{feature}_tail")
    return Trigger(feature, value, tail=None if tail is None or np.isnan(tail) else float(tail))


def _segment(row: pd.Series, technique: Technique) -> Segment:
    """Return the best climb for what climbs, else the whole window."""
    first, last, target = row.get("segment_first"), row.get("segment_last"), row.get("target")
    pursued = str(target) if technique is Technique.INVERSION and target is not None else None
    if pursued is not None and first is not None and last is not None and not np.isnan([first, last]).any():
        return Segment(int(first), int(last), pursued)
    return Segment(int(row["first_ts"]), int(row["last_ts"]), pursued)


def lowered(findings: Sequence[Finding], found: Sequence[Resemblance]) -> tuple[Finding, ...]:
    """Return `findings` with those lowered to low whose window a benign workload explains; none is left out.

    A finding that rests on a canary, on training records, on gradients or on a climb along one thread of descent stays
    as it is: an attacker who imitates an explainer leaves these all the same.
    """
    known = {one.window: one for one in found}
    return tuple(_explained(finding, known.get(_window(finding))) for finding in findings)


def _window(finding: Finding) -> tuple[str, str, str]:
    return finding.entity_kind.value, finding.entity_id, finding.horizon.value


def _explained(finding: Finding, one: Resemblance | None) -> Finding:
    hard = any(trigger.feature in _HARD for trigger in finding.trigger)
    if one is None or hard or finding.level.rank <= Severity.LOW.rank:
        return finding
    if one.explains(finding.technique):
        workload = workload_words(one.workload)
        said = f"{finding.sentence} But it behaves like {workload}."
        return replace(finding, level=Severity.LOW, sentence=said, explained_by=workload)
    if one.workload == _LIKE_AN_ATTACK and one.workload_share >= _POSSIBLE:
        return replace(finding, sentence=f"{finding.sentence} It may be {workload_words(one.workload)}.")
    return finding
