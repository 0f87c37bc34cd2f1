"""Confidence requests: who asks for scores, explanations, gradients, and with how many parameter sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import OPERATIONS, Merge, StateColumn
from detector.features.state import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

COLUMNS = (
    StateColumn("scored", Merge.SUM),
    StateColumn("unscored", Merge.SUM),
    StateColumn("operations", Merge.SUM, len(OPERATIONS)),
    StateColumn("with_params", Merge.SUM),
    StateColumn("param_sets", Merge.SUM),
)


def measure(block: Block, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Count scored answers, operations and distinct parameter sets of each entity."""
    keep = block.params != 0
    return {
        "scored": block.sums(block.scored == 1),
        "unscored": block.sums(block.scored == 0),
        "operations": block.histogram(block.operation, len(OPERATIONS)),
        "with_params": block.sums(keep),
        "param_sets": block.distinct(block.params, keep),
    }


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    known = states["scored"] + states["unscored"]
    operations = states["operations"]
    total = operations.sum(axis=1)
    everyone = (states["scored"].sum() + 1.0) / (known.sum() + 2.0)
    own = (states["scored"] + 1.0) / (known + 2.0)
    return {
        "confidence_request_ratio": ratio(states["scored"], known),
        "confidence_request_lift": np.where(known > 0, np.log(own / everyone), np.nan),
        "explain_ratio": ratio(operations[:, OPERATIONS.index("explain")], total),
        "gradient_ratio": ratio(operations[:, OPERATIONS.index("gradients")], total),
        "parameter_rotation": np.where(
            states["with_params"] >= 10, ratio(states["param_sets"] - 1.0, states["with_params"]), np.nan
        ),
    }
