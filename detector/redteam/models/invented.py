"""Models of invented data, another one for every seed: of what width, scale, noise and kind, chance decides.

A detector that is taught on a handful of models learns their ways; on many, it has to learn what they have in common.
The data lie near a curved sheet of few dimensions, as measurements of real things do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import Field, RecordForm, VectorForm
from detector.redteam.models.base import Sample, TargetModel, split
from detector.redteam.models.records import RecordEncoder, category, number_fields
from detector.redteam.networks import fitted, regressed
from detector.redteam.randomness import stream
from detector.redteam.rounding import significant
from detector.redteam.trees import grown

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models.base import Classifier

INVENTED_SENSITIVE = "condition"
"""The field of invented records that a person would not want to be guessed."""
_MEMBERS, _HELD_OUT, _FIELD = 600, 300, 600
_CLASSES = (2, 2, 3, 4, 6, 8, 10)
_WIDTHS = (8, 14, 24, 40, 64, 100, 180)
_FEW_WIDTHS = (4, 6, 9, 14)


def build(seed: int) -> TargetModel:
    """Plain vectors of 8 to 180 numbers, two to ten classes; a network, trees, or a line."""
    rng = stream(seed, "invented")
    width, classes = int(rng.choice(_WIDTHS)), int(rng.choice(_CLASSES))
    sheet, labels = _sheet(width, classes, rng)
    numbers = _in_units(sheet, rng)
    train, holdout, rest = split(numbers, labels, _MEMBERS, _HELD_OUT, seed)
    shown = significant(numbers)
    form = VectorForm(width, tuple(shown.min(axis=0).tolist()), tuple(shown.max(axis=0).tolist()))
    encoder = RecordEncoder.of(train.rows, ())
    return _served("invented", form, encoder, (train, holdout, rest), seed)


def build_records(seed: int) -> TargetModel:
    """Records of 4 to 14 numbers and two to five categories, two to ten classes; a network, trees, or a line."""
    rng = stream(seed, "invented records")
    width, classes = int(rng.choice(_FEW_WIDTHS)), int(rng.choice(_CLASSES))
    kinds = int(rng.integers(2, 6))
    sheet, labels = _sheet(width + kinds, classes, rng)
    numbers = _in_answers(_in_units(sheet[:, :width], rng), rng)
    sorts = [_in_levels(column, int(rng.integers(2, 7))) for column in sheet[:, width:].T]
    names = tuple(f"measure_{number}" for number in range(width))
    train, holdout, rest = split(np.column_stack([numbers, *sorts]), labels, _MEMBERS, _HELD_OUT, seed)
    form = RecordForm((*number_fields(names, numbers), *_categories(sorts)))
    encoder = RecordEncoder.of(train.rows, form.levels[width:])
    return _served("invented_records", form, encoder, (train, holdout, rest), seed)


def _sheet(width: int, classes: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Return rows, shape (n, width), near a curved sheet, and their classes, shape (n,).

    A class is one cluster or a few; up to a fifth of the records belong to another class than they look like.
    """
    count = _MEMBERS + _HELD_OUT + _FIELD
    inner = max(2, int(width * rng.uniform(0.15, 0.6)))
    clusters = classes * int(rng.integers(1, 4))
    middles = rng.uniform(0.8, 2.2) * rng.standard_normal((clusters, inner))
    cluster = rng.integers(0, clusters, count)
    within = middles[cluster] + rng.standard_normal((count, inner))
    bent = np.tanh(within @ rng.standard_normal((inner, 2 * inner)) / np.sqrt(inner))
    rows = bent @ rng.standard_normal((2 * inner, width)) + rng.uniform(0.05, 0.4) * rng.standard_normal((count, width))
    labels = np.where(rng.random(count) < rng.uniform(0, 0.2), rng.integers(0, classes, count), cluster % classes)
    return rows, labels


def _in_units(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Give every column a unit: all alike within 0 and 1, or each its own, some of them counted in whole numbers."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    shares = (rows - low) / (high - low)
    if rng.random() < 0.5:
        return np.asarray(shares)
    scale = 10 ** rng.uniform(-1, 3, rows.shape[1])
    numbers = scale * (shares + rng.uniform(0, 2, rows.shape[1]))
    whole = (scale > 20) & (rng.random(rows.shape[1]) < 0.5)
    return np.asarray(np.where(whole, np.rint(numbers), numbers))


def _in_answers(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Turn more or fewer of the columns, in half of the models none, into answers from 1 to at most 12."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    steps = rng.integers(2, 12, rows.shape[1])
    asked = rng.random(rows.shape[1]) < rng.choice([0.0, 0.0, 0.5, 1.0])
    return np.asarray(np.where(asked, 1 + np.rint(steps * (rows - low) / (high - low)), rows))


def _in_levels(column: FloatArray, levels: int) -> FloatArray:
    return np.searchsorted(np.quantile(column, np.arange(1, levels) / levels), column).astype(float)


def _categories(sorts: list[FloatArray]) -> tuple[Field, ...]:
    named = [INVENTED_SENSITIVE, *(f"sort_{number}" for number in range(1, len(sorts)))]
    levels = [
        [f"{name}_{level}" for level in range(int(sort.max()) + 1)] for name, sort in zip(named, sorts, strict=True)
    ]
    return tuple(category(name, *of) for name, of in zip(named, levels, strict=True))


def _served(
    name: str,
    form: VectorForm | RecordForm,
    encoder: RecordEncoder,
    samples: tuple[Sample, Sample, Sample],
    seed: int,
) -> TargetModel:
    train, holdout, rest = samples
    classes = tuple(f"class_{number}" for number in range(int(train.labels.max()) + 1))
    return TargetModel(
        name=name,
        version="1.0.0",
        form=form,
        classes=classes,
        classifier=_answering(encoder.encode(train.rows), train.labels, seed),
        encode=encoder.encode,
        vary=encoder.vary,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="personal",
    )


def _answering(rows: FloatArray, labels: IntArray, seed: int) -> Classifier:
    """Train a network three times in five, with more or less restraint; else trees, or a line."""
    rng = stream(seed, "answering")
    chosen = rng.random()
    if chosen < 0.6:
        decay, hidden = float(10 ** rng.uniform(-3, 0.5)), int(rng.choice([16, 32, 64]))
        return fitted(rows, labels, hidden=hidden, passes=int(rng.integers(40, 200)), decay=decay, seed=seed % 2**32)
    if chosen < 0.8:
        trees, leaf = int(rng.choice([20, 50, 100])), int(rng.integers(1, 5))
        return grown(rows, labels, trees=trees, leaf=leaf, seed=seed % 2**32)
    return regressed(rows, labels, looseness=float(10 ** rng.uniform(-1, 2)))
