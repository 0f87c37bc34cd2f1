"""Systematic variation: is each query a deliberate change of an earlier one?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.state import enough, ratio
from detector.model import InputKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

STRETCHES = 32
NEAR = 0.25
_SAME_LINE = 0.999
_SAME_MIDPOINT = 1.0 / 3.0
_DISTANCE_BINS = 64
_FIELD_BINS = 32

COLUMNS = (
    StateColumn("compared", Merge.SUM),
    StateColumn("distance_bins", Merge.SUM, _DISTANCE_BINS),
    StateColumn("near", Merge.SUM),
    StateColumn("single", Merge.SUM),
    StateColumn("enumerated", Merge.SUM),
    StateColumn("fields_changed", Merge.SUM, _FIELD_BINS),
    StateColumn("below", Merge.SUM),
    StateColumn("turns", Merge.SUM),
    StateColumn("straight", Merge.SUM),
    StateColumn("halved", Merge.SUM),
    StateColumn("pairs", Merge.SUM),
    StateColumn("mirrored", Merge.SUM),
    StateColumn("step_trend", Merge.SUM),
    StateColumn("step_weight", Merge.SUM),
    StateColumn("spread_trend", Merge.SUM),
    StateColumn("spread_weight", Merge.SUM),
)

# Inputs of which the view holds every number.
_SHOWN = frozenset({InputKind.VECTOR, InputKind.EMBEDDING})


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Compare each query with those before it."""
    near = block.neighbours
    if near is None or block.view is None:
        return {
            c.name: np.zeros((block.entities, c.width)) if c.width > 1 else np.zeros(block.entities) for c in COLUMNS
        }
    from detector.features import kernels

    n = len(block.ts)
    length, cosine, midpoint = np.empty(n), np.empty(n), np.empty(n)
    kernels.consecutive_steps(block.view, block.starts, block.field_of, length, cosine, midpoint)
    compared = np.isfinite(near.distance)
    scaled = near.distance / schema.unit
    logs = np.floor((np.log2(np.where(compared, np.maximum(scaled, 1e-9), 1.0)) + 14.0) * 4.0)
    bins = np.where(compared, np.clip(logs, 0, _DISTANCE_BINS - 1), -1).astype(np.int64)
    turned = ~np.isnan(cosine)
    straight = turned & (np.abs(cosine) > _SAME_LINE)
    shrink = length / np.concatenate([[np.nan], np.maximum(length[:-1], 1e-30)])
    paired = ~np.isnan(midpoint)
    again = near.single & np.concatenate([[False], (near.field[1:] == near.field[:-1]) & near.single[:-1]])
    again[block.starts[:-1]] = False
    trends = _trends(block, length)
    return {
        "compared": block.sums(compared),
        "distance_bins": block.histogram(bins, _DISTANCE_BINS),
        "near": block.sums(compared & (scaled < NEAR)),
        "single": block.sums(near.single),
        "enumerated": block.sums(again),
        "fields_changed": block.histogram(np.where(near.single, near.field % _FIELD_BINS, -1), _FIELD_BINS),
        "below": block.sums(near.below),
        "turns": block.sums(turned),
        "straight": block.sums(straight),
        "halved": block.sums(straight & (np.abs(shrink - 0.5) < 0.05)),
        "pairs": block.sums(paired),
        "mirrored": block.sums(paired & (midpoint < _SAME_MIDPOINT)),
        **trends,
    }


def _trends(block: Block, length: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Trends of step length and spread over the night, weighted by the queries that they rest on."""
    from detector.features import kernels

    steps, spread = np.empty(block.entities), np.empty(block.entities)
    kernels.stretch_trend(length, block.starts, STRETCHES, steps)
    kernels.stretch_spread(block.view, block.starts, STRETCHES, spread)
    names = ("step_trend", "step_weight", "spread_trend", "spread_weight")
    return dict(zip(names, (*block.weighted(steps), *block.weighted(spread)), strict=True))


def finish(states: States, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    compared = states["compared"]
    seen = enough(compared)
    return {
        "nearest_previous_distance": np.where(seen > 0, _median(states["distance_bins"]), np.nan),
        "near_duplicate_ratio": ratio(states["near"], seen),
        "single_field_change_ratio": ratio(states["single"], seen),
        "enumeration_ratio": ratio(states["enumerated"], seen),
        "swept_field_share": ratio(states["fields_changed"].max(axis=1), enough(states["single"])),
        "step_length_trend": ratio(states["step_trend"], states["step_weight"]),
        "dispersion_trend": ratio(states["spread_trend"], states["spread_weight"]),
        "collinearity_ratio": ratio(states["straight"], enough(states["turns"])),
        "antithetic_ratio": ratio(states["mirrored"], enough(states["pairs"])),
        # Of texts and records a view does not show everything: a rare word, a level that is not known.
        "subresolution_change_ratio": ratio(states["below"], seen if schema.kind in _SHOWN else 0.0 * seen),
    }


def _median(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of a distance histogram, interpolated within its bin: mergeable, and exact to a few hundredths."""
    half = bins.sum(axis=1) / 2.0
    reached = np.cumsum(bins, axis=1)
    at = (reached >= np.maximum(half, 1e-9)[:, None]).argmax(axis=1)
    rows = np.arange(len(bins))
    inside = bins[rows, at]
    share = ratio(half - (reached[rows, at] - inside), inside)
    return np.asarray(np.exp2((at + np.nan_to_num(share, nan=0.5)) / 4.0 - 14.0))
