"""Lineage: queries that descend from one another, and whether those that scored better have the offspring.

A search asks variations of its own earlier queries. Linked to the nearest of those before it, its queries form one
thread, however much natural traffic, and however many other targets, lie in between; what an optimiser does shows
within its thread, and what an explainer does as many short threads in which nothing rises. The structure is that of
query provenance analysis (QPA, IEEE S&P 2025); what is measured along it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.state import FEWEST, enough, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

PARENT = 0.5
_LONG = 40

COLUMNS = (
    StateColumn("kin", Merge.SUM),
    StateColumn("kin_compared", Merge.SUM),
    StateColumn("threaded", Merge.SUM),
    StateColumn("longest_thread", Merge.MAX),
    StateColumn("thread_steepness", Merge.BEST, group="thread"),
    StateColumn("thread_ascent", Merge.BEST, group="thread"),
    StateColumn("thread_rise", Merge.BEST, group="thread"),
    StateColumn("thread_reached", Merge.BEST, group="thread"),
    StateColumn("selected", Merge.SUM, 4),
    StateColumn("selected_backwards", Merge.SUM, 4),
    StateColumn("parent_rank", Merge.SUM, 3),
    StateColumn("parent_rank_backwards", Merge.SUM, 3),
)


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Link each query to the one it varies, and look along the threads that come of it."""
    zero = np.zeros(block.entities)
    null = np.full(block.entities, np.nan)
    out: dict[str, NDArray[np.float64]] = {
        "kin": zero, "kin_compared": zero, "threaded": zero, "longest_thread": null,
        "thread_steepness": null, "thread_ascent": null, "thread_rise": null, "thread_reached": null,
        "selected": np.zeros((block.entities, 4)), "selected_backwards": np.zeros((block.entities, 4)),
        "parent_rank": np.zeros((block.entities, 3)), "parent_rank_backwards": np.zeros((block.entities, 3)),
    }  # fmt: skip
    if block.view is None or not schema.has_view:
        return out
    from detector.features import kernels_lineage as kernels

    sketch = np.ascontiguousarray(block.view @ schema.sketch)
    parent, close, same = _kin(block, block.view, sketch, schema, backwards=False)
    rows, bounds, owner = _threads(block, parent, close, same)
    size = np.diff(bounds)
    climbs = _climbs(block, rows, bounds)
    target = block.pursued[block.owner]
    target[rows] = np.repeat(climbs[:, 2], size).astype(np.int64)
    kernels.selection(block.probabilities, target, block.starts, parent, out["selected"])
    kernels.parent_ranks(block.probabilities, target, block.starts, parent, False, out["parent_rank"])
    later, _, _ = _kin(block, block.view, sketch, schema, backwards=True)
    kernels.selection(block.probabilities, target, block.starts, later, out["selected_backwards"])
    kernels.parent_ranks(block.probabilities, target, block.starts, later, True, out["parent_rank_backwards"])
    longest = np.zeros(block.entities)
    np.maximum.at(longest, owner, size)
    return out | {
        "kin": block.sums(close),
        "kin_compared": block.sums(~np.isnan(block.view[:, 0])),
        "threaded": np.bincount(owner, weights=size, minlength=block.entities).astype(np.float64),
        "longest_thread": longest,
        **_steepest(climbs, size, owner, block.entities),
    }


def threaded_rows(block: Block, schema: ModelSchema) -> NDArray[np.int64]:
    """Return the rows of `block`, which has a view, that lie in threads of at least 40 queries."""
    if block.view is None:
        return np.empty(0, dtype=np.int64)
    sketch = np.ascontiguousarray(block.view @ schema.sketch)
    rows, _, _ = _threads(block, *_kin(block, block.view, sketch, schema, backwards=False))
    return rows


