"""Windows against a frozen baseline: isolation forest, histogram score and tail score.

A window's score depends on the baseline and on the window alone, never on what else came that night. The two of pyod
are fitted anew from the baseline's matrix with a fixed seed, so that nothing is ever unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.features.registry import BY_NAME, NAMES
from detector.hashing import short_id
from detector.model import ANOMALY_PREFIX, EntityKind, Finding, Horizon, Segment, Severity, Technique, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from detector.baseline.model import Baseline
    from detector.model import Windows

SEED = 20_240_229
_FEWEST_QUERIES = 30
_NAMED = 5
# Volume, pace and clock hours are left out: an attacker can slow down, and a customer can be fast. So is what compares
# with the other clients of the night: an attacker who floods it would move everybody's score.
_LEFT_OUT = frozenset(
    {
        "query_count",
        "active_hours",
        "peak_rate_per_minute",
        "interarrival_cv",
        "interarrival_entropy",
        "block_regularity",
        "confidence_request_lift",
    }
)
JUDGED = tuple(name for name in NAMES if name not in _LEFT_OUT)


@dataclass(frozen=True)
class _Detector:
    name: str
    title: str
    fit: Callable[[NDArray[np.float64]], Callable[[NDArray[np.float64]], NDArray[np.float64]]]


def _isolation_forest(benign: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    from pyod.models.iforest import IForest

    model = IForest(n_estimators=100, random_state=SEED, n_jobs=1).fit(benign)
    return lambda rows: np.asarray(model.decision_function(rows))


def _histogram(benign: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    from pyod.models.hbos import HBOS

    # With a fixed number of bins pyod compiles its scoring anew in every process, which takes seconds.
    model = HBOS(n_bins="auto").fit(benign)
    return lambda rows: np.asarray(model.decision_function(rows))


def _tail_score(benign: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Mean of the three largest surprises: the windows come as tails already."""
    del benign
    return lambda rows: np.sort(rows, axis=1)[:, -3:].mean(axis=1)


_DETECTORS = (
    _Detector("isolation_forest", "Unlike the model's benign clients (isolation forest)", _isolation_forest),
    _Detector("histogram", "Unlike the model's benign clients (histogram score)", _histogram),
    _Detector("tail", "Several features far in their benign tails", _tail_score),
)


def anomalies(windows: Windows, baseline: Baseline, *, budget: float) -> tuple[Finding, ...]:
    """Return a finding for each detector and client window that scores beyond the budget.

    Args:
        windows: a night's windows with their `_tail` columns.
        baseline: what they are compared to.
        budget: tail probability below which a detector speaks.

    Returns:
        Findings of level low, in order of detector and window.
    """
    frame = windows.frame
    mine = (frame["entity_kind"] == EntityKind.CLIENT.value) & (frame["query_count"] >= _FEWEST_QUERIES)
    chosen = frame[mine & (frame["horizon"] == Horizon.NIGHT.value)]
    if chosen.empty:
        return ()
    halves = [_half(baseline, half, chosen) for half in range(2)]
    found: list[Finding] = []
    for detector in _DETECTORS:
        p = _calibrated(detector, halves)
        found.extend(
            _finding(detector, windows, chosen.iloc[i], float(p[i]), baseline.id) for i in np.flatnonzero(p < budget)
        )
    return tuple(found)


@dataclass(frozen=True)
class _Half:
    """Surprises by one half of the baseline: its own windows, those of the other half, and the night's.

    A window is never as surprising to a distribution that it helped to make: only the other half is comparable with
    the night, and a detector that was calibrated on its own windows would speak of every second client.
    """

    own: NDArray[np.float64]
    others: NDArray[np.float64]
    rows: NDArray[np.float64]


def _half(baseline: Baseline, half: int, chosen: pd.DataFrame) -> _Half:
    known = replace(baseline, night=baseline.night[half::2])
    frames = [_as_frame(known.night), _as_frame(baseline.night[1 - half :: 2]), chosen]
    return _Half(*(_surprises(known.tails(frame, Horizon.NIGHT)) for frame in frames))


def _as_frame(matrix: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(matrix, columns=list(NAMES))


def _surprises(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Tails of the judged features; a null is no surprise."""
    return np.nan_to_num(frame[[f"{name}_tail" for name in JUDGED]].to_numpy(dtype=np.float64))


def _calibrated(detector: _Detector, halves: Sequence[_Half]) -> NDArray[np.float64]:
    """Tail probability of each row's score among benign windows that the detector was not fitted on."""
    p = np.zeros(len(halves[0].rows))
    for half in halves:
        score = detector.fit(half.own)
        p += _upper_p(score(half.rows), np.sort(score(half.others))) / len(halves)
    return p


def _upper_p(values: NDArray[np.float64], held: NDArray[np.float64]) -> NDArray[np.float64]:
    from detector.baseline.model import tail

    told = tail(values, held, "high")
    return np.where(np.isnan(told), 1.0, 10.0**-told)


def _finding(detector: _Detector, windows: Windows, row: pd.Series, p: float, baseline: str) -> Finding:
    tails = row[[f"{name}_tail" for name in JUDGED]].astype(float).fillna(0.0)
    strongest = [
        name.removesuffix("_tail") for name in tails.sort_values(ascending=False, kind="stable").index[:_NAMED]
    ]
    triggers = tuple(
        Trigger(name, float(row[name]), tail=float(row[f"{name}_tail"]))
        for name in strongest
        if row[f"{name}_tail"] > 0
    )
    words = ", ".join(f"{t.feature.replace('_', ' ')} ({BY_NAME[t.feature].signal})" for t in triggers[:3])
    entity, rule = str(row["entity_id"]), ANOMALY_PREFIX + detector.name
    return Finding(
        id=short_id(rule, windows.model, EntityKind.CLIENT, entity, Horizon.NIGHT, windows.night.isoformat()),
        rule=rule,
        title=detector.title,
        level=Severity.LOW,
        technique=Technique.PROBING,
        model=windows.model,
        entity_kind=EntityKind.CLIENT,
        entity_id=entity,
        horizon=Horizon.NIGHT,
        night=windows.night,
        clients=tuple(row["clients"]),
        trigger=triggers,
        sentence=f"At most one benign client night in {round(1 / max(p, 1e-9)):,} is this far out: {words}.",
        query_count=int(row["query_count"]),
        segment=Segment(int(row["first_ts"]), int(row["last_ts"])),
        atlas=("AML.T0040",),
        p=p,
        baseline=baseline,
    )
