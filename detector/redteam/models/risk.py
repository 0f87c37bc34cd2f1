"""Risk records of many named fields, three classes, answered for by networks that fit more or less well or by trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import RecordForm
from detector.redteam.models.base import Sample, TargetModel, split
from detector.redteam.models.records import RecordEncoder, category, number_fields
from detector.redteam.networks import fitted
from detector.redteam.randomness import stream
from detector.redteam.trees import grown

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models.base import Classifier

_NUMBERS = (
    "age",
    "bmi",
    "blood_pressure",
    "cholesterol",
    "ldl",
    "hdl",
    "cholesterol_ratio",
    "log_triglycerides",
    "glucose",
)
RISK_SENSITIVE = "smoker"
"""The field of the risk records that a customer would not want to be guessed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """The records that all risk models of one seed share."""

    form: RecordForm
    encoder: RecordEncoder
    train: Sample
    holdout: Sample
    field: Sample


def build(seed: int) -> TargetModel:
    """Risk records of nine numbers and five categories; a network that has learned them rather well."""
    return _network("risk", seed, hidden=48, passes=120, decay=0.3)


def build_overfit(seed: int) -> TargetModel:
    """Train on the members of the risk model of the same seed until they are known by heart."""
    return _network("risk_overfit", seed, hidden=96, passes=500, decay=1e-5)


def build_regular(seed: int) -> TargetModel:
    """Train on the members of the risk model of the same seed with restraint: it knows them no better than others."""
    return _network("risk_regular", seed, hidden=16, passes=60, decay=5.0)


def build_forest(seed: int) -> TargetModel:
    """Answer for the risk model's records with forty trees: plateaus, and probabilities in coarse steps."""
    data = _data(seed)
    forest = grown(data.encoder.encode(data.train.rows), data.train.labels, trees=40, leaf=3, seed=seed % 2**32)
    return _served("risk_forest", "3.0.1", data, forest)


def _network(name: str, seed: int, *, hidden: int, passes: int, decay: float) -> TargetModel:
    data = _data(seed)
    inputs = data.encoder.encode(data.train.rows)
    network = fitted(inputs, data.train.labels, hidden=hidden, passes=passes, decay=decay, seed=seed % 2**32)
    return _served(name, "2.3.0", data, network)


def _served(name: str, version: str, data: _Data, classifier: Classifier) -> TargetModel:
    return TargetModel(
        name=name,
        version=version,
        form=data.form,
        classes=("low", "moderate", "high"),
        classifier=classifier,
        encode=data.encoder.encode,
        vary=data.encoder.vary,
        train=data.train,
        holdout=data.holdout,
        field=data.field,
        sensitivity="health",
    )


def _data(seed: int) -> _Data:
    """Take the progression of diabetes over a year, in thirds, as the risk."""
    from sklearn.datasets import load_diabetes

    source, progression = load_diabetes(return_X_y=True, scaled=False)
    labels = np.searchsorted(np.quantile(progression, [1 / 3, 2 / 3]), progression)
    sex, numbers = source[:, 1] - 1.0, np.delete(source, 1, axis=1)
    columns = np.column_stack([numbers, sex, *_categories(numbers, labels, stream(seed, "risk"))])
    train, holdout, rest = split(columns, labels, 200, 110, seed)
    form = RecordForm(
        (
            *number_fields(_NUMBERS, numbers),
            category("sex", "female", "male"),
            category("activity", "none", "some", "regular", "athletic"),
            category("region", "north", "east", "south", "west", "abroad"),
            category("tariff", "basic", "family", "premium"),
            category(RISK_SENSITIVE, "never", "former", "current"),
        ),
    )
    return _Data(form, RecordEncoder.of(train.rows, form.levels[len(_NUMBERS) :]), train, holdout, rest)


def _categories(numbers: FloatArray, labels: IntArray, rng: np.random.Generator) -> list[FloatArray]:
    """Derive the categories: activity from the weight, region by chance, tariff by age, smoking by the outcome."""
    count = len(labels)
    slim = -numbers[:, 1] + 3 * rng.standard_normal(count)
    activity = np.searchsorted(np.quantile(slim, [0.3, 0.6, 0.9]), slim)
    region = rng.choice(5, size=count, p=[0.3, 0.25, 0.2, 0.2, 0.05])
    older = numbers[:, 0] + 15 * rng.standard_normal(count)
    tariff = np.searchsorted(np.quantile(older, [0.4, 0.75]), older)
    rates = np.array([[0.7, 0.93], [0.5, 0.82], [0.28, 0.55]])[labels]
    smoker = (rng.random((count, 1)) > rates).sum(axis=1)
    return [column.astype(float) for column in (activity, region, tariff, smoker)]
