"""Parts of an input, and what an explainer puts in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import TextForm

if TYPE_CHECKING:
    from detector.redteam.arrays import BoolArray, FloatArray, IntArray
    from detector.redteam.models import TargetModel


def patches(model: TargetModel, side: int, stride: int | None = None) -> list[IntArray]:
    """Return the columns of each part: squares of an image, or else single columns.

    Args:
        model: its `image_shape` says whether there is an image.
        side: pixels along an edge of a square, 1 or more; without an image it has no meaning.
        stride: pixels between two squares; `side` if None, so that they do not overlap.
    """
    width = len(model.form.low)
    if model.image_shape is None:
        return [np.array([column]) for column in range(width)]
    height, breadth = model.image_shape
    numbers = np.arange(height * breadth).reshape(height, breadth)
    step = side if stride is None else stride
    return [
        numbers[top : top + side, left : left + side].ravel()
        for top in range(0, max(1, height - side + step), step)
        for left in range(0, max(1, breadth - side + step), step)
        if numbers[top : top + side, left : left + side].size
    ]


def neutral(model: TargetModel) -> FloatArray:
    """Return the dullest input there is, shape (width,): means of numbers, commonest levels of categories, no word."""
    if isinstance(model.form, TextForm):
        return model.form.low
    rows = model.field.rows
    dull: FloatArray = rows.mean(axis=0)
    for column, size in enumerate(model.form.levels):
        if size:
            dull[column] = np.bincount(rows[:, column].astype(int), minlength=size).argmax()
    return dull


def numeric(model: TargetModel) -> BoolArray:
    """Return which columns are numbers, shape (width,)."""
    return np.asarray(np.array(model.form.levels) == 0)


def without(row: FloatArray, parts: list[IntArray], filler: FloatArray) -> FloatArray:
    """Return copies of `row`, one for each part, in which that part is `filler`, shape (parts, width)."""
    copies = np.repeat(row[None], len(parts), axis=0)
    for copy, part in zip(copies, parts, strict=True):
        copy[part] = filler[part]
    return copies


def masked(row: FloatArray, kept: BoolArray, parts: list[IntArray], filler: FloatArray) -> FloatArray:
    """Return copies of `row` in which the parts that are not `kept`, shape (n, parts), are `filler`."""
    copies = np.repeat(row[None], len(kept), axis=0)
    for number, part in enumerate(parts):
        gone = ~kept[:, number]
        copies[np.ix_(gone, part)] = filler[part]
    return copies


def settings_of(model: TargetModel, column: int, points: int) -> FloatArray:
    """Return up to `points` values over the range of `column`, ascending; every level of a category."""
    size = model.form.levels[column]
    if size:
        return np.unique(np.linspace(0, size - 1, min(size, points)).round())
    return np.linspace(model.form.low[column], model.form.high[column], points)
