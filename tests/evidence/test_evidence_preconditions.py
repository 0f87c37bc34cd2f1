from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from evidence_making import BEGINS, SECOND, climb_incident, context, queries

from detector.config import ModelSettings
from detector.evidence import preconditions
from detector.evidence.context import Bystanders, Trace
from detector.evidence.numbers import decimals
from detector.evidence.preconditions import Holds
from detector.model import Member, Severity

if TYPE_CHECKING:
    from detector.evidence.context import IncidentContext
    from detector.evidence.preconditions import Precondition

VALUES = np.linspace(0.1001, 0.9003, 30)


def _asked(values: Any = VALUES, **columns: Any) -> Any:
    return queries(np.stack([values, 1 - values], axis=1), classes=("cat", "dog"), **columns)


def _rows(asked: IncidentContext, audit: Any = None) -> dict[str, Precondition]:
    return {one.name.split()[0]: one for one in preconditions.examine(asked, audit).rows}


def _trace(near: float) -> Trace:
    ts = BEGINS + SECOND * np.arange(30)
    return Trace(ts, np.zeros(30, np.int32), np.full(30, near, np.float32), np.arange(30), BEGINS)


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ([0.5, 1.0, 0.0], 1),
        ([0.25, 0.5], 2),
        ([0.1234, 0.5], 4),
        ([1 / 3, 2 / 7], 7),
        ([0.0, 1.0], None),
        ([float("nan")], None),
    ],
)
def test_how_many_digits_probabilities_have(values: list[float], digits: int | None) -> None:
    assert decimals(np.array(values, dtype=np.float32)) == digits


def test_scores_are_told_by_what_the_answers_hold() -> None:
    exact = _rows(context(queries=_asked()))["Exact"]
    assert (exact.holds, "to 7 decimals or more" in exact.found) == (Holds.HELD, True)
    rounded = _rows(context(queries=_asked(np.round(VALUES, 2))))["Exact"]
    assert (rounded.holds, "to 2 decimals" in rounded.found) == (Holds.NOT_HELD, True)
    certain = _rows(context(queries=_asked(np.round(VALUES))))["Exact"]
    assert "each 0 or 1" in certain.found
    labels = np.array(["cat"] * 3, dtype=object)
    assert "labels alone" in _rows(context(queries=queries(count=3, label=labels)))["Exact"].found
    assert _rows(context(queries=queries(count=3)))["Exact"].holds is Holds.UNKNOWN
    alone = _rows(context(queries=queries(count=3, confidence=np.array([0.123, 0.456, 0.789]))))["Exact"]
    assert "100% of the answers tell a confidence, to 3 decimals" in alone.found


def test_limits_that_were_met_show_as_refusals() -> None:
    crowd = Bystanders(2, ("2026-11-13",), np.array([3, 8]), np.array([9, 9]), np.ones(2, bool), np.zeros(2), 7)
    free = _rows(context(queries=_asked(), trace=_trace(0.1), bystanders=crowd))["No"]
    assert free.holds is Holds.HELD
    assert "at least 30 queries in an hour; the busiest benign client sent 8. None was refused." in free.found
    status = np.where(np.arange(30) < 4, 429.0, 200.0)
    held = _rows(context(queries=_asked(status=status), trace=_trace(0.1)))["No"]
    assert (held.holds, "4 were refused" in held.found) == (Holds.NOT_HELD, True)
    assert _rows(context(queries=_asked()))["No"].holds is Holds.UNKNOWN


@pytest.mark.parametrize(("near", "holds"), [(0.1, Holds.HELD), (0.9, Holds.NOT_HELD), (float("nan"), Holds.UNKNOWN)])
def test_variations_are_measured(near: float, holds: Holds) -> None:
    assert _rows(context(queries=_asked(), trace=_trace(near)))["Slight"].holds is holds


def test_accounts_white_box_and_sensitivity() -> None:
    plain = _rows(context(queries=_asked()))
    assert [plain[name].holds for name in ("Several", "Gradients", "The")] == [
        Holds.NOT_HELD,
        Holds.NOT_HELD,
        Holds.UNKNOWN,
    ]
    operation = np.array(["gradients"] * 10 + ["predict"] * 20, dtype=object)
    two = tuple(Member(name, climb_incident().nights, 15, Severity.HIGH) for name in ("a", "b"))
    worse = _rows(
        context(
            queries=_asked(operation=operation),
            incident=climb_incident(members=two),
            settings=ModelSettings(sensitivity="health"),
        )
    )
    assert [worse[name].holds for name in ("Several", "Gradients", "The")] == [Holds.HELD, Holds.HELD, Holds.HELD]
    assert "10 to gradients" in worse["Gradients"].found
    assert "health" in worse["The"].found
    assert _rows(context())["Gradients"].holds is Holds.UNKNOWN


class _Audit:
    member_median, other_median = 0.999, 0.91

    def __init__(self, auc: float) -> None:
        self.auc = auc


def test_over_confidence_needs_confidences_of_members() -> None:
    told = preconditions.examine(context(queries=_asked()), None).rows
    (missing,) = [one for one in told if "surer" in one.name]
    assert (missing.holds, "column confidence" in missing.found) == (Holds.UNKNOWN, True)
    for auc, holds in ((0.7, Holds.HELD), (0.51, Holds.NOT_HELD)):
        rows = preconditions.examine(context(queries=_asked()), _Audit(auc)).rows  # type: ignore[arg-type]
        (found,) = [one for one in rows if "surer" in one.name]
        assert (found.holds, f"in {auc:.0%} of pairs" in found.found) == (holds, True)
