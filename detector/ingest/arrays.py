"""Arrow arrays as NumPy views of their buffers, and back; nothing is copied where it need not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


def whole(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def byte_ranges(array: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:  # noqa: ANN401
    """Return (data, start, end) of a string or binary array; a null is an empty range."""
    if not len(array) or array.buffers()[2] is None:
        nothing = np.zeros(len(array), np.int64)
        return np.zeros(1, np.uint8), nothing, nothing
    _, offsets, data = array.buffers()
    width = np.int64 if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type) else np.int32
    bounds = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    start, end = bounds[:-1], bounds[1:]
    if array.null_count:
        end = np.where(valid(array), end, start)
    return np.frombuffer(data, np.uint8), start, end


def list_parts(array: Any) -> tuple[Any, NDArray[np.int64], NDArray[np.int64]]:  # noqa: ANN401
    """Return (values, start, end) of a list array; a null is an empty range."""
    bounds = np.asarray(array.offsets).astype(np.int64)
    start, end = bounds[:-1], bounds[1:]
    if array.null_count:
        end = np.where(valid(array), end, start)
    return array.values, start, end


def valid(array: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Return where the array is not null."""
    if not array.null_count:
        return np.ones(len(array), bool)
    mask: NDArray[np.bool_] = np.asarray(array.is_valid())
    return mask


def counted(mask: NDArray[np.bool_], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often `mask` holds in each range."""
    if not mask.any():
        return np.zeros(len(start), np.int64)
    counts = np.concatenate([[0], np.cumsum(mask)])
    found: NDArray[np.int64] = counts[end] - counts[start]
    return found


def any_in(mask: NDArray[np.bool_], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return, for each range, whether `mask` holds anywhere in it."""
    return counted(mask, start, end) > 0


def strings(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    kind: Any,  # noqa: ANN401
    mask: NDArray[np.bool_] | None = None,
) -> Any:  # noqa: ANN401
    """Return a string or binary array over `data`.

    Args:
        data: the bytes.
        offsets: n + 1 places in `data`.
        kind: the Arrow type, with 32-bit offsets.
        mask: where it is null.
    """
    validity = None if mask is None else pa.py_buffer(np.packbits(~mask, bitorder="little"))
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers)


def packed(start: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (where every element of the ranges lies, n + 1 offsets of the ranges laid end to end)."""
    length = end - start
    offsets = np.concatenate([[0], np.cumsum(length)])
    places = np.arange(int(offsets[-1])) + np.repeat(start - offsets[:-1], length)
    return places, offsets


def scattered(rows: NDArray[np.int64], values: Any, size: int) -> Any:  # noqa: ANN401
    """Return an array of `size` with `values` at `rows` and null elsewhere."""
    if len(rows) == size:
        return values
    place = np.full(size, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return values.take(pa.array(place, mask=place < 0))
