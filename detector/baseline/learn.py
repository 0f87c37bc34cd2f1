"""Learning a baseline from nights: every client counts alike, and the clients that stand out do not count at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from detector.baseline.model import FEWEST_WINDOWS, Baseline, BaselineKind
from detector.errors import BaselineError
from detector.features.registry import NAMES
from detector.model import EntityKind, Horizon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from detector.store.window_rows import WindowRow

FEWEST_NIGHTS = 3
_MOST_WINDOWS = 5000
# A client this many robust deviations out in this many features at once does not describe what is normal.
_FAR = 12.0
_FAR_FEATURES = 5
_MOST_LEFT_OUT = 0.05


def learn(
    model: str,
    version: int,
    kind: BaselineKind,
    nights: Sequence[date],
    windows: Mapping[Horizon, Sequence[WindowRow]],
    suspects: frozenset[str] = frozenset(),
) -> Baseline:
    """Learn a baseline.

    Args:
        model: which model.
        version: number of the new baseline.
        kind: provisional, learned or reference.
        nights: the nights that the windows are of.
        windows: the stored windows of those nights.
        suspects: clients in an incident of severity medium or higher in those nights.

    Raises:
        BaselineError: fewer windows are left than a distribution needs.
    """
    own = [row for row in windows[Horizon.NIGHT] if row.entity_kind == EntityKind.CLIENT]
    kept = [row for row in own if row.entity_id not in suspects]
    outlying = _outlying(kept)
    left_out = sorted((name, "in an incident") for name in suspects & {row.entity_id for row in own})
    left_out += sorted((name, "far from the other clients in several features at once") for name in outlying)
    out = suspects | outlying
    matrices = {
        h: _matrix(_thinned([r for r in windows[h] if r.entity_kind == EntityKind.CLIENT and r.entity_id not in out]))
        for h in Horizon
    }
    if len(matrices[Horizon.NIGHT]) < FEWEST_WINDOWS:
        raise BaselineError(
            f"only {len(matrices[Horizon.NIGHT])} client windows of model {model!r} could be used",
            expected=f"at least {FEWEST_WINDOWS}",
        )
    return Baseline(
        id=f"{model}@{version}",
        model=model,
        version=version,
        kind=kind,
        nights=tuple(sorted(nights)),
        clients=len({row.entity_id for row in own} - out),
        left_out=tuple(left_out),
        night=matrices[Horizon.NIGHT],
        trailing=matrices[Horizon.TRAILING],
    )


def _thinned(rows: Sequence[WindowRow]) -> Sequence[WindowRow]:
    """Return evenly spaced rows where there are too many."""
    if len(rows) <= _MOST_WINDOWS:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, _MOST_WINDOWS).astype(int)]


def _matrix(rows: Sequence[WindowRow]) -> NDArray[np.float64]:
    """Return the windows as (W, F)."""
    out = np.full((len(rows), len(NAMES)), np.nan)
    for position, row in enumerate(rows):
        told = json.loads(row.features) | {"query_count": row.query_count}
        out[position] = [told.get(name, np.nan) for name in NAMES]
    return out


def _outlying(rows: Sequence[WindowRow]) -> frozenset[str]:
    """Return the clients, at most one in twenty, whose windows lie far out in several features at once.

    Volume and pace are left out: a large customer is normal.
    """
    if len(rows) < FEWEST_WINDOWS:
        return frozenset()
    values = _matrix(rows)
    judged = [p for p, name in enumerate(NAMES) if name not in {"query_count", "peak_rate_per_minute"}]
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.array([np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else np.nan for c in values.T])
        gap = np.abs(values - middle)
        spread = np.array([1.4826 * np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else np.nan for c in gap.T])
        floor = np.maximum(spread, 0.02 * np.maximum(np.abs(middle), 1.0))
        far = (np.nan_to_num(gap / floor)[:, judged] > _FAR).sum(axis=1)
    worst: dict[str, int] = {}
    for row, count in zip(rows, far, strict=True):
        worst[row.entity_id] = max(worst.get(row.entity_id, 0), int(count))
    ranked = sorted((name for name, count in worst.items() if count >= _FAR_FEATURES), key=lambda n: (-worst[n], n))
    return frozenset(ranked[: int(_MOST_LEFT_OUT * len(worst))])
