"""Text columns: made storable where they are not, and everything else passed through untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.ingest.arrays import byte_ranges, scattered, strings, valid
from detector.ingest.kernels.texts import LONGEST_TEXT, storable
from detector.model import RowFlag

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_JSON = 1 << 20


def clean_text(column: Any, flags: NDArray[np.int32]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return `column` without NUL and with nothing longer than 16 kB; `flags` gets TEXT_ESCAPED and TEXT_CUT."""
    data, start, end = byte_ranges(column)
    suspect = (end - start) > LONGEST_TEXT
    if len(start) and int(end[-1] - start[0]) and not data[start[0] : end[-1]].all():
        suspect |= valid(column) & np.asarray(pc.fill_null(pc.match_substring(column, "\0"), False))
    rows = np.flatnonzero(suspect)
    if not len(rows):
        return column
    out, offsets, escaped, cut = storable(data, start[rows], end[rows])
    flags[rows[escaped]] |= RowFlag.TEXT_ESCAPED
    flags[rows[cut]] |= RowFlag.TEXT_CUT
    repaired = scattered(rows, strings(out, offsets, pa.string()), len(column))
    return pc.if_else(pa.array(suspect), repaired, column)


def clean_json(column: Any, flags: NDArray[np.int32]) -> Any:  # noqa: ANN401
    """Return `column` with JSON texts over 1 MiB left out (a cut one would no longer be JSON) and flagged TEXT_CUT."""
    _, start, end = byte_ranges(column)
    suspect = (end - start) > LONGEST_JSON
    if not suspect.any():
        return column
    flags[suspect] |= RowFlag.TEXT_CUT
    return pc.if_else(pa.array(suspect), None, column)
