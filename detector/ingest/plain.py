"""The third lane, and the fastest: generic records that are plainly written, without a detour over JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from detector.ingest.arrays import byte_ranges
from detector.ingest.kernels import plain
from detector.ingest.lanes import COLUMNS, NUMBERS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plain_rows(texts: Any, rec: NDArray[np.int64]) -> tuple[pa.Table, NDArray[np.bool_]]:  # noqa: ANN401
    """Read those of the records that are plain.

    Args:
        texts: JSON texts in UTF-8, Arrow string.
        rec: int64, the number of each.

    Returns:
        the lanes' columns of the plain ones, and which these are.
    """
    data, start, end = byte_ranges(texts)
    read = plain.read_plain(data, start, end)
    size = read.numbers.shape[1]
    columns: dict[str, Any] = {
        "rec": pa.array(rec[read.done].astype(np.int32)),
        "row_index": pa.array(np.zeros(size, np.int32)),
        "shape": _same("OBJECT", size),
        "output_type": _same("OBJECT", size),
        "no_number": pa.array(np.zeros(size, np.int32)),
        "row_excess": pa.array(np.zeros(size, np.int8)),
        "input_list": _lists("input_list", read.input_offsets, read.inputs),
        "probability_list": _lists("probability_list", read.chance_offsets, read.chances),
    }
    for name, values in zip(NUMBERS, read.numbers, strict=True):
        columns[name] = pa.array(values, mask=np.isnan(values))
    for name, spans in zip(plain.TEXTS, read.spans, strict=True):
        columns[name] = _texts(data, spans, compact=name == "params")
    arrays = [columns[field.name] if field.name in columns else pa.nulls(size, field.type) for field in COLUMNS]
    return pa.Table.from_arrays(arrays, schema=COLUMNS), read.done


def _same(text: str, size: int) -> Any:  # noqa: ANN401
    offsets = np.arange(size + 1, dtype=np.int32) * len(text)
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(text.encode() * size))


def _texts(data: NDArray[np.uint8], spans: NDArray[np.int32], *, compact: bool) -> Any:  # noqa: ANN401
    size = spans.shape[1]
    there = spans[0] >= 0
    if not there.any():
        return pa.nulls(size, pa.string())
    out, offsets = plain.gather(data, spans, compact=compact)
    mask = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(out), mask)


def _lists(name: str, offsets: NDArray[np.int32], values: NDArray[np.float64]) -> Any:  # noqa: ANN401
    absent = offsets[1:] == offsets[:-1]
    kind = COLUMNS.field(name).type
    mask = pa.array(absent) if absent.any() else None
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), type=kind, mask=mask)
