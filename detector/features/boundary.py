"""Decision boundary: walks along it, and bisections towards it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.state import enough, ratio
from detector.features.variation import NEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States

_MARGIN = 0.1

COLUMNS = (
    StateColumn("near_labelled", Merge.SUM),
    StateColumn("near_flipped", Merge.SUM),
    StateColumn("margins", Merge.SUM),
    StateColumn("low_margins", Merge.SUM),
)


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Count label flips between near neighbours and answers with a low margin."""
    zero = np.zeros(block.entities)
    out = {"near_labelled": zero, "near_flipped": zero}
    near = block.neighbours
    if near is not None:
        earlier = np.arange(len(block.ts)) - near.lag
        close = (near.lag > 0) & (near.distance < NEAR * schema.unit) & (block.label >= 0) & (block.label[earlier] >= 0)
        out["near_labelled"] = block.sums(close)
        out["near_flipped"] = block.sums(close & (block.label != block.label[earlier]))
    known, low = _margins(block)
    return out | {"margins": block.sums(known), "low_margins": block.sums(low)}


def _margins(block: Block) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each query's two best probabilities are known, and whether they are within the margin."""
    if block.probabilities.shape[1] < 2:
        none = np.zeros(len(block.ts), dtype=bool)
        return none, none
    two = np.partition(np.nan_to_num(block.probabilities, nan=-1.0), -2, axis=1)[:, -2:]
    known = two[:, 0] >= 0
    return known, known & (two[:, 1] - two[:, 0] < _MARGIN)


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    compared = enough(states["compared"])
    return {
        "neighbour_label_flip_ratio": ratio(states["near_flipped"], enough(states["near_labelled"])),
        "low_margin_ratio": ratio(states["low_margins"], enough(states["margins"])),
        "bracketing_ratio": ratio(states["halved"], compared),
    }
