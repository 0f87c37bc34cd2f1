"""Query entropy: how varied an entity's inputs and the answers to them are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.schema import BINS, CLASSES, MONITORED
from detector.features.state import entropy as shannon
from detector.features.state import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

COLUMNS = (
    StateColumn("field_bins", Merge.SUM, MONITORED * BINS),
    StateColumn("cells", Merge.SUM),
    StateColumn("cell_queries", Merge.SUM),
    StateColumn("label_counts", Merge.SUM, CLASSES),
    StateColumn("hashed", Merge.SUM),
    StateColumn("repeated", Merge.SUM),
)


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Count bins, distinct cells, labels and exact repetitions of each entity."""
    bins = np.zeros((block.entities, MONITORED, BINS))
    cells, cell_queries = np.zeros(block.entities), np.zeros(block.entities)
    if block.view is not None:
        from detector.features import kernels

        cell = np.zeros(len(block.ts), dtype=np.int64)
        kernels.field_histogram(block.view, block.starts, schema.monitored, schema.edges, bins, cell)
        cells, cell_queries = block.distinct(cell, cell != 0), block.sums(cell != 0)
    hashed = block.input_hash != 0
    hash_count = block.sums(hashed)
    return {
        "field_bins": bins.reshape(block.entities, -1),
        "cells": cells,
        "cell_queries": cell_queries,
        "label_counts": block.histogram(block.label, CLASSES),
        "hashed": hash_count,
        "repeated": hash_count - block.distinct(block.input_hash, hashed),
    }


def finish(states: States, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    monitored = len(schema.monitored) if schema.has_view else 0
    bins = states["field_bins"].reshape(-1, MONITORED, BINS)[:, : max(monitored, 1)]
    enough = states["cell_queries"] >= 10
    spread = shannon(bins).mean(axis=1) / np.log(BINS)
    classes = max(len(schema.classes), 2)
    return {
        "input_entropy": np.where(enough, spread, np.nan),
        "query_entropy": np.where(enough, ratio(states["cells"], states["cell_queries"]), np.nan),
        "label_entropy": np.where(
            states["label_counts"].sum(axis=1) >= 10, shannon(states["label_counts"]) / np.log(classes), np.nan
        ),
        "duplicate_ratio": ratio(states["repeated"], states["hashed"]),
    }
