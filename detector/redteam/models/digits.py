"""Small images: handwritten digits as scikit-learn ships them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import VectorForm
from detector.redteam.models.base import TargetModel, as_it_is, split
from detector.redteam.networks import fitted

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray

_SIDE = 8


def build(seed: int) -> TargetModel:
    """Handwritten digits: 64 grey levels from 0 to 1, an 8 by 8 image, ten classes."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    train, holdout, rest = split(pixels / 16.0, labels, 800, 400, seed)
    return TargetModel(
        name="digits",
        version="1.4.0",
        form=VectorForm(_SIDE * _SIDE, 0.0, 1.0),
        classes=tuple(str(digit) for digit in range(10)),
        classifier=fitted(train.rows, train.labels, hidden=48, passes=80, decay=0.3, seed=seed % 2**32),
        encode=as_it_is,
        vary=_rewritten,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="biometric",  # handwriting identifies its writer
        image_shape=(_SIDE, _SIDE),
    )


def _rewritten(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Digits written anew: moved by a fraction of a pixel, fainter or bolder, on slightly noisy paper."""
    images = rows.reshape(-1, _SIDE, _SIDE)
    for axis in (1, 2):
        offset = np.clip(0.15 * rng.standard_normal((len(rows), 1, 1)), -0.9, 0.9)
        padded = np.pad(images, [(0, 0), *((1, 1) if axis == side else (0, 0) for side in (1, 2))])
        before, after = (np.take(padded, range(start, start + _SIDE), axis=axis) for start in (0, 2))
        neighbour = np.where(offset > 0, before, after)
        images = (1 - np.abs(offset)) * images + np.abs(offset) * neighbour
    ink = images > 0
    strength = 1 + 0.08 * rng.standard_normal((len(rows), 1, 1))
    images = strength * images + 0.02 * ink * rng.standard_normal(images.shape)
    return np.clip(images, 0.0, 1.0).reshape(len(rows), -1)
