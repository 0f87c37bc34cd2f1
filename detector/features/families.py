"""All families together: a block's states, and states' features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.features import (
    boundary,
    contact,
    coverage,
    drift,
    entropy,
    feedback,
    lineage,
    quality,
    requests,
    rhythm,
    trajectory,
    variation,
    wording,
)
from detector.features.registry import NAMES
from detector.features.state import Layout, States

if TYPE_CHECKING:
    from detector.features.block import Block
    from detector.features.contact import Contacts
    from detector.features.schema import ModelSchema

_FAMILIES = (
    rhythm, entropy, drift, requests, variation, wording, trajectory, feedback, lineage, boundary, coverage, quality,
)  # fmt: skip

LAYOUT = Layout(tuple(column for family in (*_FAMILIES, contact) for column in family.COLUMNS))


def measure(block: Block, schema: ModelSchema, contacts: Contacts) -> States:
    """Return the states of the entities of `block`, in their order."""
    columns = contact.measure(block, schema, contacts)
    # A probability of exactly nothing divides nothing: what comes out as null is meant.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for family in _FAMILIES:
            columns |= family.measure(block, schema)
    return States.of(LAYOUT, columns, block.entities)


def finish(states: States, schema: ModelSchema) -> pd.DataFrame:
    """Return the features of `states`: one float64 column a registered feature, NaN is null, never infinite."""
    features: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for family in (*_FAMILIES, contact):
            features |= family.finish(states, schema)
    frame = pd.DataFrame({name: features[name] for name in NAMES}, dtype=np.float64)
    return frame.replace([np.inf, -np.inf], np.nan)
