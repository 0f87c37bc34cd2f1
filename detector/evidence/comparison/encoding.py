"""A log's inputs in the space of the samples, and the records that lie nearest to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.evidence.comparison.parts import Disclosed
from detector.evidence.space import RecordSpace, TextSpace, VectorSpace, nearest
from detector.model import InputKind
from detector.store.decode import record, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext, Sample


class MismatchError(Exception):
    """The log's inputs and the sample's cannot be compared."""


def encoded(context: IncidentContext, rows: Sequence[int]) -> NDArray[np.float32]:
    """Return inputs of queries as rows of the space in which the samples lie.

    Raises:
        MismatchError: they are not of the samples' kind.
    """
    space, kind = context.training.space, context.inputs.kind
    places = [place for place in map(context.inputs.place, rows) if place is not None]
    if isinstance(space, VectorSpace) and kind in {InputKind.VECTOR, InputKind.EMBEDDING}:
        if context.inputs.dimension != len(space.scale):
            return context.inputs.vectors[places]
        return space.encode(context.inputs.vectors[places])
    payloads = [context.inputs.payloads[place] or b"" for place in places] if context.inputs.payloads else []
    if isinstance(space, RecordSpace) and kind is InputKind.RECORD:
        return space.encode([record(payload) or {} for payload in payloads])
    if isinstance(space, TextSpace) and kind is InputKind.TEXT:
        return space.encode([text(payload) for payload in payloads])
    raise MismatchError("The inputs in the log and the records of the sample are not of the same kind.")


def nearest_in(points: NDArray[np.float32], sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distance of each point to the nearest record of a sample, and which one that is.

    Raises:
        MismatchError: points and records differ in length.
    """
    if points.shape[1] != sample.vectors.shape[1]:
        sizes = f"the log's have {points.shape[1]} values, those of {sample.name} {sample.vectors.shape[1]}"
        raise MismatchError(f"Inputs of different length cannot be compared: {sizes}.")
    return nearest(points, sample.vectors)


def named(sample: Sample, which: int, query: int) -> Disclosed:
    """Return record number `which` of those held as `query` would disclose it."""
    record_id = sample.ids[which] if sample.ids else None
    return Disclosed(record_id, sample.name, which * sample.step + 1, query)
