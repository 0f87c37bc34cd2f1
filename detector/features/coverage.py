"""Coverage: does an entity cover the model's behaviour the way an extraction does?"""

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

SAMPLE = 64
STRETCHES = 32
_CUT = 6
_FEWEST_LABELS = 20
_AT_ONCE = 256

COLUMNS = (
    StateColumn("normality", Merge.SUM),
    StateColumn("normality_weight", Merge.SUM),
    StateColumn("doubt", Merge.SUM),
    StateColumn("doubt_weight", Merge.SUM),
)


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Measure the shape of nearest same-label distances and the trend of the top probability."""
    from detector.features import kernels

    trend = np.empty(block.entities)
    kernels.stretch_trend(block.top.astype(np.float64), block.starts, STRETCHES, trend)
    normality, normality_weight = block.weighted(_normality(block, schema))
    certainty, certainty_weight = block.weighted(trend)
    return {
        "normality": normality,
        "normality_weight": normality_weight,
        "doubt": -certainty,
        "doubt_weight": certainty_weight,
    }


def _normality(block: Block, schema: ModelSchema) -> NDArray[np.float64]:
    """Shapiro-Francia W' of the sampled distances to the nearest earlier query of the same label, (G,)."""
    out = np.full(block.entities, np.nan)
    if block.view is None:
        return out
    large = np.flatnonzero(block.counts >= SAMPLE)
    steps = np.floor(np.arange(SAMPLE)[None, :] * (block.counts[large] / SAMPLE)[:, None]).astype(np.int64)
    rows = block.starts[large][:, None] + steps
    earlier = np.tril(np.ones((SAMPLE, SAMPLE), dtype=bool), -1)
    for first in range(0, len(large), _AT_ONCE):
        part = rows[first : first + _AT_ONCE]
        view, label = block.view[part] - schema.middle, block.label[part]
        norm = (view * view).sum(axis=2)
        gaps = norm[:, :, None] + norm[:, None, :] - 2.0 * (view @ view.transpose(0, 2, 1))
        # An input that cannot be read has no distance, and takes none from the others.
        allowed = earlier[None] & (label[:, :, None] == label[:, None, :]) & ~np.isnan(gaps)
        nearest = np.sqrt(np.maximum(np.where(allowed, gaps, np.inf).min(axis=2), 0.0))
        out[large[first : first + _AT_ONCE]] = _francia(np.sort(nearest, axis=1))
    return out


def _francia(ordered: NDArray[np.float32]) -> NDArray[np.float64]:
    """W' of each row's finite values without the outermost ones; null below half the sample or without spread."""
    from scipy.special import ndtri

    out = np.full(len(ordered), np.nan)
    finite = np.isfinite(ordered).sum(axis=1)
    for count in np.unique(finite[finite >= SAMPLE // 2]):
        rows = finite == count
        values = ordered[rows, _CUT : count - _CUT].astype(np.float64)
        expected = ndtri((np.arange(1, values.shape[1] + 1) - 0.375) / (values.shape[1] + 0.25))
        centred = values - values.mean(axis=1, keepdims=True)
        spread = (centred**2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            shape = (centred @ expected) ** 2 / (spread * (expected**2).sum())
        out[rows] = np.where(spread > 1e-12, shape, np.nan)
    return out


def finish(states: States, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    labels = states["label_counts"]
    enough = labels.sum(axis=1) >= _FEWEST_LABELS
    return {
        "prada_normality": ratio(states["normality"], states["normality_weight"]),
        "label_balance": np.where(enough, np.exp(entropy(labels)) / max(len(schema.classes), 1), np.nan),
        "uncertainty_seeking": ratio(states["doubt"], states["doubt_weight"]),
    }
