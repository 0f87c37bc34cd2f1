"""Benign windows for the tests: every feature drawn from a distribution of its own."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from detector.baseline.model import Baseline, BaselineKind
from detector.features.registry import BY_NAME, NAMES
from detector.model import EntityKind, Horizon
from detector.store.window_rows import WindowRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NIGHTS = (date(2026, 11, 10), date(2026, 11, 11), date(2026, 11, 12))


def benign(windows: int, seed: int = 0) -> NDArray[np.float64]:
    """Draw windows inside each feature's range: skewed where it is unbounded, as counts and ratios are."""
    rng = np.random.default_rng(1_110 + seed)
    columns = []
    for name in NAMES:
        spec = BY_NAME[name]
        if spec.low is not None and spec.high is not None:
            columns.append(spec.low + (spec.high - spec.low) * rng.beta(2.0, 5.0, windows))
        elif spec.low is not None:
            columns.append(spec.low + rng.lognormal(1.0, 0.8, windows))
        else:
            columns.append(rng.normal(size=windows))
    return np.stack(columns, axis=1)


def baseline_of(night: NDArray[np.float64], trailing: NDArray[np.float64] | None = None) -> Baseline:
    """Return a baseline that holds these windows as they are."""
    return Baseline(
        id="m@1",
        model="m",
        version=1,
        kind=BaselineKind.LEARNED,
        nights=NIGHTS,
        clients=len(night),
        left_out=(('ewé, "x"', "in an incident"),),
        night=night,
        trailing=night if trailing is None else trailing,
    )


def row(
    client: str,
    features: Mapping[str, float],
    *,
    horizon: Horizon = Horizon.NIGHT,
    queries: int = 100,
    kind: EntityKind = EntityKind.CLIENT,
) -> WindowRow:
    """Return a stored window; NaN is left out, as the store leaves nulls out."""
    told = {name: float(value) for name, value in features.items() if name != "query_count" and not np.isnan(value)}
    return WindowRow(horizon.value, kind.value, client, queries, 0, 1, (), json.dumps(told), None)


def rows_of(matrix: NDArray[np.float64], *, prefix: str = "c", horizon: Horizon = Horizon.NIGHT) -> list[WindowRow]:
    """Return a window a row of `matrix`, each of a client of its own."""
    return [
        row(f"{prefix}{position:04d}", dict(zip(NAMES, values, strict=True)), horizon=horizon)
        for position, values in enumerate(matrix)
    ]
