"""Feedback: does the next query depend on the last answer? This is what makes an optimiser an optimiser."""

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

BLOCK = 20
_FEWEST_ANSWERS = 6
_FEWEST_BLOCKS = 5

COLUMNS = (
    StateColumn("after_success", Merge.SUM, 3),
    StateColumn("after_failure", Merge.SUM, 3),
    StateColumn("alignment", Merge.SUM, 3),
)


def measure(block: Block, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Measure where queries go after a success and after a failure, and whether blocks follow the score's gradient."""
    reaction, follow = np.zeros((block.entities, 6)), np.zeros((block.entities, 3))
    if block.view is not None:
        from detector.features import kernels

        kernels.accept_reject(block.view, block.probabilities, block.starts, block.pursued, reaction)
        kernels.block_alignment(block.view, block.probabilities, block.starts, block.pursued, BLOCK, follow)
    return {"after_success": reaction[:, :3], "after_failure": reaction[:, 3:], "alignment": follow}


def finish(states: States, _schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    success, failure, follow = states["after_success"], states["after_failure"], states["alignment"]
    enough = (success[:, 0] >= _FEWEST_ANSWERS) & (failure[:, 0] >= _FEWEST_ANSWERS)
    mean_s, mean_f = ratio(success[:, 1], success[:, 0]), ratio(failure[:, 1], failure[:, 0])
    within = success[:, 2] - success[:, 0] * mean_s**2 + failure[:, 2] - failure[:, 0] * mean_f**2
    pooled = np.sqrt(np.maximum(ratio(within, success[:, 0] + failure[:, 0] - 2.0), 1e-12))
    return {
        "feedback_alignment": np.where(follow[:, 0] >= _FEWEST_BLOCKS, ratio(follow[:, 1], follow[:, 0]), np.nan),
        "accept_reject_asymmetry": np.where(enough, (mean_f - mean_s) / pooled, np.nan),
    }
