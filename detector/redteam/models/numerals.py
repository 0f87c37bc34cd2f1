"""Larger images: digits redrawn at 16 by 16 by hands that differ, seen through a layer of oriented edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import VectorForm
from detector.redteam.models.base import TargetModel, split
from detector.redteam.networks import fitted
from detector.redteam.randomness import stream

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray

_SIDE = 16
_DIRECTIONS = np.arange(8) * np.pi / 4


def build(seed: int) -> TargetModel:
    """Handwritten numerals: 256 grey levels from 0 to 1, a 16 by 16 image, ten classes."""
    return _trained("numerals", seed, members=900, hidden=64, passes=60, decay=0.1)


def build_overfit(seed: int) -> TargetModel:
    """Learn a few of the numerals by heart: less than a fifth as many members, three times as many passes."""
    return _trained("numerals_overfit", seed, members=160, hidden=128, passes=200, decay=1e-5)


def build_regular(seed: int) -> TargetModel:
    """Learn the numerals with restraint."""
    return _trained("numerals_regular", seed, members=900, hidden=32, passes=40, decay=1.5)


def _trained(name: str, seed: int, *, members: int, hidden: int, passes: int, decay: float) -> TargetModel:
    """Return a model of the numerals; members of all variants come first in the same shuffled order."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    drawn = _written(_enlarged(pixels / 16.0), 1.0, stream(seed, "hands"))
    train, holdout, rest = split(drawn.reshape(len(drawn), -1), labels, members, 400, seed)
    edges = _edges(train.rows)
    return TargetModel(
        name=name,
        version="2.0.3",
        form=VectorForm(_SIDE * _SIDE, 0.0, 1.0),
        classes=tuple(str(digit) for digit in range(10)),
        classifier=fitted(edges, train.labels, hidden=hidden, passes=passes, decay=decay, seed=seed % 2**32),
        encode=_edges,
        vary=_rewritten,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="biometric",
        image_shape=(_SIDE, _SIDE),
    )


def _enlarged(pixels: FloatArray) -> FloatArray:
    """Return 8 by 8 images, shape (n, 64), at twice the side, shape (n, 16, 16), smoothly interpolated."""
    from scipy.ndimage import zoom

    images = zoom(pixels.reshape(-1, 8, 8), (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    return np.clip(images, 0.0, 1.0)


def _rewritten(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The same numerals written once more by the same hands."""
    return _written(rows.reshape(-1, _SIDE, _SIDE), 0.35, rng).reshape(len(rows), -1)


def _written(images: FloatArray, change: float, rng: np.random.Generator) -> FloatArray:
    """Write `images`, shape (n, side, side), anew: leaning, turned, sized, bent and inked otherwise.

    The bending is the elastic distortion of Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural
    Networks Applied to Visual Document Analysis", ICDAR 2003. `change` scales it all: 0 for none, 1 for another hand.
    """
    from scipy.ndimage import map_coordinates

    count = len(images)
    turn, lean, size = change * np.array([[0.12], [0.12], [0.07]]) * rng.standard_normal((3, count))
    middle = (_SIDE - 1) / 2
    down, right = np.meshgrid(np.arange(_SIDE) - middle, np.arange(_SIDE) - middle, indexing="ij")
    cos, sin, grow = (part[:, None, None] for part in (np.cos(turn), np.sin(turn), np.exp(size)))
    sheared = right + lean[:, None, None] * down
    shift = 0.4 * change * rng.standard_normal((2, count, 1, 1))
    bend = 0.5 * change * _smooth(rng.standard_normal((2, count, 4, 4)))
    rows = middle + grow * (cos * down - sin * sheared) + shift[0] + bend[0]
    columns = middle + grow * (sin * down + cos * sheared) + shift[1] + bend[1]
    which = np.broadcast_to(np.arange(count, dtype=float)[:, None, None], rows.shape)
    moved = map_coordinates(images, [which, rows, columns], order=1, mode="constant")
    strength = 1 + 0.12 * change * rng.standard_normal((count, 1, 1))
    grain = 0.04 * change * rng.standard_normal(moved.shape) * (moved > 0.02)
    return np.clip(strength * moved + grain, 0.0, 1.0)


def _smooth(knots: FloatArray) -> FloatArray:
    """Interpolate between `knots`, shape (..., 4, 4), over the image, shape (..., side, side)."""
    at = np.linspace(0, 3, _SIDE)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(4)), 0.0)
    return np.asarray(weights @ knots @ weights.T)


def _edges(rows: FloatArray) -> FloatArray:
    """Return what a first layer of fixed filters sees in `rows`, shape (n, 256), as shape (n, 576).

    Differences of neighbours in eight directions, rectified, and the grey levels, each averaged over two by two
    pixels.
    """
    padded = np.pad(rows.reshape(-1, _SIDE, _SIDE), [(0, 0), (1, 1), (1, 1)])
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    directions = _DIRECTIONS[:, None, None]
    seen = np.cos(directions) * down[:, None] + np.sin(directions) * right[:, None]
    maps = np.concatenate([np.maximum(seen, 0.0), padded[:, None, 1:-1, 1:-1]], axis=1)
    half = _SIDE // 2
    pooled = maps.reshape(len(rows), len(_DIRECTIONS) + 1, half, 2, half, 2).mean(axis=(3, 5))
    return np.asarray(pooled.reshape(len(rows), -1))
