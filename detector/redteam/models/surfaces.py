"""Natural images: cuttings of the two photographs that ship with scikit-learn, by what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import VectorForm
from detector.redteam.models.base import TargetModel, split
from detector.redteam.networks import fitted
from detector.redteam.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from detector.redteam.arrays import FloatArray, IntArray

_SIDE = 24
_PATTERNS = 40
_EACH = 320
"""Cuttings of a surface."""
_WHERE: Mapping[str, tuple[int, int, int, int, int]] = {
    "sky": (0, 0, 330, 130, 640),
    "pagoda": (0, 110, 95, 370, 330),
    "trees": (0, 300, 330, 427, 580),
    "water": (0, 225, 355, 300, 570),
    "petals": (1, 110, 190, 340, 430),
    "leaves": (1, 60, 0, 330, 150),
}
"""Of each surface: which photograph, and top, left, bottom and right in it."""


def build(seed: int) -> TargetModel:
    """Cuttings of photographs: 576 grey levels from 0 to 1, a 24 by 24 image, six surfaces."""
    images, labels = _cuttings(stream(seed, "cuttings"))
    train, holdout, rest = split(images, labels, 800, 400, seed)
    encode = _textures(train.rows)
    return TargetModel(
        name="surfaces",
        version="0.9.2",
        form=VectorForm(_SIDE * _SIDE, 0.0, 1.0),
        classes=tuple(_WHERE),
        classifier=fitted(encode(train.rows), train.labels, hidden=40, passes=60, decay=0.3, seed=seed % 2**32),
        encode=encode,
        vary=_photographed_again,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="none",
        image_shape=(_SIDE, _SIDE),
    )


def _cuttings(rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Return cuttings, shape (n, 576), of every surface at places drawn from `rng`, and what they show, shape (n,)."""
    from numpy.lib.stride_tricks import sliding_window_view
    from sklearn.datasets import load_sample_images

    grey = [image.mean(axis=2) / 255 for image in load_sample_images().images]
    cut = []
    for photograph, top, left, bottom, right in _WHERE.values():
        views = sliding_window_view(grey[photograph][top:bottom, left:right], (_SIDE, _SIDE))
        places = rng.choice(views.shape[0] * views.shape[1], _EACH, replace=False)
        down, along = np.unravel_index(places, views.shape[:2])
        cut.append(views[down, along].reshape(_EACH, -1))
    return np.concatenate(cut), np.repeat(np.arange(len(_WHERE)), _EACH)


def _textures(rows: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return what tells how much of each of the strongest patterns in `rows`, shape (n, 576), an image holds.

    Once with its sign, which tells light from dark, and once without, since a texture may begin anywhere.
    """
    middle = rows.mean(axis=0)
    _, strengths, patterns = np.linalg.svd(rows - middle, full_matrices=False)
    filters = patterns[:_PATTERNS].T / strengths[:_PATTERNS] * np.sqrt(len(rows))

    def encode(images: FloatArray) -> FloatArray:
        seen: FloatArray = (images - middle) @ filters
        return np.asarray(np.hstack([seen, np.abs(seen)]))

    return encode


def _photographed_again(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The same surfaces in another light: brighter or darker, of more or less contrast, with the sensor's noise."""
    middle = rows.mean(axis=1, keepdims=True)
    contrast, light = 1 + 0.1 * rng.standard_normal((2, len(rows), 1))
    seen = light * (middle + contrast * (rows - middle)) + 0.01 * rng.standard_normal(rows.shape)
    return np.asarray(np.clip(seen, 0.0, 1.0))
