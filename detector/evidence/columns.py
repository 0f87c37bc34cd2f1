"""From Arrow tables of the store to the columns that evidence works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evidence.context import Inputs, Queries
from detector.model import InputKind
from detector.store import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def queries(table: Any, names: Mapping[int, str], positions: Mapping[int, str]) -> Queries:  # noqa: ANN401 - Arrow
    """Return an Arrow table of the columns DETAIL as columns of numbers and text."""
    probabilities = decode.probability_matrix(
        table.column("probability_kind"), table.column("probabilities"), names, positions
    )
    return Queries(
        id=_integers(table, "id"),
        ts=_integers(table, "ts"),
        client=_words(table, "client_id"),
        file_id=_integers(table, "file_id"),
        line=_integers(table, "line"),
        row_index=_integers(table, "row_index"),
        endpoint=_words(table, "endpoint"),
        operation=_words(table, "operation"),
        status=_reals(table, "status"),
        label=_words(table, "label"),
        confidence=confidence(table, probabilities.values),
        input_kind=_integers(table, "input_kind"),
        input_bytes=_integers(table, "input_bytes"),
        probabilities=probabilities,
    )


def confidence(table: Any, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:  # noqa: ANN401 - Arrow
    """Return the logged confidence, the largest probability where there is none, NaN where there is neither."""
    logged = _reals(table, "confidence")
    missing = np.isnan(logged) & np.isfinite(probabilities).any(axis=1)
    if missing.any():
        logged[missing] = np.nanmax(probabilities[missing], axis=1)
    return logged


def inputs(table: Any, rows: NDArray[np.int64], dimension: int | None = None) -> Inputs:  # noqa: ANN401 - Arrow
    """Return an Arrow table of the columns INPUTS, whose lines are the queries `rows`, as inputs.

    Args:
        table: in time order.
        rows: index of each line into the queries, ascending.
        dimension: number of values of a vector; None takes the commonest.
    """
    kinds = _integers(table, "input_kind")
    kind = _commonest_kind(kinds)
    if kind in {InputKind.VECTOR, InputKind.EMBEDDING}:
        size = dimension or decode.vector_dimension(np.where(kinds == kind, InputKind.VECTOR, 0), table.column("input"))
        vectors = decode.input_matrix(table.column("input"), size)
        vectors[kinds != kind] = np.nan
        return Inputs(rows, kind, vectors)
    empty = np.empty((len(rows), 0), dtype=np.float32)
    if kind in {InputKind.RECORD, InputKind.TEXT}:
        payloads = table.column("input").to_pylist()
        same = (payload if one == kind else None for payload, one in zip(payloads, kinds, strict=True))
        return Inputs(rows, kind, empty, tuple(same))
    return Inputs(rows, kind, empty, ())


def _commonest_kind(kinds: NDArray[np.int64]) -> InputKind:
    known = kinds[kinds != InputKind.NONE]
    if not len(known):
        return InputKind.NONE
    values, counts = np.unique(known, return_counts=True)
    return InputKind(int(values[counts.argmax()]))


def _integers(table: Any, name: str) -> NDArray[np.int64]:  # noqa: ANN401
    return np.asarray(table.column(name), dtype=np.int64)


def _reals(table: Any, name: str) -> NDArray[np.float64]:  # noqa: ANN401
    import pyarrow as pa

    # A null of an integer column has no NumPy value of its own: as a float it is NaN.
    return np.array(table.column(name).cast(pa.float64()).to_numpy(), dtype=np.float64)


def _words(table: Any, name: str) -> NDArray[np.object_]:  # noqa: ANN401
    return np.array(table.column(name).to_pylist() or [], dtype=object)
