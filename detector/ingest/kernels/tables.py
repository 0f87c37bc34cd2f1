"""CSV text (RFC 4180) to records, and records to JSON objects.

A quote opens only at the beginning of a cell; a doubled quote within a quoted cell is one; everything else is text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel, put, put_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEWLINE, _RETURN, _SPACE, _QUOTE, _BACKSLASH, _COMMA = 10, 13, 32, 34, 92, 44
_OPEN, _CLOSE = 123, 125
_CONTROL = np.frombuffer(b"\\u00", np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def split_records(
    data: NDArray[np.uint8], delimiter: int, newlines: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int, int]:
    """Find the records that end within `data`, which holds so many `newlines`; blank lines are none.

    Returns:
        starts and ends (the line break left out), the number of the line that each begins on counted from 0, where the
        unfinished rest begins, and how many lines come before it.
    """
    start, end, line = (np.empty(newlines, np.int64) for _ in range(3))
    found, rest, lines = _split(data, delimiter, start, end, line)
    return start[:found], end[:found], line[:found], rest, lines


def records_as_json(
    data: NDArray[np.uint8],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    delimiter: int,
    names: NDArray[np.uint8],
    name_bounds: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Write records as JSON objects of strings; an empty cell is absent, a cell without a name is left out.

    Args:
        data: CSV text.
        start: where each record begins in `data`.
        end: where it ends.
        delimiter: the byte between cells.
        names: for each column its name as a JSON string and a colon, end to end.
        name_bounds: the columns' number + 1 offsets into `names`.

    Returns:
        the texts end to end, n + 1 offsets, and how many cells each record has.
    """
    offsets, cells = np.zeros(len(start) + 1, np.int64), np.zeros(len(start), np.int64)
    nothing = np.empty(0, np.uint8)
    size = _write(data, start, end, delimiter, names, name_bounds, nothing, offsets, cells)
    out = np.empty(size, np.uint8)
    _write(data, start, end, delimiter, names, name_bounds, out, offsets, cells)
    return out, offsets, cells


@kernel
def _split(data, delimiter, start, end, line):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found, lines, begin, first = 0, 0, 0, 0
    inside, fresh, closed = False, True, -2
    for at in range(len(data)):
        octet = data[at]
        if octet == _NEWLINE:
            lines += 1
        if inside:
            if octet == _QUOTE:
                inside, closed = False, at
            fresh = False
        elif octet == _QUOTE and (fresh or closed == at - 1):
            # Of a doubled quote the first closes and the second opens again.
            inside = True
        elif octet == _NEWLINE:
            stop = at
            while stop > begin and (data[stop - 1] == _RETURN or data[stop - 1] == _SPACE):
                stop -= 1
            if stop > begin:
                start[found] = begin
                end[found] = stop
                line[found] = first
                found += 1
            begin, first, fresh = at + 1, lines, True
        else:
            fresh = octet == delimiter
    return found, begin, first


@inner
def _put_text(out, to, octet):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write a byte as JSON strings hold it."""
    if octet == _QUOTE or octet == _BACKSLASH:  # noqa: PLR1714, SIM109 - membership tests are slow here
        to = put(out, to, _BACKSLASH)
        to = put(out, to, octet)
    elif octet < _SPACE:
        to = put_all(out, to, _CONTROL, 0, len(_CONTROL))
        to = put(out, to, _HEX[octet >> 4])
        to = put(out, to, _HEX[octet & 15])
    else:
        to = put(out, to, octet)
    return to


@inner
def _next_octet(data, at, end, quoted, delimiter):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return (the next byte of a cell or -1 at its end, the place after it, whether the cell is still quoted)."""
    while at < end:
        octet = np.int64(data[at])
        if quoted and octet == _QUOTE:
            if at + 1 < end and data[at + 1] == _QUOTE:
                return octet, at + 2, True
            quoted = False
            at += 1
            continue
        if not quoted and octet == delimiter:
            break
        return octet, at + 1, quoted
    return np.int64(-1), at, quoted


@kernel
def _write(data, start, end, delimiter, names, name_bounds, out, offsets, cells):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the objects, or, with an empty `out`, only measure them; return the size."""
    to, columns = 0, len(name_bounds) - 1
    for i in range(len(start)):
        to = put(out, to, _OPEN)
        at, cell, filled, more = start[i], 0, 0, True
        while more:
            quoted = at < end[i] and data[at] == _QUOTE
            octet, at, quoted = _next_octet(data, at + (1 if quoted else 0), end[i], quoted, delimiter)
            shown = octet >= 0 and cell < columns
            if shown:
                if filled > 0:
                    to = put(out, to, _COMMA)
                filled += 1
                to = put_all(out, to, names, name_bounds[cell], name_bounds[cell + 1])
                to = put(out, to, _QUOTE)
            while octet >= 0:
                if shown:
                    to = _put_text(out, to, octet)
                octet, at, quoted = _next_octet(data, at, end[i], quoted, delimiter)
            if shown:
                to = put(out, to, _QUOTE)
            cell += 1
            more = at < end[i]
            at += 1
        to = put(out, to, _CLOSE)
        cells[i] = cell
        offsets[i + 1] = to
    return to
