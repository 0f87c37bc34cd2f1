"""Confidence trajectory: does the probability of one class rise with the order of the queries?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.state import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

COLUMNS = (
    StateColumn("steepness", Merge.BEST, group="climb"),
    StateColumn("ascent", Merge.BEST, group="climb"),
    StateColumn("target", Merge.BEST, group="climb"),
    StateColumn("climb_first", Merge.BEST, group="climb"),
    StateColumn("climb_last", Merge.BEST, group="climb"),
    StateColumn("rise", Merge.BEST, group="climb"),
    StateColumn("concentration", Merge.BEST, group="climb"),
    StateColumn("reached", Merge.BEST, group="climb"),
    StateColumn("short_ascent", Merge.MAX),
    StateColumn("short_segments", Merge.SUM),
    StateColumn("short_climbs", Merge.SUM),
    StateColumn("whole_ascent", Merge.SUM),
    StateColumn("whole_weight", Merge.SUM),
    StateColumn("record_excess", Merge.SUM),
    StateColumn("record_variance", Merge.SUM),
    StateColumn("record_gap", Merge.SUM),
)


def measure(block: Block, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Find each entity's steepest segment, and count records over the whole night."""
    from detector.features import kernels

    climb = block.climbs
    short = np.full((block.entities, 10), np.nan)
    kernels.best_segment(
        block.probabilities, block.label, block.starts, short, kernels.SHORT_SEGMENT, kernels.SHORT_STRIDE
    )
    series = np.empty((block.entities, 2))
    kernels.series_correlation(block.probabilities, block.starts, block.pursued, series)
    counted = np.zeros((block.entities, 4))
    kernels.records(block.probabilities, block.starts, counted)
    ahead, back, n = counted[:, 1], counted[:, 2], counted[:, 3]
    expected, variance = _record_null(n)
    # A night too short for its null adds nothing, or else six of them would look like a climb in the week.
    counted_on = variance > 0.0
    known = ~np.isnan(series[:, 0])
    counts = block.counts.astype(np.float64)
    found = ~np.isnan(climb[:, 0])
    place = np.where(found[:, None], climb[:, 3:5], 0).astype(np.int64)
    return {
        "steepness": climb[:, 0],
        "ascent": climb[:, 1],
        "target": climb[:, 2],
        "climb_first": np.where(found, block.ts[place[:, 0]], np.nan),
        "climb_last": np.where(found, block.ts[place[:, 1]], np.nan),
        "rise": climb[:, 6] - climb[:, 5],
        "concentration": climb[:, 7],
        "reached": series[:, 1],
        "short_ascent": short[:, 1],
        "short_segments": short[:, 8],
        "short_climbs": short[:, 9],
        "whole_ascent": np.where(known, series[:, 0], 0.0) * counts,
        "whole_weight": np.where(known, counts, 0.0),
        "record_excess": np.where(counted_on, ahead - expected, 0.0),
        "record_variance": variance,
        "record_gap": np.where(counted_on, ahead - back, 0.0),
    }


def _record_null(n: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of the number of records of n exchangeable values (Renyi 1962); zero below 40 values."""
    from scipy.special import digamma, polygamma

    enough = n >= 40
    safe = np.where(enough, n, 2.0)
    mean = digamma(safe + 1.0) + np.euler_gamma
    variance = mean - (np.pi**2 / 6.0 - polygamma(1, safe + 1.0))
    return np.where(enough, mean, 0.0), np.where(enough, variance, 0.0)


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features; records add up over nights, each against its own null."""
    deviation = np.sqrt(states["record_variance"])
    return {
        "confidence_ascent": states["ascent"],
        "confidence_ascent_short": states["short_ascent"],
        "climbing_share": ratio(states["short_climbs"], states["short_segments"]),
        "confidence_ascent_window": ratio(states["whole_ascent"], states["whole_weight"]),
        # Some services log scores that are no probabilities; their ranks climb all the same.
        "confidence_rise": np.clip(states["rise"], -1.0, 1.0),
        "confidence_record_z": ratio(states["record_excess"], deviation),
        "record_asymmetry": ratio(states["record_gap"], np.sqrt(2.0) * deviation),
        "target_concentration": states["concentration"],
        "final_confidence": np.clip(states["reached"], 0.0, 1.0),
    }
