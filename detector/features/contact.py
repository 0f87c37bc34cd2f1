"""Reference contact: how near an entity's queries come to training records and canaries that the site names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.distances import nearest_distances
from detector.features.drift import SAMPLE
from detector.features.state import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

STRETCHES = 16
SAME = 1e-3
"""Closer than this part of the distance between two ordinary inputs are two copies of one."""
CANARY_REACH = 1e-2
"""Closer than this part of the distance between two ordinary inputs is as close as a copy."""
_PIECE = 8192

COLUMNS = (
    StateColumn("contact_sampled", Merge.SUM),
    StateColumn("training_hits", Merge.SUM),
    StateColumn("approach", Merge.SUM),
    StateColumn("approach_weight", Merge.SUM),
    StateColumn("canary_sampled", Merge.SUM),
    StateColumn("canaries", Merge.SUM),
)


@dataclass(frozen=True)
class Contacts:
    """Views of what the site declared: training records and canaries, float32 (m, d); None where it declared none."""

    training: NDArray[np.float32] | None = None
    canaries: NDArray[np.float32] | None = None


def measure(block: Block, schema: ModelSchema, contacts: Contacts) -> dict[str, NDArray[np.float64]]:
    """Measure distances of sampled queries to training records and canaries."""
    out: dict[str, NDArray[np.float64]] = {column.name: np.zeros(block.entities) for column in COLUMNS}
    if block.view is None or (contacts.training is None and contacts.canaries is None):
        return out
    picked = block.sample(SAMPLE)
    picked = picked[~np.isnan(block.view[picked, 0])]
    owner = block.owner[picked]
    sampled = np.bincount(owner, minlength=block.entities).astype(np.float64)
    if contacts.training is not None:
        nearest = nearest_distances(block.view[picked], contacts.training) / schema.unit
        trend, weight = _trend(nearest, owner, block)
        out |= {
            "contact_sampled": sampled,
            "training_hits": np.bincount(owner, weights=nearest < SAME, minlength=block.entities).astype(np.float64),
            "approach": trend,
            "approach_weight": weight,
        }
    if contacts.canaries is not None:
        # One contact among a hundred thousand queries is what canaries are for: no sample is taken here.
        met = block.owner[_met(block.view, contacts.canaries, schema)]
        hits = np.bincount(met, minlength=block.entities).astype(np.float64)
        out |= {"canary_sampled": sampled, "canaries": hits}
    return out


def _met(view: NDArray[np.float32], canaries: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.int64]:
    """Return the rows of `view` that lie within reach of a canary, ascending.

    The sketch stretches no distance by more than its largest singular value, so what is further than that in its few
    values cannot be near in all of them; the rest is compared in full.
    """
    reach = CANARY_REACH * schema.unit
    # Twice the bound, for what 32 bits lose.
    bound = 2.0 * float(np.linalg.norm(schema.sketch, 2)) * reach
    middle = canaries.mean(axis=0)
    sketched = (canaries - middle) @ schema.sketch
    met = [np.empty(0, dtype=np.int64)]
    for first in range(0, len(view), _PIECE):
        part = view[first : first + _PIECE]
        rows = np.flatnonzero(nearest_distances((part - middle) @ schema.sketch, sketched) <= bound)
        if len(rows):
            met.append(first + rows[nearest_distances(part[rows], canaries) < reach])
    return np.concatenate(met)


def _trend(
    nearest: NDArray[np.float64], owner: NDArray[np.int64], block: Block
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Trend of the distance over the night, and its weight in queries."""
    from detector.features import kernels

    counts = np.bincount(owner, minlength=block.entities)
    trend = np.full(block.entities, np.nan)
    kernels.stretch_trend(nearest, np.concatenate([[0], np.cumsum(counts)]), STRETCHES, trend)
    return block.weighted(trend)


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    watched = states["canary_sampled"]
    return {
        "training_hit_ratio": ratio(states["training_hits"], states["contact_sampled"]),
        "training_distance_trend": ratio(states["approach"], states["approach_weight"]),
        "canary_hits": np.where(watched > 0, states["canaries"], np.nan),
    }
