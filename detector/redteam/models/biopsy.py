"""Plain vectors of measurements on very different scales, answered for by trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import VectorForm
from detector.redteam.models.base import TargetModel, as_it_is, split
from detector.redteam.rounding import significant
from detector.redteam.trees import grown

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray


def build(seed: int) -> TargetModel:
    """Thirty measurements of cells in their own units; two classes; a forest with probabilities in coarse steps."""
    from sklearn.datasets import load_breast_cancer

    numbers, labels = load_breast_cancer(return_X_y=True)
    train, holdout, rest = split(numbers, 1 - labels, 260, 140, seed)
    shown = significant(numbers)
    return TargetModel(
        name="biopsy",
        version="1.1.4",
        form=VectorForm(shown.shape[1], tuple(shown.min(axis=0).tolist()), tuple(shown.max(axis=0).tolist())),
        classes=("benign", "malignant"),
        classifier=grown(train.rows, train.labels, trees=50, leaf=2, seed=seed % 2**32),
        encode=as_it_is,
        vary=_measured_again,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="health",
    )


def _measured_again(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Another cut of the same tissue: all sizes larger or smaller together, and each number a little off."""
    together = 1 + 0.03 * rng.standard_normal((len(rows), 1))
    return np.asarray(rows * together * (1 + 0.02 * rng.standard_normal(rows.shape)))
