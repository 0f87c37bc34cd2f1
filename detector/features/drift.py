"""Input-distribution drift and synthetic inputs: does this look like what the model is for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.schema import BINS, MONITORED, PROJECTIONS, projected_bins
from detector.features.state import ratio
from detector.features.views import unseen_categories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

SAMPLE = 64
_PROJECTED_BINS = 32
_FEWEST = 50

COLUMNS = (
    StateColumn("projected", Merge.SUM, PROJECTIONS * _PROJECTED_BINS),
    StateColumn("looked_at", Merge.SUM),
    StateColumn("off_manifold", Merge.SUM),
    StateColumn("outside", Merge.SUM),
    StateColumn("edge_values", Merge.SUM),
    StateColumn("values", Merge.SUM),
    StateColumn("unseen", Merge.SUM),
    StateColumn("categorised", Merge.SUM),
)


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Measure distances to, and energy outside, the reference on sampled queries; bins and edges on all."""
    zero = np.zeros(block.entities)
    names = ("looked_at", "off_manifold", "outside", "edge_values", "values", "unseen", "categorised")
    out: dict[str, NDArray[np.float64]] = dict.fromkeys(names, zero)
    out["projected"] = np.zeros((block.entities, PROJECTIONS * _PROJECTED_BINS))
    if block.view is None:
        return out
    picked = block.sample(SAMPLE)
    view = block.view[picked]
    readable = ~np.isnan(view[:, 0])
    picked, view = picked[readable], view[readable]
    owner = block.owner[picked]
    out["looked_at"] = np.bincount(owner, minlength=block.entities).astype(np.float64)
    if not len(picked):
        return out
    codes = projected_bins(view, schema)
    counts = np.zeros((block.entities, PROJECTIONS, _PROJECTED_BINS))
    for position in range(PROJECTIONS):
        flat = owner * _PROJECTED_BINS + codes[:, position]
        counts[:, position] = np.bincount(flat, minlength=block.entities * _PROJECTED_BINS).reshape(block.entities, -1)
    out["projected"] = counts.reshape(block.entities, -1)
    off = schema.off_manifold(view)
    out["off_manifold"] = _sum(block, owner, off)
    out["outside"] = _sum(block, owner, _outside_share(view, schema))
    edges = ((view <= schema.low) | (view >= schema.high)).mean(axis=1)
    out["edge_values"] = _sum(block, owner, edges)
    out["values"] = out["looked_at"]
    unseen = unseen_categories(schema, view)
    if unseen is not None:
        out["unseen"] = _sum(block, owner, unseen)
        out["categorised"] = out["looked_at"]
    return out


def _sum(block: Block, owner: NDArray[np.int64], values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Sum values of sampled queries over their entities, (G,)."""
    return np.bincount(owner, weights=values.astype(np.float64), minlength=block.entities).astype(np.float64)


def _outside_share(view: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.float64]:
    """Share of each row's energy outside the reference's main components, (n,), from 0 to 1."""
    centred = view - schema.middle
    total = (centred**2).sum(axis=1)
    inside = ((centred @ schema.basis) ** 2).sum(axis=1)
    return np.clip((total - inside) / np.maximum(total, 1e-12), 0.0, 1.0)


def finish(states: States, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    entities = len(states.rows)
    null = np.full(entities, np.nan)
    looked = states["looked_at"]
    out = {
        "input_psi_mean": null,
        "input_psi_max": null,
        "sliced_wasserstein": null,
        "off_manifold_ratio": ratio(states["off_manifold"], looked),
        "noise_likeness": ratio(states["outside"], looked),
        "edge_value_ratio": ratio(states["edge_values"], states["values"])
        - (schema.edge_share if schema.has_view else 0.0),
        "unseen_category_ratio": ratio(states["unseen"], states["categorised"]),
    }
    if not schema.has_view:
        return out
    monitored = len(schema.monitored)
    bins = states["field_bins"].reshape(entities, MONITORED, BINS)[:, :monitored]
    psi = _stability_index(bins, schema.reference_bins)
    enough = states["cell_queries"] >= _FEWEST
    out["input_psi_mean"] = np.where(enough, psi.mean(axis=1), np.nan)
    out["input_psi_max"] = np.where(enough, psi.max(axis=1), np.nan)
    out["sliced_wasserstein"] = np.where(looked >= 10, _sliced_distance(states, schema), np.nan)
    return out


def _stability_index(counts: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Population stability index of each field, (G, M); (bins - 1) / n is what chance alone gives, and is taken off."""
    total = counts.sum(axis=2)
    shares = (counts + 0.5) / (total[..., None] + 0.5 * BINS)
    expected = (reference + 1e-3) / (1.0 + 1e-3 * BINS)
    index = ((shares - expected) * np.log(shares / expected)).sum(axis=2)
    return np.maximum(index - (BINS - 1) / np.maximum(total, 1.0), 0.0)


def _sliced_distance(states: States, schema: ModelSchema) -> NDArray[np.float64]:
    """Mean 1-Wasserstein distance over the projections, in deviations of the projected reference, (G,)."""
    counts = states["projected"].reshape(len(states.rows), PROJECTIONS, _PROJECTED_BINS)
    shares = counts / np.maximum(counts.sum(axis=2, keepdims=True), 1.0)
    gap = np.abs(np.cumsum(shares, axis=2) - np.cumsum(schema.reference_projected, axis=1)[None])
    return gap[:, :, :-1].sum(axis=2).mean(axis=1) * 0.25
