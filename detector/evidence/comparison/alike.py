"""The measures that suit the kind of input, of a reconstruction and its nearest records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evidence.comparison import likeness
from detector.evidence.shapes import image_shape, is_channels_first
from detector.evidence.space import RecordSpace, TextSpace, VectorSpace
from detector.store.decode import record, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from detector.evidence.comparison.parts import Measure
    from detector.evidence.context import IncidentContext, Sample

    Compared = tuple[tuple[Measure, ...], tuple[tuple[str, bool, bool], ...], tuple[str, ...]]

_FEWEST = 5


def measure(context: IncidentContext, row: int, target: str, member: int, other: int | None) -> Compared:
    """Return measures, agreement of fields, and what could not be measured.

    Args:
        context: the incident.
        row: the query that is the reconstruction.
        target: the class pursued.
        member: which training record is the nearest.
        other: which hold-out record is.
    """
    training, payload = context.training, context.inputs.payload(row)
    members, others, space = training.members, training.others, training.space
    if members is None:
        return (), (), ()
    if isinstance(space, VectorSpace):
        return _images(context, row, member, other)
    if payload is None or not members.content:
        return (), (), ()
    beside = others.content[other] if others is not None and other is not None and others.content else None
    if isinstance(space, TextSpace):
        measured, missing = likeness.texts(text(payload), str(members.content[member]), _text(beside))
        return measured, (), missing
    if isinstance(space, RecordSpace):
        guessed = likeness.guess(space, _known(others or members, target))
        measured, fields = likeness.records(
            space, record(payload) or {}, _record(members.content[member]),
            _record(beside) if beside is not None else None, guessed,
        )  # fmt: skip
        return measured, fields, ()
    return (), (), ()


def _images(context: IncidentContext, row: int, member: int, other: int | None) -> Compared:
    members, others, drawn = context.training.members, context.training.others, context.inputs.vector(row)
    declared = context.settings.image_shape
    if members is None or drawn is None:
        return (), (), ()
    shape = image_shape(len(drawn), declared, members.vectors)
    if shape is None:
        return (), (), ()
    first = is_channels_first(declared)
    beside = _drawn(others.vectors[other], shape, first=first) if others is not None and other is not None else None
    pictures = _drawn(drawn, shape, first=first), _drawn(members.vectors[member], shape, first=first)
    measured, missing = likeness.images(*pictures, beside, _brightness(members.vectors))
    return measured, (), missing


def _drawn(vector: NDArray[np.float32], shape: tuple[int, int, int], *, first: bool) -> NDArray[np.float32]:
    """Return an image as height, width, channels; images are compared in units of their own, unscaled."""
    height, width, channels = shape
    if not first:
        return vector.reshape(height, width, channels)
    return np.moveaxis(vector.reshape(channels, height, width), 0, 2)


def _brightness(members: NDArray[np.float32]) -> float:
    """Return how much brighter white is than black: the customary ends where the records keep within them."""
    low, high = float(members.min()), float(members.max())
    for bottom, top in ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)):
        if low >= bottom and high <= top:
            return top - bottom
    return (high - low) or 1.0


def _known(sample: Sample, target: str) -> list[Mapping[str, Any]]:
    """Return what somebody knows who has no access to the model: records of the class pursued, if there are enough."""
    rows = [_record(one) for one in sample.content]
    if sample.labels is None:
        return rows
    alike = [row for row, label in zip(rows, sample.labels, strict=True) if label == target]
    return alike if len(alike) >= _FEWEST else rows


def _record(content: Mapping[str, Any] | str) -> Mapping[str, Any]:
    return content if not isinstance(content, str) else {}


def _text(content: Mapping[str, Any] | str | None) -> str | None:
    return content if isinstance(content, str) else None
