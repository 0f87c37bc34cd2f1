from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from detector.detect.anomaly import anomalies
from detector.detect.anomaly.detectors import JUDGED
from detector.features.registry import BY_NAME, NAMES
from detector.model import EntityKind, Finding, Horizon, Severity, Technique, Windows
from tests.baseline.baseline_making import baseline_of, benign

NIGHT = date(2026, 11, 13)
BUDGET = 5e-4
BASELINE = baseline_of(benign(300))
MIDDLE = np.median(benign(400), axis=0)
RULES = {"anomaly.isolation_forest", "anomaly.histogram", "anomaly.tail"}


def _windows(matrix: np.ndarray, prefix: str = "x", baseline: object = BASELINE, **columns: object) -> Windows:
    """Return nightly windows of clients with their tails."""
    features = pd.DataFrame(matrix, columns=list(NAMES))
    names = [f"{prefix}{number}" for number in range(len(matrix))]
    identity = pd.DataFrame(
        {
            "entity_kind": EntityKind.CLIENT.value, "entity_id": names, "horizon": Horizon.NIGHT.value,
            "query_count": 100, "first_ts": 1, "last_ts": 2, "clients": [(name,) for name in names],
        }
    )  # fmt: skip
    frame = pd.concat([identity.assign(**columns), features.drop(columns="query_count")], axis=1)
    tails = baseline.tails(frame, Horizon.NIGHT)  # type: ignore[attr-defined]
    return Windows("m", NIGHT, frame.join(tails), "m@1")


def _moved(**values: float) -> np.ndarray:
    """Return an ordinary window with some features moved."""
    row = MIDDLE.copy()
    for name, value in values.items():
        row[NAMES.index(name)] = value
    return row[None]


ATTACK = {"confidence_ascent": 0.99, "confidence_record_z": 25.0, "record_asymmetry": 15.0, "near_duplicate_ratio": 1.0}


def _found(windows: Windows, budget: float = BUDGET) -> tuple[Finding, ...]:
    return anomalies(windows, BASELINE, budget=budget)


def _farthest() -> np.ndarray:
    """Return a window at the suspicious end of every feature."""
    ends = {}
    for name in JUDGED:
        spec = BY_NAME[name]
        low, high = (-500.0 if spec.low is None else spec.low), (500.0 if spec.high is None else spec.high)
        ends[name] = low if spec.suspicious == "low" else high
    return _moved(**ends)


def test_a_window_unlike_any_benign_one_is_found_by_every_detector() -> None:
    found = _found(_windows(_farthest()))
    assert {one.rule for one in found} == RULES
    for one in found:
        assert one.level is Severity.LOW
        assert one.technique is Technique.PROBING
        assert one.p is not None
        assert 0 < one.p < BUDGET
        assert (one.entity_id, one.clients, one.night, one.baseline) == ("x0", ("x0",), NIGHT, "m@1")
        assert one.query_count == 100


def test_a_few_features_far_out_are_enough_for_the_tail_score() -> None:
    assert {one.rule for one in _found(_windows(_moved(**ATTACK)))} == {"anomaly.tail"}


@pytest.mark.parametrize("names", [["confidence_ascent", "record_asymmetry", "near_duplicate_ratio"],
                                   ["input_psi_max", "input_psi_mean", "sliced_wasserstein"]])  # fmt: skip
def test_a_finding_names_the_features_that_were_moved(names: list[str]) -> None:
    far = {name: 1.0 if BY_NAME[name].high == 1 else 400.0 for name in names}
    found = _found(_windows(_moved(**far)))
    assert found
    for one in found:
        assert sorted(trigger.feature for trigger in one.trigger[:3]) == sorted(names)
        for trigger in one.trigger[:3]:
            assert trigger.value == far[trigger.feature]
            assert trigger.tail is not None
            assert trigger.tail > 2.0
        for name in names:
            assert f"{name.replace('_', ' ')} ({BY_NAME[name].signal})" in one.sentence


def test_an_ordinary_window_is_not_found() -> None:
    assert _found(_windows(MIDDLE[None])) == ()


