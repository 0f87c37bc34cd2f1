"""Patient records of named fields, two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import RecordForm
from detector.redteam.models.base import TargetModel, split
from detector.redteam.models.records import RecordEncoder, category, number_fields
from detector.redteam.networks import fitted
from detector.redteam.randomness import stream

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray

# Measurements that leave the diagnosis open enough for a network to learn patients by heart.
_NUMBERS = (
    "mean texture",
    "mean smoothness",
    "mean symmetry",
    "texture error",
    "worst smoothness",
    "worst symmetry",
)
CLINIC_SENSITIVE = "family_history"
"""The field of the clinic's records that a patient would not want to be guessed."""


def build(seed: int) -> TargetModel:
    """Patient records of named fields: six numbers, three categories, one of them sensitive; two classes."""
    from sklearn.datasets import load_breast_cancer

    source = load_breast_cancer()
    labels = 1 - source.target.astype(np.int64)  # there 0 is malignant; here 1 is
    numbers = source.data[:, [list(source.feature_names).index(name) for name in _NUMBERS]]
    columns = np.column_stack([numbers, *_categories(numbers, labels, stream(seed, "clinic"))])
    train, holdout, rest = split(columns, labels, 220, 130, seed)
    form = RecordForm(
        (
            *number_fields(tuple(name.replace(" ", "_") for name in _NUMBERS), numbers),
            category("density", "a", "b", "c", "d"),
            category("menopause", "pre", "post"),
            category(CLINIC_SENSITIVE, "none", "one", "several"),
        ),
    )
    encoder = RecordEncoder.of(train.rows, form.levels[len(_NUMBERS) :])
    return TargetModel(
        name="clinic",
        version="0.9.2",
        form=form,
        classes=("benign", "malignant"),
        classifier=fitted(
            encoder.encode(train.rows), train.labels, hidden=64, passes=400, decay=1e-4, seed=seed % 2**32
        ),
        encode=encoder.encode,
        vary=encoder.vary,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="health",
    )


def _categories(numbers: FloatArray, labels: IntArray, rng: np.random.Generator) -> list[FloatArray]:
    """Derive the categories: one from a measurement, one by chance, the sensitive one by the diagnosis."""
    blurred = numbers[:, 0] + rng.standard_normal(len(labels))
    density = np.searchsorted(np.quantile(blurred, [0.25, 0.5, 0.75]), blurred)
    menopause = (rng.random(len(labels)) < 0.4).astype(float)
    rates = np.where(labels[:, None] == 1, [0.35, 0.7], [0.65, 0.92])
    history = (rng.random((len(labels), 1)) > rates).sum(axis=1)
    return [density.astype(float), menopause, history.astype(float)]