def _threads(
    block: Block, parent: NDArray[np.int64], close: NDArray[np.bool_], same: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    from detector.features import kernels_lineage as kernels

    thread = np.empty(len(parent), dtype=np.int64)
    kernels.follow_threads(parent, close, same, thread)
    return _long_threads(thread, block)


def _kin(
    block: Block, view: NDArray[np.float32], sketch: NDArray[np.float32], schema: ModelSchema, *, backwards: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return each query's parent, whether that is close kin, and the latest equal query; later ones if `backwards`."""
    from detector.features import kernels_lineage as kernels

    parent, same = np.empty(len(view), dtype=np.int64), np.empty(len(view), dtype=np.int64)
    distance = np.empty(len(view), dtype=np.float32)
    kernels.nearest_kin(
        view, sketch, block.starts, block.probabilities, block.pursued, PARENT * schema.unit, backwards, parent,
        distance, same,
    )  # fmt: skip
    return parent, (parent >= 0) & (distance < schema.kin_radius**2), same


def _long_threads(
    thread: NDArray[np.int64], block: Block
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of threads of at least _LONG queries, thread by thread in time; their bounds; their entities."""
    counts = np.bincount(thread, minlength=len(thread))
    rows = np.flatnonzero(counts[thread] >= _LONG)
    rows = rows[np.argsort(thread[rows], kind="stable")]
    names, firsts = np.unique(thread[rows], return_index=True)
    bounds = np.append(firsts, len(rows)).astype(np.int64)
    return rows, bounds, block.owner[names]


def _climbs(block: Block, rows: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each long thread's steepest segment: see `kernels.best_segment`."""
    from detector.features import kernels

    out = np.full((len(bounds) - 1, 10), np.nan)
    kernels.best_segment(block.probabilities[rows], block.label[rows], bounds, out)
    return out


def _steepest(
    climbs: NDArray[np.float64], size: NDArray[np.int64], owner: NDArray[np.int64], entities: int
) -> dict[str, NDArray[np.float64]]:
    """Return the steepest thread of each entity; a short one has to be steeper, as chance is there."""
    from detector.features.kernels import SEGMENT

    short = np.sqrt(np.minimum(size, SEGMENT) / SEGMENT)
    weight = climbs[:, 0] * short
    order = np.lexsort((climbs[:, 6], np.nan_to_num(weight, nan=-np.inf), owner))
    last = np.flatnonzero(np.diff(owner[order], append=-1) != 0)
    best, names = order[last], owner[order][last]
    columns = {
        "thread_steepness": weight,
        "thread_ascent": climbs[:, 1] * short,
        "thread_rise": climbs[:, 6] - climbs[:, 5],
        "thread_reached": climbs[:, 6],
    }
    out = {}
    for name, values in columns.items():
        out[name] = np.full(entities, np.nan)
        out[name][names] = values[best]
    return out


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    compared = enough(states["kin_compared"])
    forward, backward = _selection_z(states["selected"]), _selection_z(states["selected_backwards"])
    return {
        "kin_ratio": ratio(states["kin"], compared),
        "thread_share": ratio(states["threaded"], compared),
        "thread_length": np.where(compared > 0, states["longest_thread"], np.nan),
        "thread_ascent": states["thread_ascent"],
        "thread_rise": np.clip(states["thread_rise"], -1.0, 1.0),
        "parent_rank": ratio(states["parent_rank"][:, 1], enough(states["parent_rank"][:, 0])),
        "parent_rank_asymmetry": _rank_gap(states["parent_rank"], states["parent_rank_backwards"]),
        "offspring_selection": forward,
        "offspring_asymmetry": (forward - backward) / np.sqrt(2.0),
    }


def _selection_z(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many deviations the better queries' share of parents exceeds the others' by; null below 20 of each."""
    better, better_parents, worse, worse_parents = counts.T
    pooled = ratio(better_parents + worse_parents, better + worse)
    both = (better >= FEWEST) & (worse >= FEWEST)
    spread = np.sqrt(
        np.maximum(pooled * (1.0 - pooled), 1e-6)
        * (ratio(np.ones_like(better), better) + ratio(np.ones_like(worse), worse))
    )
    return np.where(both, (ratio(better_parents, better) - ratio(worse_parents, worse)) / spread, np.nan)


def _rank_gap(forward: NDArray[np.float64], backward: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean rank of parents minus that with time reversed; null below 20 of each."""
    ahead = ratio(forward[:, 1], enough(forward[:, 0]))
    return ahead - ratio(backward[:, 1], enough(backward[:, 0]))