def test_benign_windows_held_out_keep_to_the_budget() -> None:
    counts = dict.fromkeys(RULES, 0)
    for seed in range(4):
        held = baseline_of(benign(200, seed=100 + seed))
        for one in anomalies(_windows(benign(1000, seed=200 + seed), baseline=held), held, budget=BUDGET):
            counts[one.rule] += 1
    # 4,000 windows: two of each detector are expected, and an extrapolation from 100 scores is good to a factor.
    assert max(counts.values()) <= 20, counts


def test_a_small_baseline_does_not_cry_wolf() -> None:
    held = baseline_of(benign(50, seed=7))
    found = anomalies(_windows(benign(2000, seed=8), baseline=held), held, budget=BUDGET)
    assert len(found) <= 20


def test_a_flood_of_shifted_windows_changes_nothing_for_the_others() -> None:
    mine = np.concatenate([_moved(**ATTACK), benign(20, seed=3)])
    flood = np.concatenate([benign(1960, seed=4) + 0.03, np.repeat(_farthest(), 40, axis=0)])
    alone = _found(_windows(mine))
    both = _windows(np.concatenate([mine, flood]), prefix="x")
    beside = tuple(one for one in _found(both) if int(one.entity_id[1:]) < len(mine))
    assert beside == alone
    assert {one.entity_id for one in alone} >= {"x0"}


def test_the_order_of_windows_changes_nothing() -> None:
    windows = _windows(np.concatenate([benign(30, seed=5), _moved(**ATTACK)]))
    back = Windows("m", NIGHT, windows.frame.iloc[::-1].reset_index(drop=True), "m@1")
    assert sorted(_found(windows), key=lambda one: one.id) == sorted(_found(back), key=lambda one: one.id)


def test_the_same_night_is_judged_the_same_twice() -> None:
    windows = _windows(np.concatenate([benign(30, seed=5), _moved(**ATTACK)]))
    assert _found(windows) == _found(windows)


def test_findings_have_ids_of_their_own() -> None:
    found = _found(_windows(np.repeat(_moved(**ATTACK), 5, axis=0)))
    assert len({one.id for one in found}) == len(found) >= 5
    assert all(len(one.id) == 16 for one in found)


@pytest.mark.parametrize(
    "columns",
    [
        {"query_count": 29},
        {"entity_kind": EntityKind.NETWORK.value},
        {"horizon": Horizon.TRAILING.value},
    ],
)
def test_small_pooled_and_trailing_windows_are_not_judged(columns: dict[str, object]) -> None:
    assert _found(_windows(_moved(**ATTACK), **columns)) == ()


def test_volume_pace_and_company_are_not_judged() -> None:
    left_out = set(NAMES) - set(JUDGED)
    assert left_out >= {"query_count", "peak_rate_per_minute", "confidence_request_lift"}
    assert _found(_windows(_moved(**dict.fromkeys(left_out, 1e9)))) == ()


def test_nulls_are_no_surprise() -> None:
    assert _found(_windows(np.full((3, len(NAMES)), np.nan))) == ()
    some = _moved(**ATTACK)
    some[0, [NAMES.index(name) for name in JUDGED if name not in ATTACK]] = np.nan
    for one in _found(_windows(some)):
        assert {trigger.feature for trigger in one.trigger} <= set(ATTACK)


def test_a_baseline_with_nulls_still_judges() -> None:
    night = benign(400)
    night[:, NAMES.index("canary_hits")] = np.nan
    night[::3, NAMES.index("input_psi_mean")] = np.nan
    held = baseline_of(night)
    found = anomalies(_windows(_moved(**ATTACK, canary_hits=90.0), baseline=held), held, budget=BUDGET)
    assert found
    assert all("canary_hits" not in {trigger.feature for trigger in one.trigger} for one in found)


def test_a_baseline_too_small_to_be_halved_says_nothing() -> None:
    held = baseline_of(benign(39))
    assert anomalies(_windows(_moved(**ATTACK), baseline=held), held, budget=BUDGET) == ()


def test_an_empty_night_gives_no_findings() -> None:
    assert _found(_windows(np.empty((0, len(NAMES))))) == ()


def test_a_tighter_budget_finds_no_more() -> None:
    windows = _windows(np.concatenate([benign(100, seed=11), _moved(**ATTACK)]))
    sizes = [len(_found(windows, budget)) for budget in (0.1, 0.01, 5e-4, 0.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0
    assert sizes[-1] == 0
