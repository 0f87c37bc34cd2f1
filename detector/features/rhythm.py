"""Rhythm: when and how often an entity asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.state import entropy, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_GAP_BINS = 16

COLUMNS = (
    StateColumn("queries", Merge.SUM),
    StateColumn("first_ts", Merge.MIN),
    StateColumn("last_ts", Merge.MAX),
    StateColumn("hours", Merge.MAX, 24),
    StateColumn("minute_peak", Merge.MAX),
    StateColumn("gaps", Merge.SUM),
    StateColumn("gap_sum", Merge.SUM),
    StateColumn("gap_square", Merge.SUM),
    StateColumn("gap_bins", Merge.SUM, _GAP_BINS),
    StateColumn("bursts", Merge.SUM),
    StateColumn("burst_modal", Merge.SUM),
)


def measure(block: Block, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Measure gaps, hours, minutes and bursts of each entity."""
    first, last = block.starts[:-1], block.starts[1:] - 1
    gaps = np.diff(block.ts, prepend=block.ts[:1]) / 1e6
    inner = np.ones(len(gaps), dtype=bool)
    inner[first] = False
    clean = np.where(inner, gaps, 0.0)
    logs = np.clip(np.floor((np.log10(np.maximum(gaps, 1e-9)) + 3.0) * _GAP_BINS / 6.56), 0, _GAP_BINS - 1)
    bursts, modal = _bursts(block, gaps, inner)
    return {
        "queries": block.counts.astype(np.float64),
        "first_ts": block.ts[first].astype(np.float64),
        "last_ts": block.ts[last].astype(np.float64),
        "hours": np.minimum(block.histogram(block.ts // _HOUR % 24, 24), 1.0),
        "minute_peak": _peak(block),
        "gaps": block.sums(inner),
        "gap_sum": block.sums(clean),
        "gap_square": block.sums(clean**2),
        "gap_bins": block.histogram(np.where(inner, logs, -1).astype(np.int64), _GAP_BINS),
        "bursts": bursts,
        "burst_modal": modal,
    }


def _peak(block: Block) -> NDArray[np.float64]:
    """Largest number of queries in one minute of the clock, (G,)."""
    minute = block.ts // _MINUTE
    new = np.ones(len(minute), dtype=bool)
    new[1:] = minute[1:] != minute[:-1]
    new[block.starts[:-1]] = True
    at = np.flatnonzero(new)
    sizes = np.diff(np.append(at, len(minute)))
    return np.maximum.reduceat(sizes, np.searchsorted(at, block.starts[:-1])).astype(np.float64)


def _bursts(block: Block, gaps: NDArray[np.float64], inner: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """Count bursts of two or more queries, and those of the most frequent such size."""
    owner = block.owner
    # The gap to the entity before is nobody's: put first, it leaves the median to the entity's own gaps.
    order = np.lexsort((np.where(inner, gaps, -np.inf), owner))
    middle = gaps[order][(block.starts[:-1] + block.starts[1:]) // 2]
    new = ~inner | (gaps > 10.0 * np.maximum(middle, 1e-6)[owner])
    at = np.flatnonzero(new)
    sizes = np.diff(np.append(at, len(gaps)))
    whose, size = owner[at][sizes > 1], sizes[sizes > 1]
    if not len(size):
        return np.zeros(block.entities), np.zeros(block.entities)
    pairs, counts = np.unique(np.stack([whose, size]), axis=1, return_counts=True)
    total, modal = np.zeros(block.entities), np.zeros(block.entities)
    np.add.at(total, pairs[0], counts)
    np.maximum.at(modal, pairs[0], counts)
    return total, modal


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    gaps = states["gaps"]
    mean = ratio(states["gap_sum"], gaps)
    variance = np.maximum(ratio(states["gap_square"], gaps) - mean**2, 0.0)
    enough = gaps >= 10
    return {
        "query_count": states["queries"],
        "active_hours": states["hours"].sum(axis=1),
        "peak_rate_per_minute": states["minute_peak"],
        "interarrival_cv": np.where(enough, ratio(np.sqrt(variance), mean), np.nan),
        "interarrival_entropy": np.where(enough, entropy(states["gap_bins"]) / np.log(_GAP_BINS), np.nan),
        "block_regularity": np.where(states["bursts"] >= 5, ratio(states["burst_modal"], states["bursts"]), np.nan),
    }
