"""Data quality: errors, unreadable fields and request ids that come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.features.block import Merge, StateColumn
from detector.features.state import ratio
from detector.model import RowFlag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

_FIRST_ERROR = 400

COLUMNS = (
    StateColumn("statuses", Merge.SUM),
    StateColumn("errors", Merge.SUM),
    StateColumn("flagged", Merge.SUM),
    StateColumn("reused", Merge.SUM),
)


def measure(block: Block, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Count statuses and flags of each entity."""
    return {
        "statuses": block.sums(block.status >= 0),
        "errors": block.sums(block.status >= _FIRST_ERROR),
        "flagged": block.sums(block.flags != 0),
        "reused": block.sums((block.flags & int(RowFlag.ID_REUSED)) != 0),
    }


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    return {
        "error_ratio": ratio(states["errors"], states["statuses"]),
        "flagged_ratio": ratio(states["flagged"], states["queries"]),
        "id_reuse_ratio": ratio(states["reused"], states["queries"]),
    }
