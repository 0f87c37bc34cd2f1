"""A few plain measurements, on scales far apart, answered for by a network that is sure of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import VectorForm
from detector.redteam.models.base import TargetModel, split
from detector.redteam.models.records import RecordEncoder
from detector.redteam.networks import fitted
from detector.redteam.randomness import stream
from detector.redteam.rounding import significant

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray

_BOTTLES = 1_200


def build(seed: int) -> TargetModel:
    """Thirteen measurements of wine in their own units; three growers."""
    from sklearn.datasets import load_wine

    measured, growers = load_wine(return_X_y=True)
    rng = stream(seed, "bottles")
    drawn = rng.integers(0, len(growers), _BOTTLES)
    bottles = _measured_again(measured[drawn], rng)
    train, holdout, rest = split(bottles, growers[drawn], 500, 300, seed)
    low, high = significant(bottles.min(axis=0)), significant(bottles.max(axis=0))
    encode = RecordEncoder.of(train.rows, ()).encode
    return TargetModel(
        name="vintage",
        version="3.1.0",
        form=VectorForm(len(low), tuple(low.tolist()), tuple(high.tolist())),
        classes=("first", "second", "third"),
        classifier=fitted(encode(train.rows), train.labels, hidden=24, passes=80, decay=0.05, seed=seed % 2**32),
        encode=encode,
        vary=_measured_again,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="none",
    )


def _measured_again(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Other bottles of the same wine: each measurement a twentieth off."""
    return np.asarray(rows * (1 + 0.05 * rng.standard_normal(rows.shape)))
